// Random operations on a table and on a std::map: every answer and every stored bit must agree, and
// nothing may depend on the number of threads.
#include <array>
#include <deque>
#include <optional>

#include "check.hpp"
#include "draw.hpp"
#include "reading.hpp"
#include "recsys_embed/parallel.hpp"
#include "recsys_embed/table.hpp"
#include "reference_table.hpp"

using namespace recsys_embed;

namespace {

using Ids = std::vector<std::int64_t>;
constexpr std::size_t kAll = std::size_t{1} << 32;

struct Plan {
  const char* name;
  TableOptions options;
  std::uint64_t range;  // of the ids
  int steps;
};

const Initializer kUniform{InitKind::kUniform, -0.5F, 0.5F};
const Initializer kNormal{InitKind::kNormal, 0.0F, 0.1F};

Plan budgeted(int steps) {
  TableOptions o;
  o.segments = {
      {.dim = 3,
       .optimizer = {OptimizerKind::kRowwiseAdagrad, 0.0F, 0.1F, 1e-8F, 0.0F},
       .initializer = kUniform},
      {.dim = 5, .optimizer = {OptimizerKind::kAdam, 0.0F, 0.9F, 0.999F, 1e-8F}, .initializer = kNormal}};
  o.features = {{0, 90}, {2, 30}, {5, 60}};
  o.max_rows = 600;
  o.key = 1;
  return {"budget, exact expiry", o, 3000, steps};
}

Plan swept(int steps) {
  TableOptions o;
  o.segments = {
      {.dim = 16, .optimizer = {OptimizerKind::kFtrl, 0.0F, 0.001F, 0.1F, 1.0F}, .initializer = kUniform},
      {.dim = 2, .optimizer = {OptimizerKind::kAdagrad, 0.05F, 0.1F, 1e-8F, 0.0F}, .initializer = kNormal}};
  o.features = {{1, 40}, {3, 0}, {2, 20}};
  o.sweep_rows = 40;
  o.key = 2;
  return {"incremental expiry", o, 8000, steps};
}

Plan least_frequent(int steps) {
  TableOptions o;
  o.segments = {{.dim = 1, .optimizer = {}, .initializer = {InitKind::kConstant, 0.25F, 0.0F}}};
  o.features = {{2, 0}};
  o.max_rows = 150;
  o.victims = Victims::kLeastFrequent;
  return {"least frequent", o, 400, steps};
}

struct Handle {
  Ids ids;
  std::vector<std::uint32_t> rows;
  std::vector<bool> has_row;
  std::uint64_t moves;
};

struct ReadingCut {
  OpenCut open;
  ReferenceRows expected, read;
  std::uint32_t row = 0;
};

// Who follows the table: a table of its own, brought up to date by changes, and what it waits for.
struct Follower {
  std::unique_ptr<Table> table;
  std::uint64_t cursor = 0;
  std::unique_ptr<ReadingCut> changes;
  ReferenceRows expected;
};

class Walk {
 public:
  Walk(const Plan& plan, std::uint64_t seed)
      : plan_(plan), draw_(seed), table_(std::make_unique<Table>(plan.options)), reference_(plan.options) {
    table_->track_changes(true);
    for (Follower& f : followers_) f.table = std::make_unique<Table>(plan.options);
  }

  // The fingerprints of the table along the way.
  std::vector<std::uint64_t> run() {
    std::vector<std::uint64_t> prints;
    for (int step = 0; step < plan_.steps; ++step) {
      take_step();
      CHECK(table_->size() == reference_.rows.size(), plan_.name, step);
      if (step % 500 == 0) check_everything(), prints.push_back(fingerprint(*table_));
    }
    check_everything();
    prints.push_back(fingerprint(*table_));
    return prints;
  }

 private:
  void take_step() {
    const std::uint64_t choice = draw_.below(1000);
    if (choice < 350) return draw_.chance(50) ? train() : train_pooled();
    if (choice < 600) return apply_handle();
    if (choice < 680) return draw_.chance(50) ? apply_by_id() : apply_pooled_by_id();
    if (choice < 780) return draw_.chance(50) ? look_up() : look_up_pooled();
    if (choice < 830) return assign();
    if (choice < 870) return evict();
    if (choice < 910) return expire();
    if (choice < 930) return enforce_budget();
    if (choice < 950) return static_cast<void>(table_->compact(draw_.chance(50) ? draw_.below(30) : kAll));
    if (choice < 970) return go_on_with_cut();
    if (choice < 996) return go_on_with_changes(followers_[draw_.below(followers_.size())]);
    if (choice < 998) return forget_changes();
    return restart();
  }

  // Mostly few ids, sometimes enough for several threads; popular ids more often than others.
  Ids ids() {
    Ids out(draw_.chance(1) ? 2100 + draw_.below(1500) : draw_.below(25));
    for (auto& id : out) {
      const std::uint64_t range = draw_.chance(40) ? 40 : plan_.range;
      id = static_cast<std::int64_t>(draw_.below(range)) - 20;
      if (draw_.chance(2)) id = std::numeric_limits<std::int64_t>::min() + id + 20;
    }
    return out;
  }
  std::uint16_t feature() { return static_cast<std::uint16_t>(draw_.below(plan_.options.features.size())); }
  // Time goes on slowly, and events may come late.
  std::uint32_t time() {
    const std::uint32_t now =
        reference_.clock + static_cast<std::uint32_t>(draw_.chance(20) ? draw_.below(4) : 0);
    return draw_.chance(10) ? now - std::min(now, static_cast<std::uint32_t>(draw_.below(50))) : now;
  }
  std::vector<float> rates() {
    std::vector<float> out(plan_.options.segments.size());
    for (float& lr : out) lr = 0.001F * static_cast<float>(1 + draw_.below(100));
    return out;
  }
  // Feature-major bags over n ids, as many for each feature.
  std::vector<std::int64_t> offsets(std::size_t n, std::size_t batch) {
    std::vector<std::int64_t> out(batch * plan_.options.features.size() + 1, static_cast<std::int64_t>(n));
    for (std::size_t b = 0; b + 1 < out.size(); ++b) out[b] = static_cast<std::int64_t>(draw_.below(n + 1));
    out[0] = 0;
    std::sort(out.begin(), out.end());
    return out;
  }

  void train() {
    const Ids batch = ids();
    const std::uint32_t now = time();
    const FeatureSpan span{0, batch.size(), feature()};
    std::vector<std::uint32_t> rows(batch.size());
    const std::size_t dim = dimension(), stride = dim + draw_.below(3);
    std::vector<float> out(batch.size() * stride), zeros(dim);
    const bool initial = draw_.chance(50);
    const Missing missing{initial ? MissingPolicy::kInitial : MissingPolicy::kVector, zeros.data()};
    const Evicted told =
        table_->train_lookup(batch, {&span, 1}, now, rows.data(), out.data(), stride, missing);
    const auto has_row = reference_.train(batch, {span}, now, told);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto expected = has_row[i] ? reference_.read(batch[i])
                            : initial  ? reference_.initial(batch[i])
                                       : zeros;
      CHECK(std::equal(expected.begin(), expected.end(), &out[i * stride]), plan_.name, batch[i]);
    }
    keep(batch, rows, has_row, told.moves);
  }

  void train_pooled() {
    const Ids batch = ids();
    const std::uint32_t now = time();
    const std::size_t size = 1 + draw_.below(8), features = plan_.options.features.size();
    const auto at = offsets(batch.size(), size);
    std::vector<FeatureSpan> spans;
    for (std::size_t f = 0; f < features; ++f) {
      spans.push_back({static_cast<std::size_t>(at[f * size]), static_cast<std::size_t>(at[(f + 1) * size]),
                       static_cast<std::uint16_t>(features - 1 - f)});
    }
    std::vector<std::uint32_t> rows(batch.size());
    std::vector<float> out(size * features * dimension());
    const auto weights = draw_.reals(batch.size());
    const Bags bags{at.data(), at.size() - 1, draw_.chance(50) ? weights.data() : nullptr,
                    draw_.chance(50) ? Pooling::kMean : Pooling::kSum};
    const BagOutput to{out.data(), features * dimension(), size};
    const Evicted told = table_->train_lookup_pooled(batch, spans, now, rows.data(), bags, to, {});
    const auto has_row = reference_.train(batch, spans, now, told);
    check_pooled(batch, bags, to, [&](std::size_t i) {
      return has_row[i] ? reference_.read(batch[i]) : reference_.initial(batch[i]);
    });
    keep(batch, rows, has_row, told.moves);
  }

  template <class Read>
  void check_pooled(const Ids& batch, const Bags& bags, const BagOutput& out, Read&& read) {
    CHECK(bags.offsets[bags.count] == static_cast<std::int64_t>(batch.size()));
    for (std::size_t bag = 0; bag < bags.count; ++bag) {
      std::vector<float> total(dimension());
      const auto begin = static_cast<std::size_t>(bags.offsets[bag]),
                 end = static_cast<std::size_t>(bags.offsets[bag + 1]);
      for (std::size_t i = begin; i < end; ++i) {
        const auto x = read(i);
        for (std::size_t d = 0; d < x.size(); ++d)
          total[d] += bags.weights == nullptr ? x[d] : bags.weights[i] * x[d];
      }
      for (float& x : total) x = bags.pooling == Pooling::kMean && begin < end ? x * share(begin, end) : x;
      CHECK(std::equal(total.begin(), total.end(), out.at(bag, dimension())), plan_.name, bag);
    }
  }

  static float share(std::size_t begin, std::size_t end) { return 1.0F / static_cast<float>(end - begin); }

  void keep(const Ids& batch, const std::vector<std::uint32_t>& rows, const std::vector<bool>& has_row,
            std::uint64_t moves) {
    for (std::size_t i = 0; i < batch.size(); ++i)
      CHECK((rows[i] != kNoRow) == has_row[i], plan_.name, batch[i]);
    handles_.push_back({batch, rows, has_row, moves});
    if (handles_.size() > 4) handles_.pop_front();
  }

  // The handle of some earlier lookup: its rows may have moved, gone, or come back as others.
  void apply_handle() {
    if (handles_.empty()) return;
    const auto at = handles_.begin() + static_cast<std::ptrdiff_t>(draw_.below(handles_.size()));
    const Handle handle = *at;
    handles_.erase(at);
    draw_.chance(50) ? apply(handle.ids, handle.rows.data(), handle.has_row, handle.moves)
                     : apply_pooled(handle.ids, handle.rows.data(), handle.has_row, handle.moves);
  }
  void apply_by_id() {
    const Ids batch = ids();
    apply(batch, nullptr, std::vector<bool>(batch.size(), true), 0);
  }
  void apply_pooled_by_id() {
    const Ids batch = ids();
    apply_pooled(batch, nullptr, std::vector<bool>(batch.size(), true), 0);
  }

  void apply(const Ids& batch, const std::uint32_t* rows, const std::vector<bool>& has_row,
             std::uint64_t moves) {
    const std::size_t dim = dimension(), stride = dim + draw_.below(3);
    const auto grads = draw_.reals(batch.size() * stride);
    const auto lr = rates();
    table_->apply_gradients(batch, rows, moves, grads.data(), stride, lr);
    std::vector<std::vector<float>> each;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      each.emplace_back(grads.data() + i * stride, grads.data() + i * stride + dim);
    }
    reference_.apply(batch, has_row, each, lr);
  }

  void apply_pooled(const Ids& batch, const std::uint32_t* rows, const std::vector<bool>& has_row,
                    std::uint64_t moves) {
    const std::size_t size = 1 + draw_.below(8), features = plan_.options.features.size();
    const auto at = offsets(batch.size(), size);
    auto grads = draw_.reals(size * features * dimension());
    const auto weights = draw_.reals(batch.size());
    const auto lr = rates();
    const Bags bags{at.data(), at.size() - 1, draw_.chance(50) ? weights.data() : nullptr,
                    draw_.chance(50) ? Pooling::kMean : Pooling::kSum};
    const BagOutput from{grads.data(), features * dimension(), size};
    table_->apply_pooled_gradients(batch, rows, moves, bags, from, lr);
    std::vector<std::vector<float>> each(batch.size(), std::vector<float>(dimension()));
    for (std::size_t bag = 0; bag < bags.count; ++bag) {
      const auto begin = static_cast<std::size_t>(at[bag]), end = static_cast<std::size_t>(at[bag + 1]);
      const float part = bags.pooling == Pooling::kMean && begin < end ? share(begin, end) : 1.0F;
      for (std::size_t i = begin; i < end; ++i) {
        const float scale = bags.weights == nullptr ? part : part * weights[i];
        for (std::size_t d = 0; d < dimension(); ++d) each[i][d] = scale * from.at(bag, dimension())[d];
      }
    }
    reference_.apply(batch, has_row, each, lr);
  }

  void look_up() {
    const Ids batch = ids();
    std::vector<float> out(batch.size() * dimension());
    table_->lookup(batch, out.data(), dimension(), {});
    const std::unique_ptr<bool[]> held(new bool[batch.size()]);
    table_->contains(batch, held.get());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto expected = reference_.read(batch[i]);
      CHECK(std::equal(expected.begin(), expected.end(), &out[i * dimension()]), plan_.name, batch[i]);
      CHECK(held[i] == reference_.rows.contains(batch[i]), plan_.name, batch[i]);
    }
  }

  void look_up_pooled() {
    const Ids batch = ids();
    const std::size_t size = 1 + draw_.below(8), features = plan_.options.features.size();
    const auto at = offsets(batch.size(), size);
    std::vector<float> out(size * features * dimension());
    const Bags bags{at.data(), at.size() - 1, nullptr, Pooling::kSum};
    const BagOutput to{out.data(), features * dimension(), size};
    table_->lookup_pooled(batch, bags, to, {});
    check_pooled(batch, bags, to, [&](std::size_t i) { return reference_.read(batch[i]); });
  }

  void assign() {
    const Ids batch = ids();
    const std::uint32_t now = time();
    const auto values = draw_.reals(batch.size() * dimension());
    table_->assign(batch, values.data(), dimension(), now);
    reference_.assign(batch, values, now);
  }

  void evict() {
    const Ids batch = ids();
    const Evicted told = table_->evict(batch);
    CHECK(told.ids == reference_.evict(batch), plan_.name);
  }

  void expire() {
    const bool whole = draw_.chance(30);
    const std::uint32_t now = reference_.clock + static_cast<std::uint32_t>(whole ? draw_.below(20) : 0);
    const Evicted told = table_->expire(now, whole ? kAll : draw_.below(200));
    reference_.expire(now, whole, told);
  }

  void enforce_budget() {
    const Evicted told = table_->enforce_budget();
    CHECK(told.ids == reference_.enforce_budget(), plan_.name);
  }

  void go_on_with_cut() {
    if (!cut_) {
      cut_.reset(new ReadingCut{.open = OpenCut(*table_), .expected = reference_.rows, .read = {}});
      check_facts(cut_->open.facts);
    } else if (cut_->row < cut_->open.cut->end()) {
      cut_->row = cut_->open.read(cut_->row, cut_->open.cut->end(), 1 + draw_.below(300), cut_->read);
    } else {
      CHECK(cut_->read == cut_->expected, plan_.name, cut_->read.size(), cut_->expected.size());
      cut_.reset();
    }
  }

  void go_on_with_changes(Follower& f) {
    if (!f.changes) {
      f.changes.reset(new ReadingCut{
          .open = OpenCut(*table_, f.cursor), .expected = reference_.rows_after(f.cursor), .read = {}});
      f.expected = reference_.rows;
      check_facts(f.changes->open.facts);
      check_lost(f);
    } else if (f.changes->row < f.changes->open.cut->end()) {
      ReadingCut& c = *f.changes;
      c.row = c.open.read(c.row, c.open.cut->end(), 1 + draw_.below(300), c.read);
    } else {
      const ReadingCut& c = *f.changes;
      CHECK(c.read == c.expected, plan_.name, c.read.size(), c.expected.size());
      CHECK(c.open.cut->count(0, c.open.cut->end()) == c.read.size(), plan_.name);
      for (const int again : {0, 1}) {
        ::apply(*f.table, c.read, c.open.lost, c.open.facts);
        CHECK(rows_of(*f.table) == f.expected, plan_.name, f.cursor, again);
        CHECK(waiting_in(OpenCut(*f.table).facts) == waiting_in(c.open.facts), plan_.name, f.cursor);
      }
      CHECK(f.table->clock() == c.open.facts.clock && f.table->seq() == c.open.facts.seq, plan_.name);
      f.cursor = c.open.facts.seq;
      f.changes.reset();
    }
  }

  static std::map<std::int64_t, std::pair<std::uint32_t, std::uint32_t>> waiting_in(const Facts& facts) {
    std::map<std::int64_t, std::pair<std::uint32_t, std::uint32_t>> out;
    for (const auto& e : facts.filter_counts) out[e.id] = {e.count, e.last_seen};
    return out;
  }

  void check_lost(const Follower& f) const {
    std::map<std::int64_t, std::pair<std::uint64_t, Reason>> lost;
    std::uint64_t last = f.cursor;
    for (const Tombstone& t : f.changes->open.lost) {
      CHECK(lost.try_emplace(t.id, t.seq, static_cast<Reason>(t.reason)).second, plan_.name, t.id);
      CHECK(t.seq >= last, plan_.name, t.id);
      last = t.seq;
    }
    CHECK(lost == reference_.lost_after(f.cursor), plan_.name, lost.size());
  }

  void forget_changes() {
    std::uint64_t least = reference_.seq;
    for (const Follower& f : followers_) least = std::min(least, f.cursor);
    table_->forget_changes(least);
  }

  // From now on with a table restored from a cut of this one.
  void restart() {
    cut_.reset();
    for (Follower& f : followers_) f.changes.reset();
    handles_.clear();
    auto again = std::make_unique<Table>(plan_.options);
    ReferenceRows rows;
    {
      OpenCut open(*table_);
      open.read(0, open.cut->end(), reference_.rows.size() + 1, rows);
      CHECK(rows == reference_.rows, plan_.name);
      restore(*again, rows, open.facts);
      for (Follower& f : followers_) {
        f.table = std::make_unique<Table>(plan_.options);
        restore(*f.table, rows, open.facts);
        f.cursor = open.facts.seq;
      }
    }
    table_ = std::move(again);
    table_->track_changes(true);
    check_everything();
  }

  void check_facts(const Facts& facts) const {
    CHECK(facts.seq == reference_.seq && facts.clock == reference_.clock, plan_.name);
    check_counters(facts.counters);
    const auto young = [&](const auto& w) { return !reference_.is_old(w, reference_.clock); };
    std::map<std::int64_t, ReferenceTable::Waiting> held, expected;
    for (const auto& e : facts.filter_counts) {
      if (young(ReferenceTable::Waiting{e.count, e.last_seen})) held[e.id] = {e.count, e.last_seen};
    }
    for (const auto& [id, w] : reference_.waiting) {
      if (young(w)) expected[id] = w;
    }
    CHECK(held == expected, plan_.name, held.size(), expected.size());
  }

  void check_counters(const Counters& c) const {
    const Counters& r = reference_.counters;
    CHECK(c.admitted == r.admitted, c.admitted, r.admitted);
    CHECK(c.filtered == r.filtered, c.filtered, r.filtered);
    CHECK(c.expired == r.expired && c.evicted == r.evicted && c.deleted == r.deleted);
    CHECK(c.dropped_gradients == r.dropped_gradients, c.dropped_gradients, r.dropped_gradients);
  }

  void check_everything() const {
    const ReferenceRows rows = rows_of(*table_);
    for (const auto& [id, row] : reference_.rows) {
      const auto found = rows.find(id);
      CHECK(found != rows.end() && found->second == row, plan_.name, id);
    }
    CHECK(rows.size() == reference_.rows.size(), plan_.name);
    CHECK(table_->seq() == reference_.seq && table_->clock() == reference_.clock, plan_.name);
    check_counters(table_->counters());
  }

  std::size_t dimension() const { return reference_.layout.dim; }

  const Plan& plan_;
  Draw draw_;
  std::unique_ptr<Table> table_;
  ReferenceTable reference_;
  std::deque<Handle> handles_;
  std::unique_ptr<ReadingCut> cut_;
  std::array<Follower, 2> followers_;
};

void check_plan(const Plan& plan) {
  Threads::set_count(1);
  const auto alone = Walk(plan, 7).run();
  Threads::set_count(2);
  const auto together = Walk(plan, 7).run();
  CHECK(alone == together, plan.name);
}

void a_table_is_the_map_it_stands_for() { check_plan(budgeted(STEPS)); }
void however_far_its_sweeps_have_come() { check_plan(swept(STEPS)); }
void whatever_it_evicts() { check_plan(least_frequent(STEPS)); }

}  // namespace

int main() {
  return check::run({
      TEST(a_table_is_the_map_it_stands_for),
      TEST(however_far_its_sweeps_have_come),
      TEST(whatever_it_evicts),
  });
}
