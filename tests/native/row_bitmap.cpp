// The bitmap against std::set.
#include "recsys_embed/row_bitmap.hpp"

#include <set>

#include "check.hpp"
#include "draw.hpp"

using namespace recsys_embed;

namespace {

std::uint32_t first_of(const std::set<std::uint32_t>& rows) { return rows.empty() ? kNoRow : *rows.begin(); }

void check_like_a_set(std::uint64_t seed, std::uint64_t range, int steps) {
  Draw draw(seed);
  RowBitmap bitmap;
  std::set<std::uint32_t> expected;
  for (int step = 0; step < steps; ++step) {
    const auto row = static_cast<std::uint32_t>(draw.below(range));
    if (draw.chance(50)) {
      bitmap.insert(row);
      expected.insert(row);
    } else {
      const std::uint32_t gone = draw.chance(50) ? first_of(expected) : row;
      if (gone != kNoRow) bitmap.erase(gone);
      expected.erase(gone);
    }
    CHECK(bitmap.first() == first_of(expected), bitmap.first(), first_of(expected), range, step);
    CHECK(bitmap.contains(row) == expected.contains(row), row);
  }
  for (; !expected.empty(); expected.erase(expected.begin())) {
    CHECK(bitmap.first() == *expected.begin());
    bitmap.erase(bitmap.first());
  }
  CHECK(bitmap.first() == kNoRow);
}

void it_is_the_set_it_stands_for() {
  for (const std::uint64_t range : {1, 2, 64, 65, 4096, 4097, 262144, 262145, 1 << 25}) {
    check_like_a_set(range, range, 3000);
  }
}

void it_grows_by_any_number_of_levels_at_once() {
  const std::uint32_t edges[] = {0, 63, 64, 4095, 4096, 262143, 262144, 16777215, 16777216};
  for (const std::uint32_t low : edges) {
    for (const std::uint32_t high : edges) {
      RowBitmap bitmap;
      bitmap.insert(low);
      bitmap.insert(high);
      CHECK(bitmap.first() == std::min(low, high), low, high);
      bitmap.erase(std::min(low, high));
      CHECK(bitmap.first() == (low == high ? kNoRow : std::max(low, high)), low, high);
    }
  }
}

void it_is_empty_at_first() {
  RowBitmap bitmap;
  bitmap.erase(5);
  CHECK(bitmap.first() == kNoRow && !bitmap.contains(5));
}

}  // namespace

int main() {
  return check::run({
      TEST(it_is_empty_at_first),
      TEST(it_is_the_set_it_stands_for),
      TEST(it_grows_by_any_number_of_levels_at_once),
  });
}
