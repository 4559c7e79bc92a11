// The occurrences of a call by the thread that changes their rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "recsys_embed/row_bitmap.hpp"
#include "recsys_embed/spread.hpp"

namespace recsys_embed {

// Threads deal a stretch of occurrences each; then each owner goes through its own, in order, instead
// of through all.
class Owned {
 public:
  void begin(std::size_t stretches, std::size_t owners, std::size_t n) {
    owners_ = owners;
    pieces_.assign(stretches * owners, {});
    if (held_.size() < n) held_.resize(n);
  }

  // Those in [first, last) that have a row; no two stretches overlap, and a later one lies behind.
  void deal(std::size_t stretch, const std::uint32_t* rows, std::size_t first, std::size_t last) {
    thread_local std::vector<std::size_t> ends;  // threads that wrote to one cache line would share it
    ends.assign(owners_, 0);
    for (std::size_t i = first; i < last; ++i) {
      if (rows[i] != kNoRow) ++ends[owner_of(rows[i], owners_)];
    }
    std::size_t start = first;
    for (std::size_t owner = 0; owner < owners_; ++owner) {
      pieces_[stretch * owners_ + owner] = {start, ends[owner]};
      start += std::exchange(ends[owner], start);
    }
    for (std::size_t i = first; i < last; ++i) {
      if (rows[i] != kNoRow) held_[ends[owner_of(rows[i], owners_)]++] = static_cast<std::uint32_t>(i);
    }
  }

  // Calls use(occurrence, later); `later` is the occurrence kAhead places on, to prefetch.
  template <std::size_t kAhead, class Use>
  void for_each(std::size_t owner, Use&& use) const {
    for (std::size_t p = owner; p < pieces_.size(); p += owners_) {
      const auto [start, count] = pieces_[p];
      const std::uint32_t* piece = held_.data() + start;
      for (std::size_t k = 0; k < count; ++k) use(piece[k], piece[std::min(k + kAhead, count - 1)]);
    }
  }

 private:
  struct Piece {
    std::size_t start = 0, count = 0;
  };

  std::vector<Piece> pieces_;
  std::vector<std::uint32_t> held_;
  std::size_t owners_ = 1;
};

}  // namespace recsys_embed
