// A cut shows the rows of its moment, whatever has become of them since.
#include <numeric>

#include "check.hpp"
#include "reading.hpp"
#include "recsys_embed/table.hpp"

using namespace recsys_embed;

namespace {

using Ids = std::vector<std::int64_t>;
constexpr std::size_t kAll = std::size_t{1} << 32;
constexpr std::uint32_t kDim = 3;

// n rows of ids 0 .. n with Adam's state, stepped once.
struct Trained {
  Table table{make_options()};
  Ids ids;

  static TableOptions make_options() {
    TableOptions o;
    o.segments = {
        {.dim = kDim, .optimizer = {OptimizerKind::kAdam, 0.0F, 0.9F, 0.999F, 1e-8F}, .initializer = {}}};
    o.features = {{1, 100}};
    return o;
  }
  explicit Trained(std::size_t n) : ids(n) {
    std::iota(ids.begin(), ids.end(), 0);
    train(ids);
    apply(ids);
  }
  void train(const Ids& which) {
    const FeatureSpan span{0, which.size(), 0};
    std::vector<std::uint32_t> rows(which.size());
    std::vector<float> out(which.size() * kDim);
    table.train_lookup(which, {&span, 1}, 50, rows.data(), out.data(), kDim, {});
  }
  void apply(const Ids& which) {
    const std::vector<float> grads(which.size() * kDim, 0.5F), lr{0.1F};
    table.apply_gradients(which, nullptr, 0, grads.data(), kDim, lr);
  }
  Ids every(std::size_t step, std::int64_t shift = 0) const {
    Ids out;
    for (std::size_t i = 0; i < ids.size(); i += step) out.push_back(ids[i] + shift);
    return out;
  }
};

void parts_make_up_the_whole() {
  for (const std::size_t n : {0, 1, 63, 64, 65, 1000}) {
    Trained t(n);
    t.table.evict(t.every(3));
    const ReferenceRows expected = rows_of(t.table);
    for (const std::size_t parts : {1, 2, 3, 7, 40}) {
      OpenCut open(t.table);
      ReferenceRows read;
      for (std::size_t part = 0; part < parts; ++part) {
        std::uint32_t row = open.cut->start_of(part, parts);
        const std::uint32_t last = open.cut->start_of(part + 1, parts);
        const std::size_t before = read.size(), promised = open.cut->count(row, last);
        while (row < last) row = open.read(row, last, 10, read);
        CHECK(read.size() - before == promised, n, parts, part);
      }
      CHECK(read == expected, n, parts);
    }
  }
}

using Change = void (*)(Trained&);
const Change kChanges[] = {
    [](Trained& t) { t.apply(t.ids); },
    [](Trained& t) { t.train(t.ids); },
    [](Trained& t) { t.train(t.every(2, 1000000)); },
    [](Trained& t) { t.table.assign(t.ids, std::vector<float>(t.ids.size() * kDim).data(), kDim, 60); },
    [](Trained& t) { t.table.evict(t.every(2)); },
    [](Trained& t) { t.table.evict(t.ids), t.table.compact(kAll); },
    [](Trained& t) { t.table.expire(150, kAll), t.table.compact(kAll); },
    [](Trained& t) { t.table.evict(t.every(2)), t.table.compact(kAll), t.train(t.every(2, 7)); },
    [](Trained& t) { t.table.evict(t.ids), t.train(t.ids); },
    [](Trained& t) {
      t.table.evict(t.ids), t.table.compact(kAll), t.train(t.every(1, 1)), t.apply(t.every(1, 1));
    },
};

// More rows than a chunk has: some changes give chunks back that the cut has not been read from.
void what_happens_after_the_cut_is_not_in_it() {
  for (const std::size_t n : {std::size_t{500}, std::size_t{RowStorage::kChunkRows + 5000}}) {
    for (const Change& change : kChanges) {
      Trained t(n);
      const ReferenceRows expected = rows_of(t.table);
      OpenCut open(t.table);
      ReferenceRows read;
      std::uint32_t row = open.read(0, open.cut->end(), n / 3, read);
      change(t);
      while (row < open.cut->end()) row = open.read(row, open.cut->end(), 1000, read);
      CHECK(read == expected, n, &change - kChanges);
    }
  }
}

template <class Call>
bool refuses(Call&& call) {
  try {
    call();
  } catch (const std::logic_error&) {
    return true;
  }
  return false;
}

// A snapshot that is being written does not hold up the changes, nor these one another.
void several_cuts_are_open_at_a_time() {
  for (const Change& change : kChanges) {
    Trained t(500);
    t.table.track_changes(true);
    const std::uint64_t start = t.table.seq();
    const ReferenceRows first = rows_of(t.table);
    OpenCut whole(t.table);
    t.apply(t.every(5));
    const ReferenceRows second = rows_of(t.table);
    OpenCut again(t.table), changes(t.table, start);
    ReferenceRows read_first, read_again, read_changes;
    std::uint32_t row = again.read(0, again.cut->end(), 100, read_again);
    change(t);
    again.read(row, again.cut->end(), 1000, read_again);
    changes.read(0, changes.cut->end(), 1000, read_changes);
    whole.read(0, whole.cut->end(), 1000, read_first);
    CHECK(read_first == first && read_again == second, &change - kChanges);
    CHECK(read_changes.size() == 100, read_changes.size());
    for (const auto& [id, r] : read_changes) CHECK(second.at(id) == r && id % 5 == 0, id);
  }
}

// Writers save nothing for a closed cut: its rows may be gone.
void a_closed_cut_is_read_no_more() {
  Trained t(1000);
  Facts facts;
  const auto cut = t.table.begin_cut(facts);
  t.table.end_cut(cut);
  t.table.evict(t.ids);
  t.table.compact(kAll);
  Block block(t.table.layout(), 1000);
  std::size_t n = 0;
  CHECK(refuses([&] { t.table.read_cut(*cut, 0, cut->end(), 1000, block.columns(), n); }));
  OpenCut another(t.table);
  CHECK(refuses([&] { t.table.read_cut(*cut, 0, cut->end(), 1000, block.columns(), n); }));
}

}  // namespace

int main() {
  return check::run({
      TEST(parts_make_up_the_whole),
      TEST(what_happens_after_the_cut_is_not_in_it),
      TEST(several_cuts_are_open_at_a_time),
      TEST(a_closed_cut_is_read_no_more),
  });
}
