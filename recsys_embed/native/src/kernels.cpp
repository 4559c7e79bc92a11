// Compiled once for each instruction set, with RECSYS_EMBED_ISA naming the namespace. Everything a
// wider copy uses is inlined or internal, so that the linker can never hand its code to an older
// processor.
#include "recsys_embed/kernels.hpp"

#include <bit>
#include <cmath>

#include "recsys_embed/lanes.hpp"
#include "recsys_embed/optimizer_steps.hpp"

namespace recsys_embed::RECSYS_EMBED_ISA {
namespace {

constexpr std::size_t kGroupsAhead = 128;  // ids between the prefetch of a group and its probe
constexpr std::size_t kRowsAhead = 32;     // rows between the prefetch of a row and its use
constexpr std::size_t kUpdatesAhead = 16;  // the same where rows are written, too

[[gnu::always_inline]] inline std::uint64_t hash_of(std::int64_t id) {
  std::uint64_t x = static_cast<std::uint64_t>(id) + 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

[[gnu::always_inline]] inline std::uint32_t candidate(const TableView& t, std::uint64_t hash) {
  const auto top = static_cast<std::uint8_t>(hash >> 56);
  const std::uint8_t tag = top == 0 ? std::uint8_t{255} : top;
  for (std::uint64_t step = 0; step <= t.mask; ++step) {
    const Group& group = t.groups[(hash + step) & t.mask];
    if (const std::uint32_t m = matches(group, tag); m != 0) return group.rows[__builtin_ctz(m)];
    if (group.overflow == 0) return kNoRow;
  }
  return kNoRow;
}

void find(const TableView& t, const std::int64_t* ids, std::size_t n, std::uint32_t* candidates) {
  std::uint64_t hashes[kGroupsAhead];
  const std::size_t lead = n < kGroupsAhead ? n : kGroupsAhead;
  for (std::size_t i = 0; i < lead; ++i) {
    hashes[i] = hash_of(ids[i]);
    __builtin_prefetch(&t.groups[hashes[i] & t.mask]);
  }
  std::size_t slot = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t hash = hashes[slot];
    if (i + kGroupsAhead < n) {
      hashes[slot] = hash_of(ids[i + kGroupsAhead]);
      __builtin_prefetch(&t.groups[hashes[slot] & t.mask]);
    }
    slot = slot + 1 == kGroupsAhead ? 0 : slot + 1;
    candidates[i] = candidate(t, hash);
  }
}

// The addresses of rows some places before their use, with their first `bytes` on the way into the
// cache. kBlocks sixteens of weights are fetched without a loop; kBlocks == 0: any dimension.
template <std::size_t kBlocks, std::size_t kDistance>
class RowsAhead {
 public:
  [[gnu::always_inline]] RowsAhead(const TableView& table, const std::uint32_t* rows, std::size_t first,
                                   std::size_t last, std::size_t bytes)
      : table_(table), rows_(rows), last_(last), bytes_(bytes) {
    for (std::size_t i = first; i < first + kDistance; ++i) fetch(i);
  }

  // Occurrences are taken in order, each once; null for one without a row.
  [[gnu::always_inline]] std::byte* take(std::size_t i) {
    std::byte* row = held_[i % kDistance];
    fetch(i + kDistance);
    return row;
  }

 private:
  [[gnu::always_inline]] void fetch(std::size_t i) {
    if (i >= last_) return;
    std::byte* row = rows_[i] == kNoRow ? nullptr : table_.row(rows_[i]);
    held_[i % kDistance] = row;
    if (row == nullptr) return;
    constexpr std::size_t kFixed = kBlocks == 0 ? 0 : kWeightsOffset + kBlocks * kLanes * sizeof(float);
    std::size_t at = 0;
#pragma GCC unroll 16
    for (; at < kFixed; at += 64) __builtin_prefetch(row + at);
    for (; at < bytes_; at += 64) __builtin_prefetch(row + at);
  }

  const TableView table_;
  const std::uint32_t* const rows_;
  const std::size_t last_, bytes_;
  std::byte* held_[kDistance];
};

[[gnu::always_inline]] inline std::size_t weights_end(const TableView& t) {
  return kWeightsOffset + t.dim * sizeof(float);
}

// What the occurrences of one call have in common; a copy of the caller's, so that the compiler need
// not read it again after each write to a row.
template <bool kTouch>
struct Reading {
  const std::int64_t* ids;
  const std::uint32_t* rows;
  const MissingRow missing;
  const Touch touch;

  [[gnu::always_inline]] const float* weights(std::byte* row, std::size_t i) const {
    if (row != nullptr && header_of(row).id == ids[i]) [[likely]] {
      if constexpr (kTouch) {
        RowHeader& header = header_of(row);
        if (touch.is_over(header)) [[unlikely]]
          return missing.weights(missing.context, i);
        if (touch.writes) touch.note(header, rows[i]);
      }
      return weights_of(row);
    }
    return missing.weights(missing.context, i);
  }
};

template <bool kTouch>
void gather_rows(const TableView& t, const std::int64_t* ids, const std::uint32_t* rows, std::size_t first,
                 std::size_t last, float* out, std::size_t stride, const MissingRow& missing,
                 const Touch* touch) {
  const Reading<kTouch> reading{ids, rows, missing, kTouch ? *touch : Touch{}};
  RowsAhead<0, kRowsAhead> ahead(t, rows, first, last, weights_end(t));
  const std::size_t dim = t.dim;
  for (std::size_t i = first; i < last; ++i) {
    const float* w = reading.weights(ahead.take(i), i);
    float* to = out + i * stride;
    for_lanes(dim, [&](std::size_t d, std::size_t n) { store(to + d, load(w + d, n), n); });
  }
}

void gather(const TableView& t, const std::int64_t* ids, const std::uint32_t* rows, std::size_t first,
            std::size_t last, float* out, std::size_t stride, const MissingRow& missing, const Touch* touch) {
  const auto run = touch == nullptr ? gather_rows<false> : gather_rows<true>;
  run(t, ids, rows, first, last, out, stride, missing, touch);
}

struct PoolArgs {
  const TableView& table;
  const std::int64_t* ids;
  const std::uint32_t* rows;
  const std::int64_t* offsets;
  std::size_t first, last;
  const float* weights;
  bool mean;
  const BagOutput& out;
  const MissingRow& missing;
  const Touch* touch;
};

// kBlocks sixteens of the row at a time in registers; kBlocks == 0: any dimension, through memory.
template <std::size_t kBlocks, bool kWeighted, bool kTouch>
void pool_bags(const PoolArgs& args) {
  const PoolArgs a = args;
  const std::size_t dim = kBlocks == 0 ? a.table.dim : kBlocks * kLanes;
  const Reading<kTouch> reading{a.ids, a.rows, a.missing, kTouch ? *a.touch : Touch{}};
  const auto end = static_cast<std::size_t>(a.offsets[a.last]);
  auto i = static_cast<std::size_t>(a.offsets[a.first]);
  RowsAhead<kBlocks, kRowsAhead> ahead(a.table, a.rows, i, end, weights_end(a.table));
  for (std::size_t bag = a.first; bag < a.last; ++bag) {
    const auto stop = static_cast<std::size_t>(a.offsets[bag + 1]);
    const float scale = a.mean && stop > i ? 1.0F / static_cast<float>(stop - i) : 1.0F;
    float* out = a.out.at(bag, dim);
    Lanes held[kBlocks == 0 ? 1 : kBlocks] = {};
    if constexpr (kBlocks == 0) {
      for_lanes(dim, [&](std::size_t d, std::size_t n) { store(out + d, Lanes{}, n); });
    }
    for (; i < stop; ++i) {
      const float* w = reading.weights(ahead.take(i), i);
      const Lanes factor = splat(kWeighted ? a.weights[i] : 1.0F);
      const auto term = [&](std::size_t d, std::size_t n) {
        return kWeighted ? factor * load(w + d, n) : load(w + d, n);
      };
      if constexpr (kBlocks == 0) {
        for_lanes(dim,
                  [&](std::size_t d, std::size_t n) { store(out + d, load(out + d, n) + term(d, n), n); });
      } else {
        for (std::size_t k = 0; k < kBlocks; ++k) held[k] = held[k] + term(k * kLanes, kLanes);
      }
    }
    if constexpr (kBlocks != 0) {
      for (std::size_t k = 0; k < kBlocks; ++k) store(out + k * kLanes, held[k]);
    }
    if (a.mean) {
      for_lanes(dim,
                [&](std::size_t d, std::size_t n) { store(out + d, load(out + d, n) * splat(scale), n); });
    }
  }
}

template <bool kWeighted, bool kTouch>
void pool_dim(const PoolArgs& a) {
  switch (a.table.dim) {
    case 16:
      return pool_bags<1, kWeighted, kTouch>(a);
    case 32:
      return pool_bags<2, kWeighted, kTouch>(a);
    case 64:
      return pool_bags<4, kWeighted, kTouch>(a);
    case 128:
      return pool_bags<8, kWeighted, kTouch>(a);
    default:
      return pool_bags<0, kWeighted, kTouch>(a);
  }
}

void pool(const TableView& t, const std::int64_t* ids, const std::uint32_t* rows, const std::int64_t* offsets,
          std::size_t first, std::size_t last, const float* weights, Pooling pooling, const BagOutput& out,
          const MissingRow& missing, const Touch* touch) {
  const PoolArgs args{t,   ids,     rows, offsets, first, last, weights, pooling == Pooling::kMean,
                      out, missing, touch};
  if (weights == nullptr) {
    touch == nullptr ? pool_dim<false, false>(args) : pool_dim<false, true>(args);
  } else {
    touch == nullptr ? pool_dim<true, false>(args) : pool_dim<true, true>(args);
  }
}

[[gnu::always_inline]] inline void step_segment(const Segment& s, std::size_t dim, std::byte* row,
                                                const float* g, float lr) {
  auto* vectors = reinterpret_cast<float*>(row + s.vector_offset);
  const StepArgs args{weights_of(row) + s.position,
                      reinterpret_cast<float*>(row + s.scalar_offset),
                      vectors,
                      vectors + dim,
                      g + s.position,
                      dim,
                      lr};
  switch (s.optimizer.kind) {
    case OptimizerKind::kSgd:
      return step_sgd(args);
    case OptimizerKind::kAdagrad:
      return step_adagrad(s.optimizer, args);
    case OptimizerKind::kRowwiseAdagrad:
      return step_rowwise_adagrad(s.optimizer, args);
    case OptimizerKind::kAdam:
      return step_adam(s.optimizer, args);
    case OptimizerKind::kFtrl:
      return step_ftrl(s.optimizer, args);
  }
}

[[gnu::always_inline]] inline Lanes scaled(const Gradients& grads, std::uint32_t k, std::size_t d,
                                           std::size_t n) {
  const Lanes g = load(grads.source[k] + d, n);
  return grads.scale == nullptr ? g : splat(grads.scale[k]) * g;
}

// Walks the list once, kBlocks sixteens of the sum in registers; kBlocks == 0: any dimension, through
// memory. A popular id has thousands of occurrences, and each step of the walk waits for memory.
template <std::size_t kBlocks>
[[gnu::always_inline]] inline void sum_list(const Occurrences& occ, const Gradients& grads,
                                            std::uint32_t first, std::size_t dim, float* out) {
  Lanes held[kBlocks == 0 ? 1 : kBlocks] = {};
  if constexpr (kBlocks == 0) {
    for_lanes(dim, [&](std::size_t d, std::size_t n) { store(out + d, Lanes{}, n); });
  }
  for (std::uint32_t k = first; k != kNoRow; k = occ.next[k]) {
    if constexpr (kBlocks == 0) {
      for_lanes(dim, [&](std::size_t d, std::size_t n) {
        store(out + d, load(out + d, n) + scaled(grads, k, d, n), n);
      });
    } else {
      for (std::size_t b = 0; b < kBlocks; ++b) held[b] = held[b] + scaled(grads, k, b * kLanes, kLanes);
    }
  }
  if constexpr (kBlocks != 0) {
    for (std::size_t b = 0; b < kBlocks; ++b) store(out + b * kLanes, held[b]);
  }
}

// The summed gradient of distinct row u: its only occurrence where that is enough, else in scratch.
template <std::size_t kBlocks>
[[gnu::always_inline]] inline const float* summed(const Occurrences& occ, const Gradients& grads,
                                                  std::size_t u, std::size_t dim, float* scratch) {
  const std::uint32_t first = occ.first[u];
  if (occ.next[first] == kNoRow && grads.scale == nullptr) return grads.source[first];
  sum_list<kBlocks>(occ, grads, first, dim, scratch);
  return scratch;
}

[[gnu::always_inline]] inline const float* decayed(const Segment& s, const std::byte* row, const float* g,
                                                   float* scratch) {
  if (s.optimizer.weight_decay == 0) return g;
  const float* w = weights_of(row) + s.position;
  const Lanes decay = splat(s.optimizer.weight_decay);
  for_lanes(s.dim, [&](std::size_t d, std::size_t n) {
    store(scratch + s.position + d, load(g + s.position + d, n) + decay * load(w + d, n), n);
  });
  return scratch;
}

struct UpdateArgs {
  const TableView& table;
  const Segment* segments;
  std::size_t num_segments;
  const float* lr;
  const Occurrences& occurrences;
  const Gradients& gradients;
  float* scratch;
};

// kBlocks as in pool_bags; but 0 also where a row has several segments.
template <std::size_t kBlocks>
void update_rows(const UpdateArgs& a) {
  const Occurrences occ = a.occurrences;
  const Gradients grads = a.gradients;
  const std::size_t dim = kBlocks == 0 ? a.table.dim : kBlocks * kLanes;
  RowsAhead<kBlocks, kUpdatesAhead> ahead(a.table, occ.rows, 0, occ.count, a.table.stride);
  for (std::size_t u = 0; u < occ.count; ++u) {
    std::byte* row = ahead.take(u);
    const float* g = summed<kBlocks>(occ, grads, u, dim, a.scratch);
    if constexpr (kBlocks != 0) {
      step_segment(*a.segments, dim, row, decayed(*a.segments, row, g, a.scratch), *a.lr);
    } else {
      for (std::size_t s = 0; s < a.num_segments; ++s) {
        const Segment& segment = a.segments[s];
        step_segment(segment, segment.dim, row, decayed(segment, row, g, a.scratch), a.lr[s]);
      }
    }
  }
}

void update(const TableView& t, const Segment* segments, std::size_t num_segments, const float* lr,
            const Occurrences& occ, const Gradients& grads, float* scratch) {
  const UpdateArgs args{t, segments, num_segments, lr, occ, grads, scratch};
  switch (num_segments == 1 ? t.dim : 0) {
    case 16:
      return update_rows<1>(args);
    case 32:
      return update_rows<2>(args);
    case 64:
      return update_rows<4>(args);
    case 128:
      return update_rows<8>(args);
    default:
      return update_rows<0>(args);
  }
}

// x - x is 0 for every finite x and NaN for the others; NaN survives a sum.
bool all_finite(const float* values, std::size_t n) {
  Lanes total = {};
  for_lanes(n, [&](std::size_t d, std::size_t k) {
    const Lanes x = load(values + d, k);
    total = total + (x - x);
  });
  return sum(total) == 0.0F;
}

}  // namespace

#define RECSYS_EMBED_STRING(x) #x
#define RECSYS_EMBED_NAME(x) RECSYS_EMBED_STRING(x)
extern const Kernels kKernels;
const Kernels kKernels = {RECSYS_EMBED_NAME(RECSYS_EMBED_ISA), find, gather, pool, update, all_finite};

}  // namespace recsys_embed::RECSYS_EMBED_ISA
