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

  // Copies the rows of the wanted ids, `dim` floats each; zeros where found[i] is false.
  void read(std::span<const std::int64_t> wanted, const float* rows, std::size_t dim, float* out,
            bool* found) const {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (i + kAhead < wanted.size()) index_.prefetch(hash(wanted[i + kAhead]));
      const std::uint32_t at = position(wanted[i]);
      found[i] = at != kNoRow;
      if (found[i]) {
        std::memcpy(out + i * dim, rows + std::size_t{at} * dim, dim * sizeof(float));
      } else {
        std::fill_n(out + i * dim, dim, 0.0F);
      }
    }
  }

  std::size_t bytes() const { return index_.bytes(); }

 private:
  static constexpr std::size_t kAhead = 16;
  static std::uint64_t hash(std::int64_t id) { return mix64(static_cast<std::uint64_t>(id)); }
  std::uint32_t position(std::int64_t id) const {
    return index_.find(hash(id), [&](std::uint32_t at) { return ids_[at] == id; });
  }

  std::span<const std::int64_t> ids_;
  IdIndex index_;
};

}  // namespace recsys_embed
