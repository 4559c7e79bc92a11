// Rows in chunks that never move, with a real free list: the lowest free row is taken first, so
// that what remains after an expiry gathers at the low end and whole chunks can be given back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "recsys_embed/memory.hpp"
#include "recsys_embed/row_bitmap.hpp"

namespace recsys_embed {

// Not safe by itself: the table's lock lets readers overlap with each other only.
class RowStorage {
 public:
  static constexpr std::uint32_t kChunkShift = 16;  // 65,536 rows: a multiple of a huge page for any stride
  static constexpr std::uint32_t kChunkRows = 1U << kChunkShift;

  explicit RowStorage(std::uint32_t stride) : stride_(stride) {}

  std::byte* row(std::uint32_t r) const {
    return addresses_[r >> kChunkShift] + std::size_t{r & (kChunkRows - 1)} * stride_;
  }
  bool is_live(std::uint32_t r) const { return (live_[r / 64] >> (r % 64) & 1) != 0; }
  std::uint32_t end() const { return end_; }  // no live row at or above
  std::uint32_t size() const { return size_; }
  std::uint32_t holes() const { return end_ - size_; }
  std::uint32_t first_hole() const { return free_.first(); }
  std::byte* const* chunks() const { return addresses_.data(); }
  const std::vector<std::uint64_t>& live_words() const { return live_; }
  // What has been written to and not been given back.
  std::size_t bytes() const {
    return std::size_t{touched_} * stride_ + free_.bytes() + live_.capacity() * sizeof(std::uint64_t);
  }

  std::uint32_t allocate() {
    std::uint32_t r = free_.first();
    if (r != kNoRow) {
      free_.erase(r);
    } else {
      if (end_ == kNoRow) throw std::length_error("a table holds at most 2^32 - 1 rows");
      r = end_;
      if ((r >> kChunkShift) == chunks_.size()) add_chunk();
      ++end_;
      touched_ = std::max(touched_, end_);
    }
    live_[r / 64] |= std::uint64_t{1} << (r % 64);
    ++size_;
    return r;
  }

  void release(std::uint32_t r) {
    live_[r / 64] &= ~(std::uint64_t{1} << (r % 64));
    free_.insert(r);
    --size_;
  }

  // Lowers the end to just above the last live row and gives what lies beyond back to the system.
  void trim() {
    while (end_ > 0 && !is_live(end_ - 1)) {
      --end_;
      free_.erase(end_);
    }
    const std::size_t needed = (std::size_t{end_} + kChunkRows - 1) >> kChunkShift;
    while (chunks_.size() > needed) {
      chunks_.pop_back();
      addresses_.pop_back();
    }
    live_.resize(chunks_.size() * (kChunkRows / 64));
    const auto held = static_cast<std::uint32_t>(std::min<std::size_t>(touched_, needed * kChunkRows));
    if (std::size_t{held - end_} * stride_ >= kGiveBackBytes) {
      const std::size_t start = (needed - 1) * kChunkRows;
      chunks_.back().give_back((end_ - start) * stride_, (held - start) * stride_);
      touched_ = end_;
    } else {
      touched_ = held;
    }
  }

 private:
  // A system call pays from some dozens of pages on.
  static constexpr std::size_t kGiveBackBytes = std::size_t{1} << 18;

  void add_chunk() {
    // A small table should not take two megabytes at its first row: huge pages from the second
    // chunk on, the first one then following.
    if (chunks_.size() == 1) chunks_[0].use_huge_pages();
    chunks_.emplace_back(std::size_t{kChunkRows} * stride_, !chunks_.empty());
    addresses_.push_back(chunks_.back().data());
    live_.resize(chunks_.size() * (kChunkRows / 64));
    free_.reserve(static_cast<std::uint32_t>(std::min<std::size_t>(chunks_.size() * kChunkRows, kNoRow)));
  }

  std::uint32_t stride_;
  std::uint32_t end_ = 0;
  std::uint32_t touched_ = 0;  // rows below it may hold memory
  std::uint32_t size_ = 0;
  std::vector<Pages> chunks_;
  std::vector<std::byte*> addresses_;
  std::vector<std::uint64_t> live_;
  RowBitmap free_;
};

}  // namespace recsys_embed
