// Readers beside a writer: nothing torn, nothing lost; the thread sanitizer watches the rest.
#include <atomic>
#include <numeric>
#include <thread>

#include "check.hpp"
#include "draw.hpp"
#include "reading.hpp"
#include "recsys_embed/parallel.hpp"
#include "recsys_embed/table.hpp"

using namespace recsys_embed;

namespace {

using Ids = std::vector<std::int64_t>;
constexpr std::size_t kAll = std::size_t{1} << 32;
constexpr std::size_t kDim = 24;
constexpr std::uint64_t kRange = 6000;

// All weights of a row are equal at first and remain so under equal gradients.
TableOptions even_rows() {
  TableOptions o;
  o.segments = {{.dim = kDim, .optimizer = {}, .initializer = {InitKind::kConstant, 0.5F, 0.0F}}};
  o.features = {{1, 20}, {2, 30}};
  o.max_rows = 4000;
  o.sweep_rows = 64;
  return o;
}

Ids draw_ids(Draw& draw, std::size_t n) {
  Ids ids(n);
  for (auto& id : ids) id = static_cast<std::int64_t>(draw.below(kRange));
  return ids;
}

void check_even(const float* values, std::size_t rows, const char* what) {
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = values + i * kDim;
    for (std::size_t d = 1; d < kDim; ++d) CHECK(row[d] == row[0], what, i, d, row[0], row[d]);
  }
}

// One training step; the gradients come by the handle.
void train_step(Table& table, const Ids& ids, std::uint32_t now, std::uint16_t feature) {
  const FeatureSpan span{0, ids.size(), feature};
  std::vector<std::uint32_t> rows(ids.size());
  std::vector<float> out(ids.size() * kDim);
  const Evicted e = table.train_lookup(ids, {&span, 1}, now, rows.data(), out.data(), kDim, {});
  check_even(out.data(), ids.size(), "training lookup");
  const std::vector<float> grads(out.size(), 1.0F), lr{0.125F};
  table.apply_gradients(ids, rows.data(), e.moves, grads.data(), kDim, lr);
}

void read_some(const Table& table, Draw& draw) {
  const Ids ids = draw_ids(draw, draw.chance(20) ? 3000 : 50);
  std::vector<float> out(ids.size() * kDim);
  table.lookup(ids, out.data(), kDim, {});
  check_even(out.data(), ids.size(), "lookup");
  const std::vector<std::int64_t> offsets{0, 10, 10, static_cast<std::int64_t>(ids.size())};
  table.lookup_pooled(ids, {offsets.data(), 3, nullptr, Pooling::kMean}, {out.data(), kDim, 3}, {});
  check_even(out.data(), 3, "pooled lookup");
  const std::unique_ptr<bool[]> held(new bool[ids.size()]);
  table.contains(ids, held.get());
  Block block(table.layout(), 100);
  std::uint32_t cursor = static_cast<std::uint32_t>(draw.below(1000));
  check_even(block.weights.data(), table.read_rows(cursor, 100, block.columns()), "rows");
  CHECK(table.size() <= 4000 + 3000 && table.bytes() > 0 && table.index_bytes() > 0 && table.load() < 1);
  CHECK(table.hits() <= table.lookups());
}

void rows_are_never_seen_torn() {
  Threads::set_count(2);
  Table table(even_rows());
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (std::uint64_t seed : {1, 2}) {
    readers.emplace_back([&, seed] {
      Draw draw(seed);
      do read_some(table, draw);
      while (!done);
    });
  }
  Draw draw(3);
  for (std::uint32_t step = 0; step < ROUNDS; ++step) {
    train_step(table, draw_ids(draw, step % 10 == 0 ? 2500 : 100), step,
               static_cast<std::uint16_t>(step % 2));
    if (step % 7 == 0) table.expire(step, kAll);
    if (step % 5 == 0) table.compact(step % 2 == 0 ? kAll : 50);
    if (step % 3 == 0) table.evict(draw_ids(draw, 20));
    if (step % 11 == 0) Threads::set_count(1 + step % 3);
  }
  done = true;
  for (std::thread& t : readers) t.join();
}

// Reads a half of a cut.
ReferenceRows read_half(OpenCut& open, std::size_t half) {
  ReferenceRows rows;
  const std::uint32_t last = open.cut->start_of(half + 1, 2);
  for (std::uint32_t row = open.cut->start_of(half, 2); row < last;) row = open.read(row, last, 50, rows);
  return rows;
}

void a_cut_read_while_training_goes_on_shows_its_moment() {
  Threads::set_count(2);
  Table table(even_rows());
  Draw draw(4);
  std::uint32_t now = 0;
  for (; now < 30; ++now) train_step(table, draw_ids(draw, 400), now, 0);
  for (int round = 0; round < 5; ++round) {
    const ReferenceRows expected = rows_of(table);
    OpenCut open(table);
    ReferenceRows halves[2];
    std::atomic<int> reading = 2;
    std::vector<std::thread> readers;
    for (std::size_t half : {0, 1}) {
      readers.emplace_back([&, half] { halves[half] = read_half(open, half), --reading; });
    }
    while (reading > 0) {
      train_step(table, draw_ids(draw, 2100), now++, 0);
      table.evict(draw_ids(draw, 100));
      table.compact(kAll);
    }
    for (std::thread& t : readers) t.join();
    halves[0].merge(halves[1]);
    CHECK(halves[1].empty() && halves[0] == expected, halves[0].size(), expected.size());
  }
}

// Changes read again and again while a snapshot's cut is open bring another table up to date.
void changes_read_while_training_goes_on_are_the_table() {
  Threads::set_count(2);
  Table table(even_rows()), follower(even_rows());
  table.track_changes(true);
  std::atomic<bool> done = false;
  std::uint64_t cursor = 0;
  const auto follow = [&] {
    OpenCut whole(table), open(table, cursor);
    ReferenceRows rows;
    const std::uint32_t last = open.cut->end();
    for (std::uint32_t row = 0; row < last;) row = open.read(row, last, 100, rows);
    for (const auto& [id, row] : rows) CHECK(row.seq > cursor && row.seq <= open.facts.seq, id, row.seq);
    apply(follower, rows, open.lost, open.facts);
    check_even(rows_of(follower).begin()->second.weights.data(), 1, "followed");
    table.forget_changes(cursor);
    cursor = open.facts.seq;
  };
  Draw draw(5);
  train_step(table, draw_ids(draw, 1000), 0, 0);
  std::thread reader([&] {
    while (!done) follow();
  });
  for (std::uint32_t step = 0; step < ROUNDS; ++step) {
    train_step(table, draw_ids(draw, step % 10 == 0 ? 2500 : 100), step / 8, 0);
    if (step % 7 == 0) table.evict(draw_ids(draw, 50));
    if (step % 9 == 0) table.expire(step / 8, kAll), table.compact(kAll);
  }
  done = true;
  reader.join();
  follow();
  CHECK(rows_of(follower) == rows_of(table), follower.size(), table.size());
}

// Two writers train ids of their own for a while, check that they got exactly their own steps, and
// evict them; a third fills the holes with the others' rows, between their lookups and gradients.
void gradients_find_their_rows_among_other_writers() {
  constexpr int kLives = ROUNDS / 2, kSteps = 5;
  Threads::set_count(2);
  TableOptions o = even_rows();
  o.features = {{1, 0}};
  o.max_rows = 0;
  Table table(o);
  std::atomic<int> training = 2;
  std::vector<std::thread> writers;
  for (const std::int64_t base : {0, 1000}) {
    writers.emplace_back([&, base] {
      Ids ids(200);
      std::iota(ids.begin(), ids.end(), base);
      const std::vector<float> expected(ids.size() * kDim, 0.5F - 0.125F * kSteps);
      std::vector<float> out(expected.size());
      for (int life = 0; life < kLives; ++life) {
        for (int step = 0; step < kSteps; ++step) train_step(table, ids, 0, 0);
        table.lookup(ids, out.data(), kDim, {MissingPolicy::kError, nullptr});
        CHECK(out == expected, base, life);
        CHECK(table.evict(ids).ids == ids, base, life);
      }
      --training;
    });
  }
  while (training > 0) table.compact(kAll);
  for (std::thread& t : writers) t.join();
  CHECK(table.size() == 0 && table.counters().dropped_gradients == 0);
}

}  // namespace

int main() {
  return check::run({
      TEST(rows_are_never_seen_torn),
      TEST(a_cut_read_while_training_goes_on_shows_its_moment),
      TEST(changes_read_while_training_goes_on_are_the_table),
      TEST(gradients_find_their_rows_among_other_writers),
  });
}
