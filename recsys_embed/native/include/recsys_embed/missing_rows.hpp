// What a lookup answers where it finds no row.
#pragma once

#include <vector>

#include "recsys_embed/table.hpp"

namespace recsys_embed {

// What one thread of a lookup answers for the occurrences whose candidate row is none or another id's.
class MissingRows {
 public:
  // `search`: the candidates are unverified, the id may still have a row. The last pass of a training
  // lookup does not search: an id admitted late in the batch is missing at its earlier occurrences.
  MissingRows(const Table& table, std::span<const std::int64_t> ids, const Missing& missing, bool search)
      : table_(table), ids_(ids), missing_(missing), search_(search), scratch_(table.layout_.dim) {}

  MissingRow callback() { return {&MissingRows::weights, this}; }
  std::size_t count() const { return count_; }

 private:
  static const float* weights(void* context, std::size_t i) {
    return static_cast<MissingRows*>(context)->weights(i);
  }

  const float* weights(std::size_t i) {
    if (search_) {
      const std::uint32_t row = table_.find(ids_[i]);
      if (row != kNoRow) return weights_of(table_.storage_.row(row));
    }
    ++count_;
    if (missing_.policy == MissingPolicy::kVector) return missing_.vector;
    table_.layout_.initial_weights(table_.options_.key, ids_[i], scratch_.data());
    return scratch_.data();
  }

  const Table& table_;
  std::span<const std::int64_t> ids_;
  const Missing& missing_;
  bool search_;
  std::vector<float> scratch_;
  std::size_t count_ = 0;
};

// The same for the first pass of a training lookup: corrects candidates, and lists the occurrences
// that admission has to decide on; what they read meanwhile is read once more.
class NewRows {
 public:
  NewRows(const Table& table, const Batch& batch, std::vector<std::uint32_t>& missing)
      : table_(table), batch_(batch), missing_(missing), zeros_(table.layout_.dim) {}

  MissingRow callback(const Touch& touch) {
    touch_ = &touch;
    return {&NewRows::weights, this};
  }

 private:
  static const float* weights(void* context, std::size_t i) {
    return static_cast<NewRows*>(context)->weights(i);
  }

  const float* weights(std::size_t i) {
    const std::uint32_t row = table_.find(batch_.ids[i]);
    batch_.rows[i] = row;
    if (row != kNoRow) {
      RowHeader& header = header_of(table_.storage_.row(row));
      if (!touch_->is_over(header)) {
        if (touch_->writes) touch_->note(header, row);
        return weights_of(table_.storage_.row(row));
      }
      batch_.rows[i] = kNoRow;
    }
    missing_.push_back(static_cast<std::uint32_t>(i));
    return zeros_.data();
  }

  const Table& table_;
  const Batch& batch_;
  std::vector<std::uint32_t>& missing_;
  std::vector<float> zeros_;
  const Touch* touch_ = nullptr;
};

}  // namespace recsys_embed
