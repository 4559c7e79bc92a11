// What changed after a moment, to whom it may be told, and what becomes of it in another table.
#include <numeric>
#include <set>

#include "check.hpp"
#include "reading.hpp"
#include "recsys_embed/table.hpp"

using namespace recsys_embed;

namespace {

using Ids = std::vector<std::int64_t>;
constexpr std::size_t kAll = std::size_t{1} << 32;

TableOptions plain() {
  TableOptions o;
  o.segments = {
      {.dim = 2, .optimizer = {OptimizerKind::kAdam, 0.0F, 0.9F, 0.999F, 1e-8F}, .initializer = {}}};
  o.features = {{1, 100}};
  return o;
}

void assign(Table& table, const Ids& ids, std::uint32_t now = 0) {
  table.assign(ids, std::vector<float>(ids.size() * 2, 1.0F).data(), 2, now);
}

Ids range(std::int64_t first, std::int64_t last) {
  Ids ids(static_cast<std::size_t>(last - first));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

struct Told {
  Ids ids, lost;
  std::vector<Reason> reasons;
};

Told changes(Table& table, std::uint64_t since) {
  OpenCut open(table, since);
  ReferenceRows rows;
  open.read(0, open.cut->end(), open.cut->count(0, open.cut->end()) + 1, rows);
  Told told;
  for (const auto& row : rows) told.ids.push_back(row.first);
  for (const Tombstone& t : open.lost) {
    told.lost.push_back(t.id);
    told.reasons.push_back(static_cast<Reason>(t.reason));
  }
  return told;
}

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

// Every call by which a row changes, and those by which it does not.
void whatever_changes_a_row_is_a_change() {
  Table table(plain());
  table.track_changes(true);
  assign(table, range(0, 100));
  const auto after = [&](auto&& call) {
    const std::uint64_t since = table.seq();
    call();
    return changes(table, since);
  };
  const FeatureSpan span{0, 3, 0};
  std::vector<std::uint32_t> rows(3);
  std::vector<float> out(6), lr{0.1F};
  CHECK(after([&] { assign(table, {3, 200}); }).ids == (Ids{3, 200}));
  CHECK(after([&] {
          table.train_lookup(Ids{5, 300, 5}, {&span, 1}, 0, rows.data(), out.data(), 2, {});
        }).ids == (Ids{5, 300}));
  CHECK(after([&] { table.apply_gradients(Ids{7, 8, 999}, nullptr, 0, out.data(), 2, lr); }).ids ==
        (Ids{7, 8}));
  const Told evicted = after([&] { table.evict(Ids{1, 2, 999}); });
  CHECK(evicted.ids.empty() && evicted.lost == (Ids{1, 2}) && evicted.reasons[0] == Reason::kDeleted);
  const Told moved = after([&] { table.compact(kAll); });
  CHECK(moved.ids.empty() && moved.lost.empty());
  const Told back = after([&] { table.evict(Ids{9, 10}), assign(table, {9}); });
  CHECK(back.ids == (Ids{9}) && back.lost == (Ids{10}));
  const Told expired = after([&] { assign(table, {11}, 100), table.expire(100, kAll); });
  CHECK(expired.ids == (Ids{11}) && expired.lost.size() == table.counters().expired);
  for (const Reason reason : expired.reasons) CHECK(reason == Reason::kExpired);
}

void the_last_reason_is_told_once() {
  Table table(plain());
  table.track_changes(true);
  assign(table, {1, 2});
  table.evict(Ids{1, 2});
  assign(table, {1});
  table.expire(100, kAll);
  const Told told = changes(table, 0);
  CHECK(told.lost == (Ids{2, 1}) && told.reasons == (std::vector{Reason::kDeleted, Reason::kExpired}));
}

void rows_are_looked_through_whatever_their_number() {
  for (const std::int64_t n : {1, 63, 64, 65, 65535, 65536, 65537, 140000}) {
    Table table(plain());
    table.track_changes(true);
    assign(table, range(0, n));
    CHECK(changes(table, 0).ids == range(0, n), n);
    const std::uint64_t since = table.seq();
    CHECK(changes(table, since).ids.empty(), n);
    const Ids some{0, n / 2, n - 1};
    assign(table, some);
    CHECK(changes(table, since).ids.back() == n - 1, n);
    CHECK(changes(table, since).ids.size() == std::set<std::int64_t>(some.begin(), some.end()).size(), n);
  }
}

// Rows that a writer gets hold of before they are looked through count as they were.
void what_changes_while_rows_are_looked_through_is_told_as_it_was() {
  constexpr std::uint32_t kRows = 200, kMoment = 10;
  std::vector<RowHeader> rows(kRows);
  for (std::uint32_t r = 0; r < kRows; ++r) rows[r].set_seq(r % 2 == 0 ? kMoment : 1);
  const auto at = [&](std::uint32_t row) { return reinterpret_cast<const std::byte*>(&rows[row]); };
  constexpr std::uint64_t kAll64 = ~std::uint64_t{0};
  Cut cut({kAll64, kAll64, kAll64, 0xff}, kRows, sizeof(RowHeader), 1);
  const auto write = [&](std::uint32_t row) { cut.preserve(row, at(row)), rows[row].set_seq(kMoment + 1); };
  for (std::uint32_t r = 0; r < kRows; r += 3) write(r);
  cut.leave_out_unchanged(0, 128, at);
  for (std::uint32_t r = 0; r < kRows; r += 5) write(r);
  cut.leave_out_unchanged(128, kRows, at);
  for (std::uint32_t r = 0; r < kRows; r += 7) write(r);
  CHECK(cut.count(0, kRows) == kRows / 2, cut.count(0, kRows));
  std::size_t seen = 0;
  cut.visit(0, kRows, kRows, at, [&](const std::byte* row) {
    CHECK(header_of(row).seq() == kMoment, header_of(row).seq());
    ++seen;
  });
  CHECK(seen == kRows / 2, seen);
}

void a_cursor_is_refused_where_changes_are_not_known() {
  Table table(plain());
  const auto refused = [&](std::uint64_t since) { return refusal([&] { changes(table, since); }); };
  assign(table, {1});
  CHECK(refused(1).find("not tracked") != std::string::npos);
  table.track_changes(true);
  CHECK(refused(0).find("up to 1 are not known") != std::string::npos);
  CHECK(refused(2).find("the table has come to 1") != std::string::npos);
  table.evict(Ids{1});
  table.track_changes(true);
  CHECK(changes(table, 1).lost == (Ids{1}));
  assign(table, {1, 2}), table.evict(Ids{2});
  table.forget_changes(3);
  CHECK(refused(2) != "" && changes(table, 3).lost == (Ids{2}));
  table.forget_changes(1);
  CHECK(changes(table, 3).lost == (Ids{2}));
  table.forget_changes(kAll << 16);
  CHECK(refused(3) != "" && changes(table, 4).lost.empty());
  table.track_changes(false);
  table.track_changes(true);
  CHECK(changes(table, 4).ids.empty());
  Block block(table.layout(), 0);
  CHECK(refusal([&] { table.restore_rows(0, block.columns()); }) != "");
  CHECK(refusal([&] { table.restore_meta(9, 0, {}); }) != "" && table.seq() == 4);
}

// A table that takes changes from another passes them on.
void changes_travel_through_several_tables() {
  Table first(plain()), second(plain()), third(plain());
  first.track_changes(true);
  second.track_changes(true);
  assign(first, range(0, 10));
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t cursors[] = {second.seq(), third.seq()};
    assign(first, {round, 100 + round});
    first.evict(Ids{5 + round});
    Table* tables[] = {&first, &second, &third};
    for (const int k : {0, 1}) {
      OpenCut open(*tables[k], cursors[k]);
      ReferenceRows rows;
      open.read(0, open.cut->end(), 100, rows);
      apply(*tables[k + 1], rows, open.lost, open.facts);
    }
    CHECK(rows_of(third) == rows_of(first) && third.seq() == first.seq(), round);
  }
}

void unfit_changes_are_refused_whole() {
  Table table(plain());
  assign(table, {1, 2});
  const std::uint64_t before = fingerprint(table);
  ReferenceRows rows = rows_of(table);
  rows.at(1).feature = 1;
  const std::vector<Tombstone> lost{{2, 3, 1}};
  CHECK(refusal([&] { apply(table, rows, lost, {9, 0, {}, {}, {}}); }).find("feature") != std::string::npos);
  CHECK(refusal([&] { apply(table, {}, lost, {0, 0, {}, {}, {}}); }).find("further") != std::string::npos);
  CHECK(refusal([&] { apply(table, {}, lost, {9, 0, {}, {}, {1, 2}}); }).find("sketch") != std::string::npos);
  CHECK(fingerprint(table) == before && table.seq() == 1);
}

// The rows that a call replaces and removes are saved for those who read an older moment.
void cuts_show_what_was_before_the_changes() {
  Table table(plain()), other(plain());
  assign(table, range(0, 3000));
  const ReferenceRows before = rows_of(table);
  OpenCut open(table);
  assign(other, range(1000, 5000), 7);
  ReferenceRows rows = rows_of(other);
  for (auto& [id, row] : rows) row.seq = 2;
  std::vector<Tombstone> lost;
  for (const std::int64_t id : range(0, 1000)) lost.push_back({id, 2, 1});
  apply(table, rows, lost, {2, 7, {}, {}, {}});
  table.compact(kAll);
  CHECK(rows_of(table) == rows);
  ReferenceRows read;
  open.read(0, open.cut->end(), 10000, read);
  CHECK(read == before, read.size());
}

}  // namespace

int main() {
  return check::run({
      TEST(whatever_changes_a_row_is_a_change),
      TEST(the_last_reason_is_told_once),
      TEST(rows_are_looked_through_whatever_their_number),
      TEST(what_changes_while_rows_are_looked_through_is_told_as_it_was),
      TEST(a_cursor_is_refused_where_changes_are_not_known),
      TEST(changes_travel_through_several_tables),
      TEST(unfit_changes_are_refused_whole),
      TEST(cuts_show_what_was_before_the_changes),
  });
}
