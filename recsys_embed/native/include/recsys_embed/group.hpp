// Several tables in one call: the threads share out the tables instead of every table's work.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys_embed/table.hpp"

namespace recsys_embed {

// The bags of several tables over the same flat ids: table t has `batch` bags for each of its
// features, feature-major, beginning with bag starts[t]. Bag b holds ids [offsets[b], offsets[b + 1]).
struct GroupBags {
  std::span<const std::int64_t> ids, offsets, starts;
  const float* weights;  // by position in ids; null: all 1
  std::size_t batch;
};

// Gives the bits that calling table by table would give. A table takes its gate while its own work
// is done, never two at a time; distinct groups may share tables, and calls may overlap as those of
// a table may. The tables outlive the group, and none is in it twice.
class TableGroup {
 public:
  struct Member {
    Table* table;
    std::vector<std::uint16_t> features;
    Pooling pooling;
  };

  explicit TableGroup(std::vector<Member> members);

  std::size_t size() const { return members_.size(); }

  // Throws std::invalid_argument, saying what is wrong, for bags outside the arrays or of negative
  // size. Returns the occurrences over all members: an id counts for each member that reads it.
  std::size_t check(const GroupBags&) const;

  // A member's columns of `out` follow those of the one before.
  void lookup_pooled(const GroupBags&, float* out, std::size_t stride, const Missing&) const;

  // `now` by member, or empty: each at its own clock. `rows` and `moves` as of Table, by occurrence
  // and by member, are for the gradient call.
  std::vector<Evicted> train_lookup_pooled(const GroupBags&, std::span<const std::uint32_t> now,
                                           std::uint32_t* rows, std::uint64_t* moves, float* out,
                                           std::size_t stride, const Missing&) const;

  // `lr` holds every member's rates, one a segment, in turn.
  void apply_pooled_gradients(const GroupBags&, const std::uint32_t* rows, const std::uint64_t* moves,
                              const float* grads, std::size_t stride, std::span<const float> lr) const;

 private:
  // One member's share of a call, offsets beginning at 0.
  struct Share {
    std::span<const std::int64_t> ids;
    Bags bags;
    std::size_t first;  // of its occurrences among those of all members
  };

  Share share_of(std::size_t member, const GroupBags&, std::size_t first) const;
  template <class Work>
  void deal(const GroupBags&, Work&& work) const;

  std::vector<Member> members_;
  std::vector<std::size_t> columns_, segments_;  // where each member's begin; the last is their number
};

}  // namespace recsys_embed
