// The index over ids that do not change, such as a snapshot's: from an id to its position.
#pragma once

#include <cstdint>
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

  std::size_t size() const { return ids_.size(); }
  std::size_t bytes() const { return index_.bytes(); }

  std::span<const std::int64_t> ids() const { return ids_; }

  // For loops of their own over hashes: the position of an id, or kNoRow; a guess, good enough to
  // prefetch what stands there.
  static std::uint64_t hash(std::int64_t id) { return mix64(static_cast<std::uint64_t>(id)); }
  void prefetch(std::uint64_t hash) const { index_.prefetch(hash); }
  std::uint32_t guess(std::uint64_t hash) const {
    const std::uint32_t at = index_.guess(hash);
    if (at != kNoRow) __builtin_prefetch(&ids_[at]);
    return at;
  }
  std::uint32_t position(std::int64_t id, std::uint64_t hash) const {
    return index_.find(hash, [&](std::uint32_t at) { return ids_[at] == id; });
  }

 private:
  static constexpr std::size_t kAhead = 16;
  std::uint32_t position(std::int64_t id) const { return position(id, hash(id)); }

  std::span<const std::int64_t> ids_;
  IdIndex index_;
};

}  // namespace recsys_embed
