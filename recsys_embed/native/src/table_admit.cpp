// Rows come into being: by admission or by assignment.
#include <algorithm>

#include "recsys_embed/spread.hpp"
#include "recsys_embed/table.hpp"

namespace recsys_embed {

// In order of occurrence, as the rule of admission says.
void Table::admit_missing(const Batch& batch, Evicted& evicted) {
  const auto ids = batch.ids;
  std::uint32_t* rows = batch.rows;
  const std::uint32_t now = batch.now;
  auto span = batch.features.begin();
  std::size_t absent = 0;
  for (const Part& part : parts_) {
    absent += part.missing.size();
    for (const std::uint32_t i : part.missing) {
      while (i >= span->end) ++span;
      rows[i] = find(ids[i]);
      const Touch touch = touch_of(batch, span->feature, true);
      if (rows[i] != kNoRow && touch.is_over(header_of(storage_.row(rows[i])))) {
        expire_row(rows[i], evicted);
        rows[i] = kNoRow;
      }
      if (rows[i] != kNoRow) {
        touch.note(header_of(storage_.row(rows[i])), rows[i]);
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
  lookups_ += ids.size();
  hits_ += ids.size() - absent;
}

// Makes an uninitialized row; initialize_new() gives it its weights, together with others.
std::uint32_t Table::insert(std::int64_t id, std::uint16_t feature, std::uint32_t now, std::uint32_t count) {
  if (index_.must_grow(index_.size() + 1)) resize_index(2 * index_.size() + 1);
  const std::uint32_t row = storage_.allocate();
  index_.insert(mix64(static_cast<std::uint64_t>(id)), row);
  RowHeader& h = header_of(storage_.row(row));
  h = {id, now, count, 0, 0, 0, feature, 0.0F};
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
