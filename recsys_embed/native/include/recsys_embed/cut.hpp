// One moment of a table, or what had changed by then, read while the table goes on changing: whoever
// is about to change a row that has not been read yet saves it here first.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "recsys_embed/row_layout.hpp"

namespace recsys_embed {

// preserve() is called by the one writer (from several threads of one call, for different rows);
// visit() by any number of readers, each for rows of its own, never while a writer is at work.
// The table's gate holds them apart.
class Cut {
 public:
  Cut(std::vector<std::uint64_t> live, std::uint32_t end, std::uint32_t stride)
      : live_(std::move(live)),
        done_(new std::atomic<std::uint64_t>[words(end)]()),
        end_(end),
        stride_(stride) {}

  // Of the rows that changed after `since`; leave_out_unchanged() must have seen all rows before any
  // is counted or read.
  Cut(std::vector<std::uint64_t> live, std::uint32_t end, std::uint32_t stride, std::uint64_t since)
      : Cut(std::move(live), end, stride) {
    is_whole_ = false;
    since_ = since;
  }

  std::uint32_t end() const { return end_; }

  std::size_t count(std::uint32_t first, std::uint32_t last) const {
    std::size_t total = 0;
    for (std::uint32_t row = first; row < last; row += 64) {
      std::uint64_t word = live_[row / 64];
      if (last - row < 64) word &= (std::uint64_t{1} << (last - row)) - 1;
      total += static_cast<std::size_t>(std::popcount(word));
    }
    return total;
  }

  // The first row of part `part` of `parts`; a multiple of 64, so that parts share no word.
  std::uint32_t start_of(std::size_t part, std::size_t parts) const {
    const std::uint64_t words = (std::uint64_t{end_} + 63) / 64;
    const std::uint64_t row = words * part / parts * 64;
    return static_cast<std::uint32_t>(row < end_ ? row : end_);
  }

  void preserve(std::uint32_t row, const std::byte* bytes) {
    if (row >= end_ || !is_live(row) || mark_done(row) || !is_wanted(bytes)) return;
    auto copy = std::make_unique<std::byte[]>(stride_);
    std::memcpy(copy.get(), bytes, stride_);
    const std::lock_guard lock(mutex_);
    saved_.emplace(row, std::move(copy));
  }

  // Takes the rows of [first, last) that have not changed since out of the cut; both are multiples
  // of 64, or the end.
  template <class Current>
  void leave_out_unchanged(std::uint32_t first, std::uint32_t last, Current&& current) {
    for (std::uint32_t start = first; start < last; start += 64) {
      std::uint64_t& word = live_[start / 64];
      const std::uint64_t done = done_[start / 64].load(std::memory_order_relaxed);
      for (std::uint64_t rest = word & ~done; rest != 0; rest &= rest - 1) {
        __builtin_prefetch(current(start + static_cast<std::uint32_t>(std::countr_zero(rest))));
      }
      for (std::uint64_t rest = word; rest != 0; rest &= rest - 1) {
        const std::uint64_t bit = rest & -rest;
        const std::uint32_t row = start + static_cast<std::uint32_t>(std::countr_zero(rest));
        const bool stays = (done & bit) != 0 ? saved_.contains(row) : is_wanted(current(row));
        if (!stays) word &= ~bit;
      }
    }
  }

  // Calls use(bytes) for the rows of the cut in [first, last), at most `limit` of them; returns
  // where to go on. `current(row)` gives a row as it is now.
  template <class Current, class Use>
  std::uint32_t visit(std::uint32_t first, std::uint32_t last, std::size_t limit, Current&& current,
                      Use&& use) {
    std::uint32_t row = first;
    for (; row < last && limit > 0; ++row) {
      if (!is_live(row)) {
        if (live_[row / 64] == 0) row |= 63;
        continue;
      }
      use(mark_done(row) ? saved(row, current) : current(row));
      --limit;
    }
    return row < last ? row : last;
  }

 private:
  static std::size_t words(std::uint32_t end) { return (std::size_t{end} + 63) / 64 + 1; }
  bool is_live(std::uint32_t row) const { return (live_[row / 64] >> (row % 64) & 1) != 0; }
  bool is_wanted(const std::byte* row) const { return is_whole_ || header_of(row).seq() > since_; }
  bool mark_done(std::uint32_t row) {
    const std::uint64_t bit = std::uint64_t{1} << (row % 64);
    return (done_[row / 64].fetch_or(bit, std::memory_order_relaxed) & bit) != 0;
  }
  // A row that is done without being saved was read before, and is read again.
  template <class Current>
  const std::byte* saved(std::uint32_t row, Current&& current) const {
    const auto found = saved_.find(row);
    return found == saved_.end() ? current(row) : found->second.get();
  }

  std::vector<std::uint64_t> live_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> done_;
  std::uint32_t end_, stride_;
  bool is_whole_ = true;
  std::uint64_t since_ = 0;
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, std::unique_ptr<std::byte[]>> saved_;
};

}  // namespace recsys_embed
