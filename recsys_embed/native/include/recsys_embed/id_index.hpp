// From an id's hash to its row: open addressing in groups of twelve, one cache line each.
//
// A group is 12 one-byte tags (one SIMD compare), a count of the ids that found it full and went
// on, and 12 rows of four bytes. The id itself stands in the row, beside the weights that a lookup
// is about to read: a probe costs one line, and a match in the tag alone is wrong once in 255.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "recsys_embed/hash.hpp"
#include "recsys_embed/memory.hpp"
#include "recsys_embed/row_bitmap.hpp"

namespace recsys_embed {

inline constexpr std::uint32_t kGroupSlots = 12;

struct alignas(64) Group {
  std::uint8_t tags[kGroupSlots];  // 0: empty
  std::uint32_t overflow;          // ids held in a later group because this one was full
  std::uint32_t rows[kGroupSlots];
};
static_assert(sizeof(Group) == 64);

inline std::uint8_t tag_of(std::uint64_t hash) {
  const auto tag = static_cast<std::uint8_t>(hash >> 56);
  return tag == 0 ? std::uint8_t{255} : tag;
}

// Bit s is set where tags[s] == tag.
static inline std::uint32_t matches(const Group& group, std::uint8_t tag) {
#if defined(__SSE2__)
  const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(&group));
  const __m128i same = _mm_cmpeq_epi8(tags, _mm_set1_epi8(static_cast<char>(tag)));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(same)) & 0xfffU;
#else
  std::uint32_t mask = 0;
  for (std::uint32_t s = 0; s < kGroupSlots; ++s) mask |= std::uint32_t{group.tags[s] == tag} << s;
  return mask;
#endif
}

class IdIndex {
 public:
  IdIndex() { reset(0); }

  std::uint64_t size() const { return size_; }
  std::size_t bytes() const { return pages_.size(); }
  std::uint64_t slots() const { return (mask_ + 1) * kGroupSlots; }
  const Group* groups() const { return groups_; }
  std::uint64_t mask() const { return mask_; }
  // At four fifths a group of twelve is seldom full, and a search seldom leaves its first line.
  bool must_grow(std::uint64_t size) const { return size * 5 > slots() * 4; }
  bool may_shrink() const { return mask_ > 0 && size_ * 5 < slots(); }

  // Empties the index and makes room for `size` ids.
  void reset(std::uint64_t size) {
    const std::uint64_t wanted = size * 5 / (4 * kGroupSlots) + 1;
    const std::uint64_t count = std::bit_ceil(wanted);
    pages_ = Pages(count * sizeof(Group));
    groups_ = reinterpret_cast<Group*>(pages_.data());
    mask_ = count - 1;
    size_ = 0;
  }

  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&groups_[hash & mask_]); }

  // The row for which is_it(row) holds among those with this hash, or kNoRow.
  template <class IsIt>
  std::uint32_t find(std::uint64_t hash, IsIt&& is_it) const {
    const std::uint8_t tag = tag_of(hash);
    for (std::uint64_t step = 0; step <= mask_; ++step) {
      const Group& group = groups_[(hash + step) & mask_];
      for (std::uint32_t m = matches(group, tag); m != 0; m &= m - 1) {
        const std::uint32_t row = group.rows[std::countr_zero(m)];
        if (is_it(row)) return row;
      }
      if (group.overflow == 0) return kNoRow;
    }
    return kNoRow;
  }

  // The first row whose tag matches in the id's first group, or kNoRow: good enough to prefetch.
  std::uint32_t guess(std::uint64_t hash) const {
    const Group& group = groups_[hash & mask_];
    const std::uint32_t m = matches(group, tag_of(hash));
    return m == 0 ? kNoRow : group.rows[std::countr_zero(m)];
  }

  // Requires that the id is absent and must_grow(size() + 1) is false.
  void insert(std::uint64_t hash, std::uint32_t row) {
    for (std::uint64_t g = hash & mask_;; g = (g + 1) & mask_) {
      Group& group = groups_[g];
      if (const std::uint32_t empty = matches(group, 0); empty != 0) {
        const int slot = std::countr_zero(empty);
        group.tags[slot] = tag_of(hash);
        group.rows[slot] = row;
        ++size_;
        return;
      }
      ++group.overflow;
    }
  }

  // Requires that `row` is held under this hash.
  void erase(std::uint64_t hash, std::uint32_t row) {
    for (std::uint64_t g = hash & mask_;; g = (g + 1) & mask_) {
      Group& group = groups_[g];
      if (const int slot = slot_of(group, tag_of(hash), row); slot >= 0) {
        group.tags[slot] = 0;
        --size_;
        return;
      }
      --group.overflow;
    }
  }

  // Requires that `from` is held under this hash.
  void relocate(std::uint64_t hash, std::uint32_t from, std::uint32_t to) {
    for (std::uint64_t g = hash & mask_;; g = (g + 1) & mask_) {
      if (const int slot = slot_of(groups_[g], tag_of(hash), from); slot >= 0) {
        groups_[g].rows[slot] = to;
        return;
      }
    }
  }

 private:
  static int slot_of(const Group& group, std::uint8_t tag, std::uint32_t row) {
    for (std::uint32_t m = matches(group, tag); m != 0; m &= m - 1) {
      const int slot = std::countr_zero(m);
      if (group.rows[slot] == row) return slot;
    }
    return -1;
  }

  Pages pages_;
  Group* groups_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace recsys_embed
