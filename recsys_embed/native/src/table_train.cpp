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

Evicted Table::train_lookup(std::span<const std::int64_t> ids, std::span<const FeatureSpan> features,
                            std::uint32_t now, std::uint32_t* rows, float* out, std::size_t stride,
                            const Missing& missing) {
  const auto pool = Threads::pool();
  const AccessGate::Writer writer(gate_);
  Evicted evicted = begin_training(now);
  resolve(*pool, ids, features, now, rows, evicted);
  spread(*pool, ids.size(), [&](std::size_t, std::size_t first, std::size_t last) {
    MissingRows rest(*this, ids, missing, false);
    kernels().gather(view(), ids.data(), rows, first, last, out, stride, rest.callback());
  });
  evicted.moves = moves_;
  return evicted;
}

Evicted Table::train_lookup_pooled(std::span<const std::int64_t> ids, std::span<const FeatureSpan> features,
                                   std::uint32_t now, std::uint32_t* rows, const Bags& bags,
                                   const BagOutput& out, const Missing& missing) {
  const auto pool = Threads::pool();
  const AccessGate::Writer writer(gate_);
  Evicted evicted = begin_training(now);
  resolve(*pool, ids, features, now, rows, evicted);
  spread_bags(*pool, bags.offsets, bags.count, [&](std::size_t, std::size_t first, std::size_t last) {
    MissingRows rest(*this, ids, missing, false);
    kernels().pool(view(), ids.data(), rows, bags.offsets, first, last, bags.weights, bags.pooling, out,
                   rest.callback());
  });
  evicted.moves = moves_;
  return evicted;
}

// Fills rows[i] with the row of occurrence i, or kNoRow if it came before its id's admission.
void Table::resolve(ThreadPool& pool, std::span<const std::int64_t> ids,
                    std::span<const FeatureSpan> features, std::uint32_t now, std::uint32_t* rows,
                    Evicted& evicted) {
  const std::size_t parts = parts_for(pool, ids.size());
  if (parts_.size() < parts) parts_.resize(parts);
  for (Part& part : parts_) part.missing.clear();
  find_all(pool, ids, rows);
  if (parts == 1) {
    for (const FeatureSpan& span : features) verify<true>(ids, span, now, rows, parts_[0].missing);
  } else {
    spread(pool, ids.size(), [&](std::size_t part, std::size_t first, std::size_t last) {
      verify<false>(ids, {first, last, 0}, now, rows, parts_[part].missing);
    });
    touch_all(pool, features, now, rows);
  }
  admit_missing(ids, features, now, rows, evicted);
  initialize_new(pool);
  std::size_t absent = 0;
  for (const Part& part : parts_) absent += part.missing.size();
  lookups_ += ids.size();
  hits_ += ids.size() - absent;
}

// Turns candidates into rows: the tag may have matched another id's, and a row whose time is over
// counts as missing, so that nothing depends on how far the sweep has come. On one thread the rows
// are touched in the same pass.
template <bool kTouch>
void Table::verify(std::span<const std::int64_t> ids, const FeatureSpan& span, std::uint32_t now,
                   std::uint32_t* rows, std::vector<std::uint32_t>& missing) {
  constexpr std::size_t kAhead = 24;
  for (std::size_t i = span.begin; i < span.end; ++i) {
    if (i + kAhead < ids.size() && rows[i + kAhead] != kNoRow) {
      __builtin_prefetch(storage_.row(rows[i + kAhead]), 1);
    }
    if (rows[i] != kNoRow && header_of(storage_.row(rows[i])).id != ids[i]) rows[i] = find(ids[i]);
    if (rows[i] != kNoRow && expires_ && is_over(rows[i])) rows[i] = kNoRow;
    if (rows[i] == kNoRow) {
      missing.push_back(static_cast<std::uint32_t>(i));
    } else if constexpr (kTouch) {
      touch(rows[i], span.feature, now);
    }
  }
}

// Whether a row's time was over before this call used it.
bool Table::is_over(std::uint32_t row) const {
  const RowHeader& h = header_of(storage_.row(row));
  return h.seq() != seq_ && is_expired(h, clock_);
}

// Rows have owners among the threads, whatever part of the ids they were found in.
void Table::touch_all(ThreadPool& pool, std::span<const FeatureSpan> features, std::uint32_t now,
                      const std::uint32_t* rows) {
  const std::size_t parts = parts_for(pool, features.back().end);
  pool.run(parts, [&](std::size_t part) {
    for (const FeatureSpan& span : features) {
      for (std::size_t i = span.begin; i < span.end; ++i) {
        if (rows[i] != kNoRow && owner_of(rows[i], parts) == part) touch(rows[i], span.feature, now);
      }
    }
  });
}

inline void Table::touch(std::uint32_t row, std::uint16_t feature, std::uint32_t now) {
  preserve(row);
  RowHeader& h = header_of(storage_.row(row));
  h.last_seen = std::max(h.last_seen, now);
  h.count += h.count != 0xffffffffU;
  h.set_seq(seq_);
  if (h.feature != feature) {
    // The feature that keeps the row longest decides; 0 means for ever.
    const std::uint32_t held = options_.features[h.feature].ttl, ttl = options_.features[feature].ttl;
    if (held != 0 && (ttl == 0 || ttl > held)) h.feature = feature;
  }
}

// In order of occurrence, as the rule of admission says.
void Table::admit_missing(std::span<const std::int64_t> ids, std::span<const FeatureSpan> features,
                          std::uint32_t now, std::uint32_t* rows, Evicted& evicted) {
  auto span = features.begin();
  for (const Part& part : parts_) {
    for (const std::uint32_t i : part.missing) {
      while (i >= span->end) ++span;
      rows[i] = find(ids[i]);
      if (rows[i] != kNoRow && expires_ && is_over(rows[i])) {
        expire_row(rows[i], evicted);
        rows[i] = kNoRow;
      }
      if (rows[i] != kNoRow) {
        touch(rows[i], span->feature, now);
        continue;
      }
      const std::uint32_t threshold = options_.features[span->feature].threshold;
      const std::uint32_t count = filter_.admit(ids[i], threshold, {now, clock_, counts_ttl_}, seq_, i);
      if (count == 0) {
        ++counters_.filtered;
        continue;
      }
      rows[i] = insert(ids[i], span->feature, now, count);
      ++counters_.admitted;
    }
  }
}

// Makes an uninitialized row; initialize_new() gives it its weights, together with others.
std::uint32_t Table::insert(std::int64_t id, std::uint16_t feature, std::uint32_t now, std::uint32_t count) {
  if (index_.must_grow(index_.size() + 1)) resize_index(2 * index_.size() + 1);
  const std::uint32_t row = storage_.allocate();
  index_.insert(mix64(static_cast<std::uint64_t>(id)), row);
  RowHeader& h = header_of(storage_.row(row));
  h = {id, now, count, 0, 0, 0, feature};
  h.set_seq(seq_);
  new_rows_.push_back(row);
  return row;
}

void Table::initialize_new(ThreadPool& pool) {
  spread(pool, new_rows_.size(), [&](std::size_t, std::size_t first, std::size_t last) {
    for (std::size_t k = first; k < last; ++k) {
      std::byte* row = storage_.row(new_rows_[k]);
      layout_.initialize_row(options_.key, header_of(row).id, row);
    }
  });
  new_rows_.clear();
}

void Table::resize_index(std::uint64_t ids) {
  constexpr std::uint32_t kAhead = 16;
  index_.reset(ids);
  for (std::uint32_t r = 0; r < storage_.end(); ++r) {
    if (r + kAhead < storage_.end() && storage_.is_live(r + kAhead)) {
      index_.prefetch(mix64(static_cast<std::uint64_t>(header_of(storage_.row(r + kAhead)).id)));
    }
    if (storage_.is_live(r))
      index_.insert(mix64(static_cast<std::uint64_t>(header_of(storage_.row(r)).id)), r);
  }
}

void Table::assign(std::span<const std::int64_t> ids, const float* values, std::size_t stride,
                   std::uint32_t now) {
  const auto pool = Threads::pool();
  const AccessGate::Writer writer(gate_);
  ++seq_;
  clock_ = std::max(clock_, now);
  found_.resize(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    found_[i] = find(ids[i]);
    if (found_[i] == kNoRow) {
      filter_.counts().forget(ids[i]);
      found_[i] = insert(ids[i], 0, now, 1);
    } else {
      preserve(found_[i]);
      RowHeader& h = header_of(storage_.row(found_[i]));
      h.last_seen = std::max(h.last_seen, now);
      h.set_seq(seq_);
    }
  }
  initialize_new(*pool);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::copy_n(values + i * stride, layout_.dim, weights_of(storage_.row(found_[i])));
  }
}

}  // namespace recsys_embed
