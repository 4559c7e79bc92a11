// Rows are handed out lowest first and never twice; chunks without rows go back to the system.
#include "recsys_embed/row_storage.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <vector>

#include "check.hpp"
#include "draw.hpp"

using namespace recsys_embed;

namespace {

constexpr std::uint32_t kStride = 32;

bool is_mapped(const std::byte* at) {
  const auto page = reinterpret_cast<std::uintptr_t>(at) / 4096 * 4096;
  return ::msync(reinterpret_cast<void*>(page), 4096, MS_ASYNC) == 0 || errno != ENOMEM;
}

// The lowest number that is not in use: a set holds the rows in use.
std::uint32_t lowest_free(const std::set<std::uint32_t>& used) {
  std::uint32_t row = 0;
  for (const std::uint32_t u : used) {
    if (u != row) break;
    ++row;
  }
  return row;
}

void the_lowest_free_row_is_taken_and_none_twice() {
  Draw draw(1);
  RowStorage storage(kStride);
  std::set<std::uint32_t> used;
  for (int step = 0; step < 5000; ++step) {
    if (used.empty() || draw.chance(55)) {
      const std::uint32_t expected = lowest_free(used), row = storage.allocate();
      CHECK(row == expected, row, expected);
      CHECK(used.insert(row).second, row);
    } else {
      const auto gone = std::next(used.begin(), static_cast<std::ptrdiff_t>(draw.below(used.size())));
      storage.release(*gone);
      CHECK(!storage.is_live(*gone));
      used.erase(gone);
    }
    if (draw.chance(5)) storage.trim();
    CHECK(storage.size() == used.size());
    CHECK(storage.holes() == storage.end() - used.size());
    CHECK(used.empty() || (storage.end() > *used.rbegin() && storage.is_live(*used.rbegin())));
  }
}

void rows_are_apart_and_keep_what_is_written_to_them() {
  RowStorage storage(96);
  constexpr std::uint32_t kRows = RowStorage::kChunkRows + 100;
  std::vector<const std::byte*> places;
  for (std::uint32_t r = 0; r < kRows; ++r) {
    CHECK(storage.allocate() == r);
    std::fill_n(storage.row(r), 96, static_cast<std::byte>(r % 251));
    places.push_back(storage.row(r));
  }
  for (std::uint32_t r = 0; r < kRows; ++r) {
    CHECK(storage.row(r) == places[r], r);  // adding a chunk moved nothing
    CHECK(std::all_of(places[r], places[r] + 96,
                      [&](std::byte b) { return b == static_cast<std::byte>(r % 251); }),
          r);
  }
}

// Fills three chunks and a bit, then keeps `kept` rows at the low end.
void check_trimmed(std::uint32_t kept, std::size_t chunks) {
  RowStorage storage(kStride);
  std::vector<const std::byte*> starts;
  for (std::uint32_t r = 0; r < 3 * RowStorage::kChunkRows + 10; ++r) {
    storage.allocate();
    if (r % RowStorage::kChunkRows == 0) starts.push_back(storage.row(r));
  }
  const std::size_t before = storage.bytes();
  for (std::uint32_t r = kept; r < 3 * RowStorage::kChunkRows + 10; ++r) storage.release(r);
  CHECK(storage.bytes() >= before && storage.end() == 3 * RowStorage::kChunkRows + 10);
  storage.trim();
  CHECK(storage.end() == kept && storage.size() == kept && storage.holes() == 0);
  CHECK(storage.first_hole() == kNoRow);
  CHECK(before - storage.bytes() >= std::size_t{kStride} * (3 * RowStorage::kChunkRows - kept), kept);
  for (std::size_t c = 0; c < starts.size(); ++c) CHECK(is_mapped(starts[c]) == (c < chunks), kept, c);
  CHECK(storage.allocate() == kept);
  CHECK(storage.is_live(kept) && storage.end() == kept + 1);
}

void trimming_returns_the_chunks_beyond_the_last_row() {
  check_trimmed(0, 0);
  check_trimmed(1, 1);
  check_trimmed(RowStorage::kChunkRows, 1);
  check_trimmed(RowStorage::kChunkRows + 1, 2);
  check_trimmed(3 * RowStorage::kChunkRows, 3);
}

void a_returned_row_is_taken_anew_with_its_bit() {
  RowStorage storage(kStride);
  for (int i = 0; i < 130; ++i) storage.allocate();
  for (const std::uint32_t r : {129U, 64U, 63U}) storage.release(r);
  storage.trim();
  CHECK(storage.end() == 129 && storage.first_hole() == 63);
  CHECK(storage.allocate() == 63 && storage.allocate() == 64 && storage.allocate() == 129);
  CHECK(storage.holes() == 0);
}

void large_blocks_are_zeroed_aligned_and_given_back() {
  const std::byte* place = nullptr;
  {
    Pages pages(Pages::kHuge + 4096);
    place = pages.data();
    CHECK(reinterpret_cast<std::uintptr_t>(place) % Pages::kHuge == 0);
    CHECK(std::all_of(place, place + pages.size(), [](std::byte b) { return b == std::byte{0}; }));
    CHECK(is_mapped(place + pages.size() - 1) && !is_mapped(place + pages.size()));
    Pages moved(std::move(pages));
    CHECK(moved.data() == place);
    moved = Pages(64);
    CHECK(moved.size() == 64 && !is_mapped(place));
  }
  CHECK(!is_mapped(place));
  CHECK(Pages().data() == nullptr && Pages(0).data() == nullptr);
}

}  // namespace

int main() {
  return check::run({
      TEST(the_lowest_free_row_is_taken_and_none_twice),
      TEST(rows_are_apart_and_keep_what_is_written_to_them),
      TEST(trimming_returns_the_chunks_beyond_the_last_row),
      TEST(a_returned_row_is_taken_anew_with_its_bit),
      TEST(large_blocks_are_zeroed_aligned_and_given_back),
  });
}
