// What one thread answers for the occurrences whose candidate row is none or another id's.
#pragma once

#include <vector>

#include "recsys_embed/table.hpp"

namespace recsys_embed {

class MissingRows {
 public:
  // `search`: the candidates are unverified, the id may still have a row. In training they are
  // verified, and an id admitted later in the batch must not be found for its earlier occurrences.
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

}  // namespace recsys_embed
