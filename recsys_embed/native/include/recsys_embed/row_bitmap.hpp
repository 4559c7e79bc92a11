// Which rows are free, as a tree of 64-bit words: the lowest free row is found in one step a level.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace recsys_embed {

inline constexpr std::uint32_t kNoRow = 0xffffffffU;

// A set of rows. A word of level k + 1 has a bit for each word of level k that is not empty.
class RowBitmap {
 public:
  bool contains(std::uint32_t row) const {
    const std::size_t word = row / 64;
    return word < size_of(0) && (levels_[0][word] >> (row % 64) & 1) != 0;
  }

  void insert(std::uint32_t row) {
    reserve(row + 1);
    std::size_t at = row;
    for (auto& level : levels_) {
      std::uint64_t& word = level[at / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << (at % 64);
      if (!was_empty) return;
      at /= 64;
    }
  }

  void erase(std::uint32_t row) {
    std::size_t at = row;
    for (auto& level : levels_) {
      if (at / 64 >= level.size()) return;
      std::uint64_t& word = level[at / 64];
      word &= ~(std::uint64_t{1} << (at % 64));
      if (word != 0) return;
      at /= 64;
    }
  }

  // The smallest row of the set, or kNoRow.
  std::uint32_t first() const {
    if (levels_.empty() || levels_.back()[0] == 0) return kNoRow;
    std::size_t at = 0;
    for (std::size_t k = levels_.size(); k-- > 0;) {
      at = at * 64 + static_cast<std::size_t>(std::countr_zero(levels_[k][at]));
    }
    return static_cast<std::uint32_t>(at);
  }

  // Makes room for all rows below `end`.
  void reserve(std::uint32_t end) {
    std::size_t words = (std::size_t{end} + 63) / 64;
    if (words <= size_of(0)) return;
    for (std::size_t k = 0;; ++k) {
      if (k == levels_.size()) add_level();
      if (levels_[k].size() < words) levels_[k].resize(words);
      if (words == 1) return;
      words = (words + 63) / 64;
    }
  }

  std::size_t bytes() const {
    std::size_t total = 0;
    for (const auto& level : levels_) total += level.capacity() * sizeof(std::uint64_t);
    return total;
  }

 private:
  std::size_t size_of(std::size_t level) const { return level < levels_.size() ? levels_[level].size() : 0; }

  // The new root summarizes the old one, which was a single word so far.
  void add_level() {
    const bool occupied = !levels_.empty() && levels_.back()[0] != 0;
    levels_.push_back({occupied ? std::uint64_t{1} : std::uint64_t{0}});
  }

  std::vector<std::vector<std::uint64_t>> levels_;
};

}  // namespace recsys_embed
