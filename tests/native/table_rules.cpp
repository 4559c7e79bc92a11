// What a table promises about admission, forgetting, sweeping, memory and refusals, case by case.
#include <algorithm>
#include <numeric>
#include <set>

#include "check.hpp"
#include "reading.hpp"
#include "recsys_embed/parallel.hpp"
#include "recsys_embed/table.hpp"

using namespace recsys_embed;

namespace {

using Ids = std::vector<std::int64_t>;
constexpr std::size_t kAll = std::size_t{1} << 32;

TableOptions options(std::vector<FeatureRule> features, std::uint32_t dim = 2) {
  TableOptions o;
  o.segments = {{.dim = dim, .optimizer = {}, .initializer = {InitKind::kUniform, -1.0F, 1.0F}}};
  o.features = std::move(features);
  return o;
}

struct Answer {
  std::vector<std::uint32_t> rows;
  std::vector<float> values;
  Evicted evicted;
};

// An unpooled training lookup of one feature; ids without a row read zeros.
Answer train(Table& table, const Ids& ids, std::uint32_t now = 0, std::uint16_t feature = 0) {
  const std::size_t dim = table.layout().dim;
  Answer a{std::vector<std::uint32_t>(ids.size()), std::vector<float>(ids.size() * dim), {}};
  const std::vector<float> zeros(dim);
  const FeatureSpan span{0, ids.size(), feature};
  a.evicted = table.train_lookup(ids, {&span, 1}, now, a.rows.data(), a.values.data(), dim,
                                 {MissingPolicy::kVector, zeros.data()});
  return a;
}

bool holds(const Table& table, std::int64_t id) {
  bool held = false;
  table.contains({&id, 1}, &held);
  return held;
}

Ids sequence(std::size_t n, std::int64_t first = 0) {
  Ids ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

// Six occurrences, cut into calls in each of the 32 ways: the n-th earns the row, no other.
void the_nth_occurrence_earns_the_row_however_calls_are_cut() {
  for (std::uint32_t threshold = 0; threshold <= 6; ++threshold) {
    for (unsigned cuts = 0; cuts < 32; ++cuts) {
      Table table(options({{threshold, 0}}));
      std::vector<std::uint32_t> rows;
      for (unsigned at = 0, call = 0; at < 6; at = call) {
        while (++call < 6 && (cuts >> (call - 1) & 1) == 0) {
        }
        const Answer a = train(table, Ids(call - at, 42));
        rows.insert(rows.end(), a.rows.begin(), a.rows.end());
        for (std::size_t i = 0; i < a.rows.size(); ++i)
          CHECK((a.rows[i] == kNoRow) == (a.values[2 * i] == 0), i);
      }
      for (unsigned n = 1; n <= 6; ++n)
        CHECK((rows[n - 1] != kNoRow) == (n >= threshold), threshold, cuts, n);
      CHECK(table.counters().filtered == std::max(threshold, 1U) - 1 && table.counters().admitted == 1);
      CHECK(rows_of(table).at(42).count == 6, threshold);
    }
  }
}

void a_count_is_forgotten_after_the_longest_time_to_live() {
  Table table(options({{3, 100}, {3, 50}}));
  train(table, {7, 7}, 1000);
  train(table, {8, 8}, 1001);
  train(table, {7, 8}, 1100);  // the count of 7 is 100 old, that of 8 only 99
  CHECK(!holds(table, 7) && holds(table, 8));
  train(table, {7}, 1199);
  CHECK(!holds(table, 7));
  train(table, {7}, 1200);
  CHECK(holds(table, 7));
}

void a_count_is_never_forgotten_if_some_feature_waits_for_ever() {
  Table table(options({{2, 10}, {1, 0}}));
  train(table, {7}, 10);
  table.expire(4000000000, kAll);
  train(table, {7}, 4000000000);
  CHECK(holds(table, 7));
}

void expiry_forgets_every_old_count_at_once() {
  Table table(options({{9, 100}}));
  train(table, sequence(5000), 10);
  train(table, sequence(10, 9000), 60);
  table.expire(110, kAll);
  CHECK(OpenCut(table).facts.filter_counts.size() == 10);
}

void an_evicted_id_waits_anew() {
  Table table(options({{3, 0}}));
  train(table, {5, 5, 5});
  CHECK(table.evict(Ids{5, 5}).ids == Ids{5});
  train(table, {5, 5});
  table.evict(Ids{5});  // which forgets the count as well
  train(table, {5, 5});
  CHECK(!holds(table, 5));
  train(table, {5});
  CHECK(holds(table, 5));
}

void the_feature_that_keeps_a_row_longest_decides() {
  Table table(options({{1, 10}, {1, 50}, {1, 0}}));
  train(table, {1, 2, 3}, 100, 0);
  train(table, {2, 3}, 100, 1);
  train(table, {3}, 100, 2);
  train(table, {2}, 100, 0);
  CHECK(table.expire(109, kAll).ids.empty());
  CHECK(table.expire(110, kAll).ids == Ids{1});
  CHECK(table.expire(149, kAll).ids.empty());
  CHECK(table.expire(4000000000, kAll).ids == Ids{2});
  CHECK(holds(table, 3));
}

void a_sweep_examines_what_it_may_and_comes_to_everything() {
  Table table(options({{1, 10}}));
  train(table, sequence(1000), 0);
  std::set<std::int64_t> lost;
  for (int call = 0; call < 100; ++call) {
    const Evicted e = table.expire(10, 10);
    CHECK(e.ids.size() == 10, call);
    lost.insert(e.ids.begin(), e.ids.end());
  }
  CHECK(lost.size() == 1000 && table.size() == 0);
}

void a_training_call_sweeps_some_rows_as_well() {
  TableOptions o = options({{1, 10}});
  o.sweep_rows = 25;
  Table table(o);
  train(table, sequence(100), 0);
  std::size_t lost = 0;
  for (int call = 0; call < 4; ++call) lost += train(table, {}, 10).evicted.ids.size();
  CHECK(lost == 100 && table.size() == 0, lost);
}

void a_table_exceeds_its_budget_by_one_batch_at_most() {
  TableOptions o = options({{1, 0}});
  o.max_rows = 1000;
  Table table(o);
  for (std::int64_t batch = 0; batch < 20; ++batch) {
    const Answer a = train(table, sequence(300, 300 * batch));
    CHECK(table.size() <= 1300, table.size());
    CHECK(a.evicted.ids.empty() || table.size() == 1000 - 1000 / 16 + 300, table.size());
    CHECK(std::all_of(a.rows.begin(), a.rows.end(), [](std::uint32_t r) { return r != kNoRow; }));
  }
}

void memory_goes_back_when_rows_go() {
  Table table(options({{1, 10}}, 16));
  train(table, sequence(150000), 0);
  const ReferenceRows before = rows_of(table);
  const std::size_t full = table.bytes(), full_index = table.index_bytes();
  train(table, sequence(1000, 149000), 5);
  CHECK(table.expire(10, kAll).ids.size() == 149000);
  CHECK(table.compact(10) == 10 && table.compact(kAll) == 990);
  CHECK(table.bytes() < full / 50 && table.index_bytes() < full_index / 50, table.bytes(), full);
  for (const auto& [id, row] : rows_of(table))
    CHECK(id >= 149000 && row.weights == before.at(id).weights, id);
  table.expire(15, kAll);
  table.compact(kAll);
  CHECK(table.size() == 0 && table.bytes() < full / 200, table.bytes(), full);
}

void a_strict_lookup_names_missing_ids_and_answers_nothing() {
  Table table(options({{1, 0}}));
  train(table, {1, 2});
  std::vector<float> out(20, 7.0F);
  try {
    table.lookup(Ids{1, 50, 2, 60, 50, 70, 80, 90, 100}, out.data(), 2, {MissingPolicy::kError, nullptr});
    CHECK(false);
  } catch (const MissingIds& missing) {
    CHECK((missing.ids == Ids{50, 60, 50, 70, 80} && missing.total == 7), missing.total);
  }
  CHECK(out == std::vector<float>(20, 7.0F));
  table.lookup(Ids{2, 1}, out.data(), 2, {MissingPolicy::kError, nullptr});
  CHECK(table.lookups() == 4 && table.hits() == 2, table.lookups(), table.hits());
}

template <class Error, class Call>
bool refuses(Call&& call) {
  try {
    call();
  } catch (const Error&) {
    return true;
  }
  return false;
}

void a_block_is_restored_whole_or_not_at_all() {
  Table table(options({{1, 0}}));
  train(table, {3});
  const std::uint64_t before = fingerprint(table);
  const ReferenceRow row{{1, 2}, {}, 5, 1, 0, 1};
  ReferenceRow strange = row;
  strange.feature = 1;
  Block twice(table.layout(), 2);
  twice.ids = {8, 8};
  CHECK(refuses<std::invalid_argument>([&] { restore(table, {{2, row}, {3, row}}, {}); }));
  CHECK(refuses<std::invalid_argument>([&] { restore(table, {{2, row}, {4, strange}}, {}); }));
  CHECK(refuses<std::invalid_argument>([&] { table.restore_rows(2, twice.columns()); }));
  CHECK(fingerprint(table) == before);
  restore(table, {{2, row}, {4, row}}, {});
  CHECK(table.size() == 3 && rows_of(table).at(4) == row);
}

void a_sketch_is_restored_cell_by_cell() {
  TableOptions o = options({{3, 0}});
  o.admission = AdmissionKind::kSketch;
  o.sketch_width = 1024;
  o.sketch_depth = 2;
  Table table(o), again(o);
  train(table, {7, 7, 8});
  const Facts facts = OpenCut(table).facts;
  again.restore_sketch(facts.filter_cells);
  train(again, {7, 8});
  CHECK(holds(again, 7) && !holds(again, 8));
  CHECK(facts.filter_counts.empty() && facts.filter_cells.size() == 2048);
  CHECK(refuses<std::invalid_argument>([&] { again.restore_sketch({facts.filter_cells.data(), 2047}); }));
}

void an_id_begins_as_any_table_of_the_same_key_says() {
  Table table(options({{1, 0}})), never_trained(options({{1, 0}}));
  const Ids ids{5, -5, 5};
  const Answer a = train(table, ids);
  std::vector<float> out(6), read(6);
  never_trained.initial_values(ids, out.data());
  never_trained.lookup(ids, read.data(), 2, {});
  CHECK(out == a.values && out == read && never_trained.size() == 0);
}

void many_rows_are_made_alike_by_any_number_of_threads() {
  std::uint64_t prints[3];
  for (const std::size_t threads : {1, 2, 3}) {
    Threads::set_count(threads);
    Table table(options({{1, 0}}, 5));
    for (int round = 0; round < 3; ++round) {
      Ids ids = sequence(40000, 10000 * round);
      ids.insert(ids.end(), ids.begin(), ids.begin() + 9000);
      const Answer a = train(table, ids);
      const std::vector<float> grads(5 * ids.size(), 0.01F), lr{0.5F};
      table.apply_gradients(ids, a.rows.data(), a.evicted.moves, grads.data(), 5, lr);
      table.evict(sequence(3000, 5000 * round));
    }
    prints[threads - 1] = fingerprint(table);
  }
  CHECK(prints[0] == prints[1] && prints[0] == prints[2]);
}

}  // namespace

int main() {
  return check::run({
      TEST(the_nth_occurrence_earns_the_row_however_calls_are_cut),
      TEST(a_count_is_forgotten_after_the_longest_time_to_live),
      TEST(a_count_is_never_forgotten_if_some_feature_waits_for_ever),
      TEST(expiry_forgets_every_old_count_at_once),
      TEST(an_evicted_id_waits_anew),
      TEST(the_feature_that_keeps_a_row_longest_decides),
      TEST(a_sweep_examines_what_it_may_and_comes_to_everything),
      TEST(a_training_call_sweeps_some_rows_as_well),
      TEST(a_table_exceeds_its_budget_by_one_batch_at_most),
      TEST(memory_goes_back_when_rows_go),
      TEST(a_strict_lookup_names_missing_ids_and_answers_nothing),
      TEST(a_block_is_restored_whole_or_not_at_all),
      TEST(a_sketch_is_restored_cell_by_cell),
      TEST(an_id_begins_as_any_table_of_the_same_key_says),
      TEST(many_rows_are_made_alike_by_any_number_of_threads),
  });
}
