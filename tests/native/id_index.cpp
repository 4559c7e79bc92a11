// The index against std::unordered_map, with hashes as bad as they come.
#include "recsys_embed/id_index.hpp"

#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "check.hpp"
#include "draw.hpp"
#include "recsys_embed/frozen_index.hpp"

using namespace recsys_embed;

namespace {

using Hash = std::uint64_t (*)(std::int64_t);

std::uint64_t good(std::int64_t id) { return mix64(static_cast<std::uint64_t>(id)); }
std::uint64_t all_alike(std::int64_t) { return 0x7f00000000000003; }
std::uint64_t same_group(std::int64_t id) { return static_cast<std::uint64_t>(id) << 56 | 5; }
std::uint64_t same_tag(std::int64_t id) { return good(id) << 8 >> 8; }  // tag 0, which stands for 255
std::uint64_t last_group(std::int64_t id) { return static_cast<std::uint64_t>(id) << 54 | 0xffffffff; }
std::uint64_t few_groups(std::int64_t id) { return good(id) & 0xff00000000000007; }

// An index with the ids its rows would hold, beside the map it must agree with.
struct Pair {
  Hash hash;
  IdIndex index;
  std::vector<std::int64_t> id_of_row;
  std::unordered_map<std::int64_t, std::uint32_t> expected;

  std::uint32_t find(std::int64_t id) const {
    return index.find(hash(id), [&](std::uint32_t row) { return id_of_row.at(row) == id; });
  }
  void insert(std::int64_t id) {
    if (index.must_grow(index.size() + 1)) {
      index.reset(2 * index.size() + 1);
      for (const auto& [old, row] : expected) index.insert(hash(old), row);
    }
    const auto row = static_cast<std::uint32_t>(id_of_row.size());
    id_of_row.push_back(id);
    index.insert(hash(id), row);
    expected[id] = row;
  }
  void erase(std::int64_t id) {
    index.erase(hash(id), expected.at(id));
    expected.erase(id);
  }
  void relocate(std::int64_t id) {
    const auto to = static_cast<std::uint32_t>(id_of_row.size());
    id_of_row.push_back(id);
    index.relocate(hash(id), expected.at(id), to);
    expected[id] = to;
  }
  void check(std::int64_t id) const {
    const auto found = expected.find(id);
    CHECK(find(id) == (found == expected.end() ? kNoRow : found->second), id, find(id));
  }
};

void check_churn(Hash hash, std::int64_t range, int steps) {
  Draw draw(static_cast<std::uint64_t>(range));
  Pair pair{.hash = hash, .index = {}, .id_of_row = {}, .expected = {}};
  for (int step = 0; step < steps; ++step) {
    const std::int64_t id =
        static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(range))) - range / 2;
    const bool held = pair.expected.contains(id);
    pair.check(id);
    if (!held) {
      pair.insert(id);
    } else if (draw.chance(60)) {
      pair.erase(id);
    } else {
      pair.relocate(id);
    }
    pair.check(id);
    CHECK(pair.index.size() == pair.expected.size());
    CHECK(pair.index.size() * 5 <= pair.index.slots() * 4, pair.index.size(), pair.index.slots());
  }
  for (std::int64_t id = -range; id < range; ++id) pair.check(id);
}

void it_is_the_map_it_stands_for() { check_churn(good, 5000, 100000); }

void equal_hashes_cost_time_and_nothing_else() {
  check_churn(all_alike, 300, 6000);
  check_churn(same_group, 300, 6000);
  check_churn(same_tag, 2000, 20000);
  check_churn(last_group, 300, 6000);
  check_churn(few_groups, 500, 10000);
}

void every_int64_is_an_id() {
  Pair pair{.hash = good, .index = {}, .id_of_row = {}, .expected = {}};
  const std::int64_t ids[] = {0, -1, 1, std::numeric_limits<std::int64_t>::min(),
                              std::numeric_limits<std::int64_t>::max()};
  for (const std::int64_t id : ids) {
    pair.check(id);
    pair.insert(id);
  }
  for (const std::int64_t id : ids) pair.check(id);
}

// Leaves every group with a count of ids gone on to the next, so that no group ends a search.
void a_search_ends_after_one_round_of_an_index_that_overflows_everywhere() {
  IdIndex index;
  index.reset(60);
  const std::uint64_t groups = index.mask() + 1;
  const auto hash_of = [](std::uint64_t group) { return std::uint64_t{0x11} << 56 | group; };
  for (std::uint64_t g = 0; g < groups; ++g) {
    std::uint32_t own = 0;
    const auto room = [&] { return matches(index.groups()[g], 0) != 0; };
    for (; room(); ++own) index.insert(hash_of(g), static_cast<std::uint32_t>(100 * g + own));
    index.insert(hash_of(g), static_cast<std::uint32_t>(100 * g + 99));  // goes on to the next group
    while (own-- > 0) index.erase(hash_of(g), static_cast<std::uint32_t>(100 * g + own));
  }
  for (std::uint64_t g = 0; g < groups; ++g) CHECK(index.groups()[g].overflow > 0, g);
  const auto none = [](std::uint32_t) { return false; };
  for (const std::uint64_t tag : {0x11, 0x22}) CHECK(index.find(tag << 56, none) == kNoRow);
  for (std::uint64_t g = 0; g < groups; ++g) {
    const auto row = static_cast<std::uint32_t>(100 * g + 99);
    CHECK(index.find(hash_of(g), [&](std::uint32_t r) { return r == row; }) == row, g);
  }
}

void an_emptied_index_is_as_new() {
  Pair pair{.hash = few_groups, .index = {}, .id_of_row = {}, .expected = {}};
  for (std::int64_t id = 0; id < 400; ++id) pair.insert(id);
  for (std::int64_t id = 0; id < 400; ++id) pair.erase(id);
  for (std::uint64_t g = 0; g <= pair.index.mask(); ++g) {
    CHECK(pair.index.groups()[g].overflow == 0, g);
    CHECK(matches(pair.index.groups()[g], 0) == 0xfff, g);
  }
}

void room_for_a_size_is_room_for_that_size() {
  for (std::uint64_t size : {0, 1, 9, 10, 38, 39, 1000, 4095, 4096, 100000}) {
    IdIndex index;
    index.reset(size);
    CHECK(!index.must_grow(size), size, index.slots());
    CHECK(index.bytes() == index.slots() / kGroupSlots * sizeof(Group));
  }
}

void a_frozen_index_gives_positions() {
  Draw draw(4);
  for (const std::size_t n : {0, 1, 2, 100, 30000}) {
    std::vector<std::int64_t> ids(n), wanted, found;
    std::unordered_map<std::int64_t, std::int64_t> expected;
    for (std::size_t i = 0; i < n; ++i) {
      while (!expected.emplace(ids[i] = draw.any_id(), static_cast<std::int64_t>(i)).second) {
      }
      wanted.push_back(ids[i]);
      wanted.push_back(ids[i] + 1);
    }
    wanted.push_back(17);
    found.resize(wanted.size());
    const FrozenIndex index(ids);
    index.find(wanted, found.data());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto at = expected.find(wanted[i]);
      CHECK(found[i] == (at == expected.end() ? -1 : at->second), wanted[i]);
    }
  }
}

void a_frozen_index_refuses_an_id_that_stands_twice() {
  const std::vector<std::int64_t> ids{3, -4, 3};
  bool refused = false;
  try {
    const FrozenIndex index(ids);
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  CHECK(refused);
}

}  // namespace

int main() {
  return check::run({
      TEST(it_is_the_map_it_stands_for),
      TEST(equal_hashes_cost_time_and_nothing_else),
      TEST(every_int64_is_an_id),
      TEST(a_search_ends_after_one_round_of_an_index_that_overflows_everywhere),
      TEST(an_emptied_index_is_as_new),
      TEST(room_for_a_size_is_room_for_that_size),
      TEST(a_frozen_index_gives_positions),
      TEST(a_frozen_index_refuses_an_id_that_stands_twice),
  });
}
