// Which occurrence of an id without a row earns it one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "recsys_embed/hash.hpp"

namespace recsys_embed {

enum class AdmissionKind : std::uint32_t { kExact, kSketch, kProbabilistic };

// Exact counts of ids without a row; every int64 is legal. Open addressing with linear probing and
// backward shifts, so that forgetting leaves no tombstones.
class IdCounts {
 public:
  // When an occurrence happens: its time, the table's clock, and how long counts last (0: for ever).
  struct Moment {
    std::uint32_t now, clock, ttl;
  };

  struct Entry {
    std::int64_t id;
    std::uint32_t count;  // 0: empty
    std::uint32_t last_seen;
  };

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return entries_.capacity() * sizeof(Entry); }
  const std::vector<Entry>& entries() const { return entries_; }

  void prefetch(std::uint64_t hash) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[hash & mask()]);
  }

  // The number of occurrences including this one; what was counted too long ago does not matter.
  std::uint32_t add(std::int64_t id, const Moment& moment) {
    if ((size_ + 1) * 4 > entries_.size() * 3) grow();
    Entry& entry = entries_[slot_of(id)];
    if (entry.count == 0) ++size_;
    if (entry.count == 0 || is_old(entry, moment.clock, moment.ttl)) entry = {id, 0, moment.now};
    entry.last_seen = std::max(entry.last_seen, moment.now);
    if (entry.count != 0xffffffffU) ++entry.count;
    return entry.count;
  }

  void clear() { *this = IdCounts(); }

  void restore(const Entry& entry) {
    if (entry.count == 0) return;
    add(entry.id, {entry.last_seen, 0, 0});
    entries_[slot_of(entry.id)] = entry;
  }

  void forget(std::int64_t id) {
    if (entries_.empty()) return;
    if (const std::size_t slot = slot_of(id); entries_[slot].count != 0) erase_slot(slot);
  }

  // Examines up to `limit` entries from where the last sweep stopped; drops those older than `ttl`.
  void sweep(std::uint32_t now, std::uint32_t ttl, std::size_t limit) {
    for (limit = std::min(limit, entries_.size()); limit > 0;) {
      cursor_ = cursor_ < entries_.size() ? cursor_ : 0;
      const Entry& entry = entries_[cursor_];
      if (entry.count != 0 && is_old(entry, now, ttl)) {
        erase_slot(cursor_);  // which may have put another entry here: look again
      } else {
        ++cursor_;
        --limit;
      }
    }
  }

 private:
  std::size_t mask() const { return entries_.size() - 1; }

  static bool is_old(const Entry& entry, std::uint32_t now, std::uint32_t ttl) {
    return ttl != 0 && now >= entry.last_seen && now - entry.last_seen >= ttl;
  }

  std::size_t slot_of(std::int64_t id) const {
    std::size_t slot = mix64(static_cast<std::uint64_t>(id)) & mask();
    while (entries_[slot].count != 0 && entries_[slot].id != id) slot = (slot + 1) & mask();
    return slot;
  }

  void erase_slot(std::size_t hole) {
    for (std::size_t at = (hole + 1) & mask(); entries_[at].count != 0; at = (at + 1) & mask()) {
      const std::size_t home = mix64(static_cast<std::uint64_t>(entries_[at].id)) & mask();
      // It may move into the hole unless its home lies cyclically in (hole, at].
      if (((at - home) & mask()) >= ((at - hole) & mask())) {
        entries_[hole] = entries_[at];
        hole = at;
      }
    }
    entries_[hole].count = 0;
    --size_;
  }

  void grow() {
    std::vector<Entry> old(std::max<std::size_t>(64, entries_.size() * 2));
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.count != 0) entries_[slot_of(entry.id)] = entry;
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
  std::size_t cursor_ = 0;
};

// Count-min sketch with conservative update (Estan, Varghese, SIGCOMM 2002): never below the truth.
class CountSketch {
 public:
  CountSketch() = default;
  CountSketch(std::size_t width, std::size_t depth) : width_(width), depth_(depth), cells_(width * depth) {}

  std::vector<std::uint32_t>& cells() { return cells_; }
  const std::vector<std::uint32_t>& cells() const { return cells_; }

  std::uint32_t add(std::int64_t id) {
    std::uint32_t least = 0xffffffffU;
    for (std::size_t k = 0; k < depth_; ++k) least = std::min(least, cells_[cell(id, k)]);
    const std::uint32_t count = least == 0xffffffffU ? least : least + 1;
    for (std::size_t k = 0; k < depth_; ++k) {
      cells_[cell(id, k)] = std::max(cells_[cell(id, k)], count);
    }
    return count;
  }

 private:
  std::size_t cell(std::int64_t id, std::size_t k) const {
    return k * width_ + (mix64(static_cast<std::uint64_t>(id), k + 1) & (width_ - 1));
  }

  std::size_t width_ = 0, depth_ = 0;
  std::vector<std::uint32_t> cells_;
};

class AdmissionFilter {
 public:
  AdmissionFilter(AdmissionKind kind, std::size_t width, std::size_t depth, double probability,
                  std::uint64_t seed)
      : kind_(kind), chance_(probability), seed_(seed) {
    if (kind == AdmissionKind::kSketch) sketch_ = CountSketch(width, depth);
  }

  AdmissionKind kind() const { return kind_; }
  IdCounts& counts() { return counts_; }
  const IdCounts& counts() const { return counts_; }
  CountSketch& sketch() { return sketch_; }
  const CountSketch& sketch() const { return sketch_; }
  std::size_t bytes() const { return counts_.bytes() + sketch_.cells().capacity() * 4; }

  // The count with which the row begins, or 0 if this occurrence earns none. `draw` numbers the
  // occurrences of ids without a row inside one call of the table, `seq` the calls.
  std::uint32_t admit(std::int64_t id, std::uint32_t threshold, const IdCounts::Moment& moment,
                      std::uint64_t seq, std::uint64_t draw) {
    if (kind_ == AdmissionKind::kProbabilistic) return lucky(id, seq, draw) ? 1 : 0;
    if (kind_ == AdmissionKind::kExact && threshold <= 1 && counts_.size() == 0) return 1;
    const std::uint32_t count = kind_ == AdmissionKind::kExact ? counts_.add(id, moment) : sketch_.add(id);
    if (count < threshold) return 0;
    if (kind_ == AdmissionKind::kExact) counts_.forget(id);
    return count;
  }

 private:
  bool lucky(std::int64_t id, std::uint64_t seq, std::uint64_t draw) const {
    const std::uint64_t bits = mix64(mix64(mix64(static_cast<std::uint64_t>(id), seed_), seq), draw);
    return static_cast<double>(bits >> 11) * 0x1p-53 < chance_;
  }

  AdmissionKind kind_;
  double chance_;
  std::uint64_t seed_;
  IdCounts counts_;
  CountSketch sketch_;
};

}  // namespace recsys_embed
