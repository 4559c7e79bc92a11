// The index over ids that do not change, such as a snapshot's: from an id to its position.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

#include "recsys_embed/id_index.hpp"

namespace recsys_embed {

// Refers to the ids; they must outlive it. Any number of find calls may overlap.
class FrozenIndex {
 public:
  explicit FrozenIndex(std::span<const std::int64_t> ids) : ids_(ids) {
    if (ids.size() >= kNoRow) throw std::length_error("an index holds fewer than 2^32 - 1 ids");
    index_.reset(ids.size() + 1);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i + kAhead < ids.size()) index_.prefetch(hash(ids[i + kAhead]));
      if (position(ids[i]) != kNoRow) {
        throw std::invalid_argument("id " + std::to_string(ids[i]) + " stands twice in the ids of an index");
      }
      index_.insert(hash(ids[i]), static_cast<std::uint32_t>(i));
    }
  }

  // out[i] = the position of wanted[i], or -1.
  void find(std::span<const std::int64_t> wanted, std::int64_t* out) const {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (i + kAhead < wanted.size()) index_.prefetch(hash(wanted[i + kAhead]));
      const std::uint32_t at = position(wanted[i]);
      out[i] = at == kNoRow ? -1 : std::int64_t{at};
    }
  }

  // Copies the rows of the wanted ids that are here, `dim` floats each, and sets their found[i]; leaves
  // out and found alone elsewhere, so that several indexes fill one answer.
  void read(std::span<const std::int64_t> wanted, const float* rows, std::size_t dim, float* out,
            bool* found) const {
    constexpr std::size_t kBlock = 32;
    const auto block_at = [&](std::size_t first) {
      return wanted.subspan(first, std::min(kBlock, wanted.size() - first));
    };
    for (std::size_t first = 0; first < wanted.size(); first += kBlock) {
      const auto block = block_at(first);
      if (first == 0) prefetch_groups(block);
      if (first + kBlock < wanted.size()) prefetch_groups(block_at(first + kBlock));
      for (const std::int64_t id : block) prefetch_row(id, rows, dim);
      for (std::size_t i = 0; i < block.size(); ++i) {
        const std::uint32_t at = position(block[i]);
        if (at == kNoRow) continue;
        found[first + i] = true;
        std::memcpy(out + (first + i) * dim, rows + std::size_t{at} * dim, dim * sizeof(float));
      }
    }
  }

  std::size_t size() const { return ids_.size(); }
  std::size_t bytes() const { return index_.bytes(); }

 private:
  static constexpr std::size_t kAhead = 16;
  void prefetch_groups(std::span<const std::int64_t> ids) const {
    for (const std::int64_t id : ids) index_.prefetch(hash(id));
  }
  void prefetch_row(std::int64_t id, const float* rows, std::size_t dim) const {
    const std::uint32_t at = index_.guess(hash(id));
    if (at == kNoRow) return;
    __builtin_prefetch(&ids_[at]);
    const float* row = rows + std::size_t{at} * dim;
    for (std::size_t d = 0; d < dim; d += 16) __builtin_prefetch(row + d);
  }
  static std::uint64_t hash(std::int64_t id) { return mix64(static_cast<std::uint64_t>(id)); }
  std::uint32_t position(std::int64_t id) const {
    return index_.find(hash(id), [&](std::uint32_t at) { return ids_[at] == id; });
  }

  std::span<const std::int64_t> ids_;
  IdIndex index_;
};

}  // namespace recsys_embed
