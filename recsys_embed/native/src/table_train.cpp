// Training: occurrences are counted, ids admitted, rows refreshed, gradients applied.
#include <algorithm>

#include "recsys_embed/missing_rows.hpp"
#include "recsys_embed/spread.hpp"
#include "recsys_embed/table.hpp"

namespace recsys_embed {

Table::Table(TableOptions options)
    : options_(std::move(options)),
      layout_(options_.segments),
      storage_(layout_.stride),
      filter_(options_.admission, options_.sketch_width, options_.sketch_depth, options_.probability,
              options_.key) {
  for (const FeatureRule& rule : options_.features) {
    expires_ |= rule.ttl != 0;
    ttls_.push_back(rule.ttl);
    counts_ttl_ = std::max(counts_ttl_, rule.ttl);
  }
  for (const FeatureRule& rule : options_.features) {
    if (rule.ttl == 0) counts_ttl_ = 0;
  }
}

// Bounded upkeep before a batch, so that rows stay where they are until its gradients have come.
Evicted Table::begin_training(std::uint32_t now) {
  ++seq_;
  clock_ = std::max(clock_, now);
  Evicted out;
  if (expires_) sweep(clock_, options_.sweep_rows, out);
  if (counts_ttl_ != 0) filter_.counts().sweep(clock_, counts_ttl_, options_.sweep_rows);
  trim_to_budget(out);
  if (storage_.holes() > storage_.end() / 4 && storage_.holes() > 1024) move_rows(options_.sweep_rows);
  return out;
}

namespace {

// What a training lookup reads: a row for each id, or a sum for each bag.
struct SingleIds {
  std::size_t count;
  float* out;
  std::size_t stride;

  std::size_t first_id(std::size_t unit) const { return unit; }
  std::size_t first_unit(std::size_t, const FeatureSpan& span) const { return span.begin; }
  std::size_t last_unit(std::size_t, const FeatureSpan& span) const { return span.end; }
  void read(const TableView& t, const Batch& batch, std::size_t first, std::size_t last,
            const MissingRow& missing, const Touch* touch) const {
    kernels().gather(t, batch.ids.data(), batch.rows, first, last, out, stride, missing, touch);
  }
};

struct PooledBags {
  std::size_t count;
  const Bags& bags;
  const BagOutput& out;

  std::size_t first_id(std::size_t unit) const { return static_cast<std::size_t>(bags.offsets[unit]); }
  // The bags of the k-th feature: feature-major, as many for each.
  std::size_t first_unit(std::size_t k, const FeatureSpan&) const { return k * out.batch; }
  std::size_t last_unit(std::size_t k, const FeatureSpan&) const {
    return std::min(count, (k + 1) * out.batch);
  }
  void read(const TableView& t, const Batch& batch, std::size_t first, std::size_t last,
            const MissingRow& missing, const Touch* touch) const {
    kernels().pool(t, batch.ids.data(), batch.rows, bags.offsets, first, last, bags.weights, bags.pooling,
                   out, missing, touch);
  }
};

// The first unit in [low, units.count] whose ids begin at `id` or later.
template <class Units>
std::size_t unit_at(const Units& units, std::size_t low, std::size_t id) {
  std::size_t high = units.count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    units.first_id(middle) < id ? low = middle + 1 : high = middle;
  }
  return low;
}

// Where unit `unit` begins among all ids; the end for one beyond the last.
template <class Units>
std::size_t first_id(const Units& units, const Batch& batch, std::size_t unit) {
  return unit == units.count ? batch.ids.size() : units.first_id(unit);
}

}  // namespace

Evicted Table::train_lookup(std::span<const std::int64_t> ids, std::span<const FeatureSpan> features,
                            std::uint32_t now, std::uint32_t* rows, float* out, std::size_t stride,
                            const Missing& missing) {
  return train({ids, features, now, rows}, SingleIds{ids.size(), out, stride}, missing);
}

Evicted Table::train_lookup_pooled(std::span<const std::int64_t> ids, std::span<const FeatureSpan> features,
                                   std::uint32_t now, std::uint32_t* rows, const Bags& bags,
                                   const BagOutput& out, const Missing& missing) {
  return train({ids, features, now, rows}, PooledBags{bags.count, bags, out}, missing);
}

// First, in parallel, all that ids with rows need; then admission, in order of occurrence; last, once
// more, the units in which an id had no row.
template <class Units>
Evicted Table::train(const Batch& batch, const Units& units, const Missing& missing) {
  const auto pool = Threads::pool();
  const AccessGate::Writer writer(gate_);
  Evicted evicted = begin_training(batch.now);
  const std::size_t n = batch.ids.size(), parts = stretches_for(*pool, n + units.count);
  if (parts_.size() < parts) parts_.resize(parts);
  for (Part& part : parts_) {
    part.missing.clear();
    part.again.clear();
  }
  const std::size_t owners = parts_for(*pool, n);
  if (parts > 1) owned_.begin(parts, owners, n);
  pool->run(parts, [&](std::size_t part) {
    const std::size_t first = part == 0 ? 0 : unit_at(units, 0, n * part / parts);
    const std::size_t last = part + 1 == parts ? units.count : unit_at(units, 0, n * (part + 1) / parts);
    read_units(batch, units, first, last, parts == 1, parts_[part]);
    if (parts > 1) owned_.deal(part, batch.rows, first_id(units, batch, first), first_id(units, batch, last));
  });
  if (parts > 1) touch_all(*pool, batch, owners);
  admit_missing(batch, evicted);
  initialize_new(*pool);
  pool->run(parts, [&](std::size_t part) {
    MissingRows rest(*this, batch.ids, missing, false);
    for (const std::size_t unit : parts_[part].again)
      units.read(view(), batch, unit, unit + 1, rest.callback(), nullptr);
  });
  evicted.moves = moves_;
  return evicted;
}

// Finds, verifies, touches and reads the rows of units [first, last) in one pass over them.
template <class Units>
void Table::read_units(const Batch& batch, const Units& units, std::size_t first, std::size_t last,
                       bool alone, Part& part) {
  if (first >= last) return;
  const std::size_t begin = units.first_id(first), end = first_id(units, batch, last);
  kernels().find(view(), batch.ids.data() + begin, end - begin, batch.rows + begin);
  NewRows fresh(*this, batch, part.missing);
  for (std::size_t k = 0; k < batch.features.size(); ++k) {
    const FeatureSpan& span = batch.features[k];
    const std::size_t low = std::max(first, units.first_unit(k, span));
    const std::size_t high = std::min(last, units.last_unit(k, span));
    if (low >= high) continue;
    const Touch touch = touch_of(batch, span.feature, alone);
    units.read(view(), batch, low, high, fresh.callback(touch), &touch);
  }
  std::size_t unit = first;
  for (const std::uint32_t i : part.missing) {
    while (unit + 1 < last && units.first_id(unit + 1) <= i) ++unit;
    if (part.again.empty() || part.again.back() != unit) part.again.push_back(unit);
  }
}

Touch Table::touch_of(const Batch& batch, std::uint16_t feature, bool writes) {
  const auto preserve = [](void* table, std::uint32_t row) { static_cast<Table*>(table)->preserve(row); };
  return {batch.now,
          clock_,
          seq_,
          expires_ ? ttls_.data() : nullptr,
          feature,
          writes,
          cuts_.empty() ? nullptr : +preserve,
          this};
}

// Rows have owners among the threads, whatever part of the ids they were found in.
void Table::touch_all(ThreadPool& pool, const Batch& batch, std::size_t owners) {
  constexpr std::size_t kAhead = 24;
  pool.run(owners, [&](std::size_t owner) {
    const TableView t = view();
    auto span = batch.features.begin();
    Touch touch = touch_of(batch, span->feature, true);
    owned_.for_each<kAhead>(owner, [&](std::uint32_t i, std::uint32_t later) {
      __builtin_prefetch(t.row(batch.rows[later]), 1);
      if (i >= span->end) {
        while (i >= span->end) ++span;
        touch = touch_of(batch, span->feature, true);
      }
      touch.note(header_of(t.row(batch.rows[i])), batch.rows[i]);
    });
  });
}

}  // namespace recsys_embed
