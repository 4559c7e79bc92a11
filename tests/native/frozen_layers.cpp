// Layers over each other against a map that is written over, layer by layer.
#include "recsys_embed/frozen_layers.hpp"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <vector>

#include "check.hpp"
#include "draw.hpp"

using namespace recsys_embed;

namespace {

constexpr std::size_t kDim = 19;  // two lines of a cache and a bit

// What a layer refers to: rows of the first ids, tombstones of the others.
struct Held {
  Held(std::vector<std::int64_t> given, std::vector<float> of_rows)
      : ids(std::move(given)), rows(std::move(of_rows)), index(ids) {}
  FrozenLayer layer() const { return {&index, rows.data(), rows.size() / kDim}; }

  std::vector<std::int64_t> ids;
  std::vector<float> rows;
  FrozenIndex index;
};
using Stack = std::vector<std::unique_ptr<Held>>;  // newest first

FrozenLayers over(const Stack& stack) {
  std::vector<FrozenLayer> layers;
  for (const auto& held : stack) layers.push_back(held->layer());
  return {std::move(layers), kDim};
}

std::unique_ptr<Held> drawn(Draw& draw, std::size_t most) {
  std::vector<std::int64_t> ids;
  for (std::uint64_t n = draw.below(most + 1); n > 0; --n) {
    const auto id = static_cast<std::int64_t>(draw.below(3 * most + 1));
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  const std::size_t rows = ids.empty() ? 0 : draw.below(ids.size() + 1);
  return std::make_unique<Held>(std::move(ids), draw.reals(rows * kDim));
}

// Of each id its row, or null where it has none.
using Map = std::unordered_map<std::int64_t, const float*>;
Map written_over(const Stack& stack) {
  Map map;
  for (auto held = stack.rbegin(); held != stack.rend(); ++held) {
    const FrozenLayer layer = (*held)->layer();
    for (std::size_t i = 0; i < (*held)->ids.size(); ++i) {
      map[(*held)->ids[i]] = i < layer.num_rows ? layer.rows + i * kDim : nullptr;
    }
  }
  return map;
}

void check_reads(const FrozenLayers& layers, const Map& expected, std::vector<std::int64_t> asked) {
  std::vector<float> out(asked.size() * kDim, 7.0F);
  const auto found = std::make_unique<bool[]>(asked.size() + 1),
             held = std::make_unique<bool[]>(asked.size() + 1);
  layers.read(asked, out.data(), found.get());
  layers.contains(asked, held.get());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto at = expected.find(asked[i]);
    const float* row = at == expected.end() ? nullptr : at->second;
    CHECK(found[i] == (row != nullptr) && held[i] == found[i], asked[i]);
    for (std::size_t d = 0; d < kDim; ++d) {
      CHECK(out[i * kDim + d] == (row == nullptr ? 7.0F : row[d]), asked[i], d);
    }
  }
}

std::vector<std::int64_t> questions(Draw& draw, std::size_t most) {
  std::vector<std::int64_t> asked(draw.below(150));  // blocks of 32 and their rests
  for (std::int64_t& id : asked) id = static_cast<std::int64_t>(draw.below(4 * most + 2));
  return asked;
}

void the_newest_layer_that_knows_an_id_answers_for_it() {
  Draw draw(1);
  for (int round = 0; round < 300; ++round) {
    const std::size_t most = draw.below(120);
    Stack stack;
    for (std::uint64_t n = draw.below(6); n > 0; --n) stack.push_back(drawn(draw, most));
    check_reads(over(stack), written_over(stack), questions(draw, most));
  }
}

void merged_layers_say_what_they_said_one_over_the_other() {
  Draw draw(2);
  for (int round = 0; round < 300; ++round) {
    const std::size_t most = draw.below(120);
    Stack stack;
    for (std::uint64_t n = 1 + draw.below(5); n > 0; --n) stack.push_back(drawn(draw, most));
    const FrozenLayers layers = over(stack);
    const FrozenLayers::Merged merged = layers.merged();
    std::vector<std::int64_t> ids(merged.rows + merged.lost);
    std::vector<float> rows(merged.rows * kDim);
    layers.write(merged, ids.data(), rows.data());
    const Map expected = written_over(stack);
    CHECK(ids.size() == expected.size(), ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      CHECK((expected.at(ids[i]) != nullptr) == (i < merged.rows), ids[i]);
    }
    Stack one;
    one.push_back(std::make_unique<Held>(std::move(ids), std::move(rows)));
    check_reads(over(one), expected, questions(draw, most));
  }
}

void no_layers_know_nothing() {
  const std::vector<std::int64_t> asked{1, 2, 3};
  check_reads(FrozenLayers({}, kDim), {}, asked);
}

}  // namespace

int main() {
  return check::run({
      TEST(the_newest_layer_that_knows_an_id_answers_for_it),
      TEST(merged_layers_say_what_they_said_one_over_the_other),
      TEST(no_layers_know_nothing),
  });
}
