// Which ids lost their rows, why and when, for those who follow a table's changes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace recsys_embed {

struct Tombstone {
  std::int64_t id;
  std::uint64_t seq : 56;
  std::uint64_t reason : 8;
};

// In the order in which they came, so by ascending seq; an id may be among them several times, and
// may have a row again.
class Tombstones {
 public:
  void add(std::int64_t id, std::uint8_t reason, std::uint64_t seq) {
    held_.push_back({id, seq & ((std::uint64_t{1} << 56) - 1), reason});
  }

  std::vector<Tombstone> after(std::uint64_t seq) const { return {first_after(seq), held_.end()}; }

  // Drops those up to `seq`, and gives their memory back once it is the most of what is held.
  void forget(std::uint64_t seq) {
    held_.erase(held_.begin(), first_after(seq));
    if (held_.size() < held_.capacity() / 4) held_.shrink_to_fit();
  }

  void clear() { std::vector<Tombstone>().swap(held_); }
  std::size_t bytes() const { return held_.capacity() * sizeof(Tombstone); }

 private:
  std::vector<Tombstone>::const_iterator first_after(std::uint64_t seq) const {
    return std::partition_point(held_.begin(), held_.end(),
                                [seq](const Tombstone& t) { return t.seq <= seq; });
  }

  std::vector<Tombstone> held_;
};

}  // namespace recsys_embed
