// One row in memory: header, weights, optimizer state, adjacent and never torn apart.
//
//   byte 0   header (28 bytes)
//   byte 28  scalar optimizer state of the first segment (row-wise Adagrad, Adam's step count), or 0
//   byte 32  weights of all segments
//   then     the remaining optimizer state, segment by segment
//
// The id sits beside the weights, so that a lookup verifies it in a line that it reads anyway; the
// stride is a multiple of 32 bytes, so that a 64-dimensional row always lies in five cache lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "recsys_embed/random.hpp"

namespace recsys_embed {

struct RowHeader {
  std::int64_t id;
  std::uint32_t last_seen;  // seconds since the epoch, of the table's clock
  std::uint32_t count;      // occurrences, saturating
  std::uint32_t stamp;      // scratch of one gradient call: which of its distinct rows this is
  std::uint32_t seq_low;    // the table's seq when the row was last used in training: bits 0-31
  std::uint16_t seq_high;   // bits 32-47
  std::uint16_t feature;    // whose time to live applies
  float scalar;             // scalar optimizer state of the first segment, or 0

  std::uint64_t seq() const { return std::uint64_t{seq_high} << 32 | seq_low; }
  void set_seq(std::uint64_t seq) {
    seq_low = static_cast<std::uint32_t>(seq);
    seq_high = static_cast<std::uint16_t>(seq >> 32);
  }
};

inline constexpr std::size_t kScalarOffset = offsetof(RowHeader, scalar);
inline constexpr std::size_t kWeightsOffset = sizeof(RowHeader);
static_assert(kScalarOffset == 28 && kWeightsOffset == 32);

enum class OptimizerKind : std::uint32_t { kSgd, kAdagrad, kRowwiseAdagrad, kAdam, kFtrl };

struct Optimizer {
  OptimizerKind kind = OptimizerKind::kSgd;
  float weight_decay = 0.0F;
  float p0 = 0.0F;  // adagrad: initial accumulator; adam: beta1; ftrl: l1
  float p1 = 0.0F;  // adagrad: eps; adam: beta2; ftrl: l2
  float p2 = 0.0F;  // adam: eps; ftrl: beta

  bool has_scalar() const { return kind == OptimizerKind::kRowwiseAdagrad || kind == OptimizerKind::kAdam; }
  std::uint32_t vectors() const {
    switch (kind) {
      case OptimizerKind::kAdagrad:
        return 1;
      case OptimizerKind::kAdam:
      case OptimizerKind::kFtrl:
        return 2;
      default:
        return 0;
    }
  }
  float initial_scalar() const { return kind == OptimizerKind::kRowwiseAdagrad ? p0 : 0.0F; }
  float initial_vector() const { return kind == OptimizerKind::kAdagrad ? p0 : 0.0F; }
};

struct Segment {
  std::uint32_t dim = 0;
  Optimizer optimizer;
  Initializer initializer;
  std::uint32_t position = 0;       // of its first weight in the row
  std::uint32_t scalar_offset = 0;  // bytes from the row's start
  std::uint32_t vector_offset = 0;
};

struct RowLayout {
  std::vector<Segment> segments;
  std::uint32_t dim = 0;
  std::uint32_t state_width = 0;  // floats
  std::uint32_t stride = 0;       // bytes

  RowLayout() = default;
  explicit RowLayout(std::vector<Segment> parts) : segments(std::move(parts)) {
    for (Segment& s : segments) {
      s.position = dim;
      dim += s.dim;
    }
    auto offset = static_cast<std::uint32_t>(kWeightsOffset + 4 * dim);
    for (std::size_t i = 0; i < segments.size(); ++i) {
      Segment& s = segments[i];
      const bool scalar = s.optimizer.has_scalar();
      s.scalar_offset = i == 0 ? static_cast<std::uint32_t>(kScalarOffset) : offset;
      offset += scalar && i != 0 ? 4 : 0;
      s.vector_offset = offset;
      offset += 4 * s.dim * s.optimizer.vectors();
      state_width += (scalar ? 1 : 0) + s.dim * s.optimizer.vectors();
    }
    stride = (offset + 31) / 32 * 32;
  }

  // The state of a row as the flat (state_width,) vector that snapshots hold, and back.
  void read_state(const std::byte* row, float* out) const {
    for (const Segment& s : segments) {
      if (s.optimizer.has_scalar()) std::memcpy(out++, row + s.scalar_offset, 4);
      const std::size_t n = std::size_t{s.dim} * s.optimizer.vectors();
      if (n != 0) std::memcpy(out, row + s.vector_offset, 4 * n);  // SGD's state may be at no address
      out += n;
    }
  }
  void write_state(std::byte* row, const float* in) const {
    for (const Segment& s : segments) {
      if (s.optimizer.has_scalar()) std::memcpy(row + s.scalar_offset, in++, 4);
      const std::size_t n = std::size_t{s.dim} * s.optimizer.vectors();
      if (n != 0) std::memcpy(row + s.vector_offset, in, 4 * n);
      in += n;
    }
  }

  void initial_weights(std::uint64_t table_key, std::int64_t id, float* out) const {
    const std::uint64_t key = row_key(table_key, id);
    for (const Segment& s : segments) initialize(s.initializer, key, s.position, out + s.position, s.dim);
  }
  void initialize_row(std::uint64_t table_key, std::int64_t id, std::byte* row) const {
    initial_weights(table_key, id, reinterpret_cast<float*>(row + kWeightsOffset));
    for (const Segment& s : segments) {
      if (s.optimizer.has_scalar()) {
        const float scalar = s.optimizer.initial_scalar();
        std::memcpy(row + s.scalar_offset, &scalar, 4);
      }
      auto* vector = reinterpret_cast<float*>(row + s.vector_offset);
      const float value = s.optimizer.initial_vector();
      for (std::size_t d = 0; d < std::size_t{s.dim} * s.optimizer.vectors(); ++d) vector[d] = value;
    }
  }
};

// Always inlined: the kernels, compiled for several instruction sets, must not share a copy of these.
[[gnu::always_inline]] inline RowHeader& header_of(std::byte* row) {
  return *reinterpret_cast<RowHeader*>(row);
}
[[gnu::always_inline]] inline const RowHeader& header_of(const std::byte* row) {
  return *reinterpret_cast<const RowHeader*>(row);
}
[[gnu::always_inline]] inline float* weights_of(std::byte* row) {
  return reinterpret_cast<float*>(row + kWeightsOffset);
}
[[gnu::always_inline]] inline const float* weights_of(const std::byte* row) {
  return reinterpret_cast<const float*>(row + kWeightsOffset);
}

}  // namespace recsys_embed
