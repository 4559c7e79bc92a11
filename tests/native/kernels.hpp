// The kernels of every instruction set that this machine runs, and a small table to run them on.
#pragma once

#include <algorithm>
#include <cstring>
#include <tuple>
#include <vector>

#include "draw.hpp"
#include "recsys_embed/kernels.hpp"
#include "recsys_embed/row_storage.hpp"

namespace recsys_embed {
namespace baseline {
extern const Kernels kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
#endif
}  // namespace recsys_embed

inline std::vector<const recsys_embed::Kernels*> available_kernels() {
  std::vector<const recsys_embed::Kernels*> all{&recsys_embed::baseline::kKernels};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) all.push_back(&recsys_embed::avx2::kKernels);
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    all.push_back(&recsys_embed::avx512::kKernels);
  }
#endif
  return all;
}

inline std::vector<std::uint32_t> dimensions() {
  std::vector<std::uint32_t> dims;
  for (std::uint32_t dim = 1; dim <= 33; ++dim) dims.push_back(dim);
  dims.insert(dims.end(), {64, 100, 128, 300});
  return dims;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Rows 0, 1, 2, ... of the ids 0, 3, 6, ...; weights and state at random.
struct SmallTable {
  recsys_embed::RowLayout layout;
  recsys_embed::RowStorage storage;
  recsys_embed::IdIndex index;
  std::uint32_t size;

  SmallTable(std::vector<recsys_embed::Segment> segments, std::uint32_t rows, Draw& draw)
      : layout(std::move(segments)), storage(layout.stride), size(rows) {
    index.reset(rows);
    for (std::uint32_t r = 0; r < rows; ++r) {
      storage.allocate();
      index.insert(recsys_embed::mix64(id_of(r)), r);
      recsys_embed::header_of(storage.row(r)).id = static_cast<std::int64_t>(id_of(r));
      for (std::uint32_t d = 0; d < layout.dim; ++d)
        recsys_embed::weights_of(storage.row(r))[d] = draw.real();
      auto state = draw.reals(layout.state_width);
      for (float& x : state) x = x * x;
      layout.write_state(storage.row(r), state.data());
    }
  }

  static std::uint64_t id_of(std::uint32_t row) { return std::uint64_t{3} * row; }
  recsys_embed::TableView view() const {
    return {index.groups(), index.mask(), storage.chunks(), layout.stride, layout.dim};
  }
  const float* weights(std::uint32_t row) const { return recsys_embed::weights_of(storage.row(row)); }
  // A row as one flat vector: weights, then state.
  std::vector<float> floats(std::uint32_t row) const {
    std::vector<float> out(layout.dim + layout.state_width);
    std::copy_n(weights(row), layout.dim, out.begin());
    layout.read_state(storage.row(row), out.data() + layout.dim);
    return out;
  }
  void put(std::uint32_t row, const std::vector<float>& floats) {
    std::copy_n(floats.begin(), layout.dim, recsys_embed::weights_of(storage.row(row)));
    layout.write_state(storage.row(row), floats.data() + layout.dim);
  }
};

// Occurrences, a third of them of ids without a row, and what those read instead.
struct Query {
  std::vector<std::int64_t> ids;
  std::vector<std::uint32_t> rows;  // true rows or kNoRow
  std::vector<float> missing;       // by occurrence
  std::size_t dim;

  Query(const SmallTable& table, std::size_t n, Draw& draw)
      : missing(draw.reals(n * table.layout.dim)), dim(table.layout.dim) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = static_cast<std::uint32_t>(draw.below(table.size));
      const bool known = table.size != 0 && draw.chance(67);
      ids.push_back(static_cast<std::int64_t>(SmallTable::id_of(row)) + (known ? 0 : 1));
      rows.push_back(known ? row : recsys_embed::kNoRow);
    }
  }

  const float* expected(const SmallTable& table, std::size_t i) const {
    return rows[i] == recsys_embed::kNoRow ? &missing[i * dim] : table.weights(rows[i]);
  }
  // Candidates as `find` gives them: where no row is, some hold a row of another id.
  std::vector<std::uint32_t> candidates(const SmallTable& table, Draw& draw) const {
    auto out = rows;
    for (std::uint32_t& row : out) {
      if (row == recsys_embed::kNoRow && draw.chance(50))
        row = static_cast<std::uint32_t>(draw.below(table.size));
    }
    return out;
  }
  recsys_embed::MissingRow callback() {
    return {[](void* self, std::size_t i) -> const float* {
              const auto* query = static_cast<const Query*>(self);
              return &query->missing[i * query->dim];
            },
            this};
  }
};
