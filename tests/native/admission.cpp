// Which occurrence earns a row, by counts that are checked against a std::map.
#include "recsys_embed/admission.hpp"

#include <cmath>
#include <map>

#include "check.hpp"
#include "draw.hpp"

using namespace recsys_embed;

namespace {

struct Counted {
  std::uint32_t count, last_seen;
};

void check_equal(const IdCounts& counts, const std::map<std::int64_t, Counted>& expected) {
  std::map<std::int64_t, Counted> held;
  for (const IdCounts::Entry& e : counts.entries()) {
    if (e.count != 0) CHECK(held.emplace(e.id, Counted{e.count, e.last_seen}).second, e.id);
  }
  CHECK(held.size() == expected.size() && counts.size() == expected.size(), held.size(), expected.size());
  for (const auto& [id, e] : expected) {
    CHECK(held.contains(id), id);
    CHECK(held[id].count == e.count && held[id].last_seen == e.last_seen, id, held[id].count, e.count);
  }
}

void check_churn(std::int64_t range, std::size_t sweep) {
  constexpr std::uint32_t kTtl = 150;
  Draw draw(static_cast<std::uint64_t>(range) + sweep);
  IdCounts counts;
  std::map<std::int64_t, Counted> expected;
  for (std::uint32_t now = 100; now < 8100; ++now) {
    const auto is_old = [now](const Counted& e) { return now - e.last_seen >= kTtl; };
    const auto id = static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(range)));
    if (draw.chance(80)) {
      const auto seen = now - static_cast<std::uint32_t>(draw.below(20));
      Counted& e = expected.try_emplace(id, Counted{0, seen}).first->second;
      if (is_old(e)) e = {0, seen};
      e = {e.count + 1, std::max(e.last_seen, seen)};
      CHECK(counts.add(id, {seen, now, kTtl}) == e.count, id);
    } else {
      counts.forget(id);
      expected.erase(id);
    }
    if (now % 100 == 0) {
      for (std::size_t done = 0; done <= counts.entries().size(); done += sweep)
        counts.sweep(now, kTtl, sweep);
      std::erase_if(expected, [&](const auto& e) { return is_old(e.second); });
      check_equal(counts, expected);
    }
  }
}

void counts_are_those_of_a_map() {
  check_churn(10, 1000000);
  check_churn(400, 1000000);
  check_churn(400, 7);
  check_churn(5000, 1000000);
}

void one_whole_sweep_forgets_everything_old() {
  IdCounts counts;
  for (std::int64_t id = 0; id < 1000; ++id) counts.add(id, {id % 3 == 0 ? 50U : 10U, 50, 0});
  counts.sweep(110, 100, counts.entries().size());
  CHECK(counts.size() == 334, counts.size());
  for (const IdCounts::Entry& e : counts.entries()) CHECK(e.count == 0 || e.last_seen == 50, e.id);
  counts.sweep(49, 1, counts.entries().size());  // a clock behind the last occurrence makes nobody old
  CHECK(counts.size() == 334);
}

void restored_counts_go_on_where_they_were() {
  IdCounts counts;
  counts.restore({-7, 4, 99});
  counts.restore({8, 0xffffffffU, 5});
  counts.restore({9, 0, 5});  // which says nothing
  CHECK(counts.size() == 2);
  CHECK(counts.add(-7, {50, 50, 0}) == 5 && counts.add(8, {6, 6, 0}) == 0xffffffffU);
  check_equal(counts, {{-7, {5, 99}}, {8, {0xffffffffU, 6}}});
}

void a_sketch_never_counts_too_little() {
  Draw draw(2);
  CountSketch narrow(64, 3), wide(1 << 16, 4);
  std::map<std::int64_t, std::uint32_t> truth;
  std::size_t exact = 0;
  for (int i = 0; i < 5000; ++i) {
    const auto id = static_cast<std::int64_t>(draw.below(300));
    const std::uint32_t n = ++truth[id];
    CHECK(narrow.add(id) >= n, id);
    const std::uint32_t estimate = wide.add(id);
    CHECK(estimate >= n, id);
    exact += estimate == n;
  }
  CHECK(exact > 4950, exact);
}

constexpr IdCounts::Moment kNow{0, 0, 0};

AdmissionFilter filter_of(AdmissionKind kind, double probability = 1.0) {
  return {kind, 1 << 16, 4, probability, 12345};
}

// The whole rule: occurrence n is admitted iff n >= threshold, with n as the row's first count.
void the_nth_occurrence_is_admitted() {
  for (const AdmissionKind kind : {AdmissionKind::kExact, AdmissionKind::kSketch}) {
    for (std::uint32_t threshold = 0; threshold <= 6; ++threshold) {
      AdmissionFilter filter = filter_of(kind);
      const std::uint32_t wanted = std::max(threshold, 1U);
      for (std::uint32_t n = 1; n <= wanted; ++n) {
        const std::uint32_t count = filter.admit(42, threshold, kNow, 1, n);
        CHECK(count == (n < wanted ? 0 : n), threshold, n, count);
      }
      CHECK(filter.counts().size() == 0, threshold);
    }
  }
}

void an_admitted_id_starts_anew() {
  AdmissionFilter filter = filter_of(AdmissionKind::kExact);
  for (int round = 0; round < 3; ++round) {
    CHECK(filter.admit(1, 3, kNow, 1, 0) == 0 && filter.admit(1, 3, kNow, 1, 1) == 0);
    CHECK(filter.admit(1, 3, kNow, 1, 2) == 3, round);
  }
}

// A feature with threshold 1 admits an id that another had begun to count.
void admission_at_once_takes_the_count_with_it() {
  AdmissionFilter filter = filter_of(AdmissionKind::kExact);
  CHECK(filter.admit(1, 5, kNow, 1, 0) == 0 && filter.admit(1, 5, kNow, 1, 1) == 0);
  CHECK(filter.admit(1, 1, kNow, 1, 2) == 3);
  CHECK(filter.counts().size() == 0);
}

void luck_is_as_frequent_as_it_should_be_and_reproducible() {
  AdmissionFilter filter = filter_of(AdmissionKind::kProbabilistic, 0.2),
                  again = filter_of(AdmissionKind::kProbabilistic, 0.2);
  AdmissionFilter sure = filter_of(AdmissionKind::kProbabilistic, 1.0);
  double admitted = 0;
  constexpr int kDraws = 50000;
  for (int i = 0; i < kDraws; ++i) {
    const auto seq = static_cast<std::uint64_t>(i / 50), draw = static_cast<std::uint64_t>(i % 50);
    const std::uint32_t count = filter.admit(i % 7, 1, kNow, seq, draw);
    CHECK(count == again.admit(i % 7, 9, kNow, seq, draw) && count <= 1);
    CHECK(sure.admit(i % 7, 1, kNow, seq, draw) == 1);
    admitted += count;
  }
  CHECK(std::fabs(admitted - 0.2 * kDraws) < 5 * std::sqrt(0.16 * kDraws), admitted);
}

}  // namespace

int main() {
  return check::run({
      TEST(counts_are_those_of_a_map),
      TEST(one_whole_sweep_forgets_everything_old),
      TEST(restored_counts_go_on_where_they_were),
      TEST(a_sketch_never_counts_too_little),
      TEST(the_nth_occurrence_is_admitted),
      TEST(an_admitted_id_starts_anew),
      TEST(admission_at_once_takes_the_count_with_it),
      TEST(luck_is_as_frequent_as_it_should_be_and_reproducible),
  });
}
