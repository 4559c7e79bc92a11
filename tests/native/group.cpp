// A group deals its tables to the threads: the rows are those of each table trained alone, also when
// two groups train the same tables at once.
#include "recsys_embed/group.hpp"

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "check.hpp"
#include "draw.hpp"

using namespace recsys_embed;

namespace {

constexpr std::uint32_t kDim = 3;
constexpr std::size_t kBags = 1500;

TableOptions options(std::uint64_t key) {
  TableOptions o;
  Segment segment;
  segment.dim = kDim;
  segment.optimizer = {OptimizerKind::kAdagrad, 0.0F, 0.0F, 1e-10F, 0.0F};
  o.segments = {segment};
  o.features = {{}};
  o.key = key;
  return o;
}

// One bag of each table after the other; the first table's are `times` as large.
struct Batch {
  Batch(std::size_t tables, std::size_t times, std::uint64_t seed) : grads(kBags * tables * kDim) {
    Draw draw(seed);
    for (std::size_t t = 0; t < tables; ++t) {
      starts.push_back(static_cast<std::int64_t>(t * kBags));
      for (std::size_t b = 0; b < kBags; ++b) {
        const std::size_t size = (t == 0 ? times : 1) * (1 + draw.below(2));
        for (std::size_t i = 0; i < size; ++i) ids.push_back(static_cast<std::int64_t>(draw.below(200)));
        offsets.push_back(static_cast<std::int64_t>(ids.size()));
      }
    }
    for (float& g : grads) g = draw.real();
  }

  GroupBags bags() const { return {ids, offsets, starts, nullptr, kBags}; }

  std::vector<std::int64_t> ids, offsets{0}, starts;
  std::vector<float> grads;
};

std::vector<TableGroup::Member> members(std::deque<Table>& tables) {
  std::vector<TableGroup::Member> m;
  for (Table& table : tables) m.push_back({&table, {0}, Pooling::kSum});
  return m;
}

void train(const TableGroup& group, const Batch& batch, std::vector<float>& out) {
  std::vector<std::uint32_t> rows(group.check(batch.bags()));
  std::vector<std::uint64_t> moves(group.size());
  const std::size_t width = group.size() * kDim;
  out.resize(kBags * width);
  group.train_lookup_pooled(batch.bags(), {}, rows.data(), moves.data(), out.data(), width, {});
  const std::vector<float> lr(group.size(), 0.1F);
  group.apply_pooled_gradients(batch.bags(), rows.data(), moves.data(), batch.grads.data(), width, lr);
}

void train_alone(std::deque<Table>& tables, const Batch& batch, std::vector<float>& out) {
  const std::size_t width = tables.size() * kDim;
  out.resize(kBags * width);
  const std::vector<float> lr(1, 0.1F);
  for (std::size_t t = 0; t < tables.size(); ++t) {
    std::vector<std::int64_t> offsets(batch.offsets.begin() + batch.starts[t],
                                      batch.offsets.begin() + batch.starts[t] + kBags + 1);
    const auto first = static_cast<std::size_t>(offsets.front());
    const std::span ids = std::span<const std::int64_t>(batch.ids).subspan(
        first, static_cast<std::size_t>(offsets.back()) - first);
    for (std::int64_t& at : offsets) at -= static_cast<std::int64_t>(first);
    const Bags bags{offsets.data(), kBags, nullptr, Pooling::kSum};
    std::vector<std::uint32_t> rows(ids.size());
    const std::vector<FeatureSpan> all{{0, ids.size(), 0}};
    const Evicted lost = tables[t].train_lookup_pooled(ids, all, 0, rows.data(), bags,
                                                       {out.data() + t * kDim, width, kBags}, {});
    std::vector<float> grads = batch.grads;
    tables[t].apply_pooled_gradients(ids, rows.data(), lost.moves, bags,
                                     {grads.data() + t * kDim, width, kBags}, lr);
  }
}

std::vector<float> weights_of_all(const std::deque<Table>& tables) {
  std::vector<std::int64_t> ids(200);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
  std::vector<float> all;
  for (const Table& table : tables) {
    std::vector<float> out(ids.size() * kDim);
    table.lookup(ids, out.data(), kDim, {});
    all.insert(all.end(), out.begin(), out.end());
  }
  return all;
}

void fill(std::deque<Table>& tables, std::size_t count) {
  for (std::size_t t = 0; t < count; ++t) tables.emplace_back(options(t + 1));
}

void a_group_trains_as_its_tables_would_alone() {
  for (const std::size_t threads : {1, 2, 3}) {
    Threads::set_count(threads);
    for (const std::size_t times : {1, 20}) {
      std::deque<Table> grouped, single;
      fill(grouped, 5);
      fill(single, 5);
      const TableGroup group(members(grouped));
      for (std::uint64_t step = 0; step < 3; ++step) {
        const Batch batch(5, times, step);
        std::vector<float> out, expected;
        train(group, batch, out);
        train_alone(single, batch, expected);
        CHECK(out == expected, threads, times, step);
      }
      CHECK(weights_of_all(grouped) == weights_of_all(single), threads, times);
    }
  }
}

void groups_over_the_same_tables_may_train_at_once() {
  Threads::set_count(3);
  std::deque<Table> tables;
  fill(tables, 4);
  const TableGroup group(members(tables));
  auto turned = members(tables);
  std::ranges::reverse(turned);
  const TableGroup other(turned);
  const Batch batch(4, 3, 7);
  const auto work = [&](const TableGroup& one) {
    std::vector<float> out;
    for (int step = 0; step < 5; ++step) train(one, batch, out);
  };
  std::thread first([&] { work(group); }), second([&] { work(other); });
  first.join();
  second.join();
  for (const Table& table : tables) {
    CHECK(table.seq() == 20, table.seq());  // 2 groups, 5 steps, forward and backward
    CHECK(table.size() == 200, table.size());
  }
}

void bags_outside_the_arrays_are_refused() {
  std::deque<Table> tables;
  fill(tables, 2);
  const TableGroup group(members(tables));
  const auto refused = [&](const Batch& batch) {
    try {
      group.check(batch.bags());
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  const Batch batch(2, 1, 1);
  CHECK(!refused(batch));
  CHECK(group.check(batch.bags()) == batch.ids.size());
  for (const std::int64_t start : {-1, 1501, 1 << 30}) {
    Batch bad = batch;
    bad.starts[1] = start;
    CHECK(refused(bad), start);
  }
  for (const auto& [at, value] : {std::pair<std::size_t, std::int64_t>{0, -1}, {5, 0}, {3000, 1 << 30}}) {
    Batch bad = batch;
    bad.offsets[at] = value;
    CHECK(refused(bad), at, value);
  }
}

}  // namespace

int main() {
  return check::run({TEST(a_group_trains_as_its_tables_would_alone),
                     TEST(groups_over_the_same_tables_may_train_at_once),
                     TEST(bags_outside_the_arrays_are_refused)});
}
