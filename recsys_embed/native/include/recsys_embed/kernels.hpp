// The hot loops, compiled once for each instruction set and chosen when the library is loaded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "recsys_embed/id_index.hpp"
#include "recsys_embed/row_layout.hpp"

namespace recsys_embed {

// What a kernel needs to know of a table; valid while the table's lock is held.
struct TableView {
  const Group* groups;
  std::uint64_t mask;
  std::byte* const* chunks;
  std::uint32_t stride;
  std::uint32_t dim;

  [[gnu::always_inline]] std::byte* row(std::uint32_t r) const {
    return chunks[r >> 16] + std::size_t{r & 0xffffU} * stride;
  }
};

// What a training lookup does to the row of an id that it meets.
struct Touch {
  std::uint32_t now;
  std::uint32_t clock;  // of the table, at or after now
  std::uint64_t seq;
  const std::uint32_t* ttls;  // by feature, 0: never expires; null: none does
  std::uint16_t feature;
  bool writes;                                 // else the headers are written later
  void (*preserve)(void*, std::uint32_t row);  // called before a header changes; null: no cut is open
  void* context;

  // Whether the row's time was over before this call used it.
  [[gnu::always_inline]] bool is_over(const RowHeader& h) const {
    if (ttls == nullptr || ttls[h.feature] == 0 || h.seq() == seq) return false;
    return clock >= h.last_seen && clock - h.last_seen >= ttls[h.feature];
  }

  // Notes one more occurrence.
  [[gnu::always_inline]] void note(RowHeader& h, std::uint32_t row) const {
    if (preserve != nullptr) [[unlikely]]
      preserve(context, row);
    h.last_seen = h.last_seen > now ? h.last_seen : now;
    h.count += h.count != 0xffffffffU;
    h.set_seq(seq);
    // The feature that keeps the row longest decides.
    if (h.feature != feature && ttls != nullptr && ttls[h.feature] != 0 &&
        (ttls[feature] == 0 || ttls[feature] > ttls[h.feature])) {
      h.feature = feature;
    }
  }
};

// Gives the weights of occurrence i where its candidate row is missing or holds another id.
struct MissingRow {
  const float* (*weights)(void* context, std::size_t i);
  void* context;
};

enum class Pooling : std::uint32_t { kSum, kMean };

// Bags [first, last) of a feature-major batch: bag b of feature b / batch goes to row b % batch and
// to the columns from (b / batch) * dim on.
struct BagOutput {
  float* data;
  std::size_t stride;  // floats between rows
  std::size_t batch;

  [[gnu::always_inline]] float* at(std::size_t bag, std::size_t dim) const {
    return data + (bag % batch) * stride + (bag / batch) * dim;
  }
};

// The gradient of occurrence i is scale[i] * source[i][0 .. dim).
struct Gradients {
  const float* const* source;
  const float* scale;  // null: all 1
};

// The distinct rows of a gradient call; their occurrences in order, as linked lists.
struct Occurrences {
  const std::uint32_t* rows;
  const std::uint32_t* first;
  const std::uint32_t* next;  // by occurrence; kNoRow ends a list
  std::size_t count;
};

struct Kernels {
  const char* name;

  // candidates[i] = the first row whose tag matches ids[i], unverified, or kNoRow if there is none.
  void (*find)(const TableView&, const std::int64_t* ids, std::size_t n, std::uint32_t* candidates);

  // Copies rows one by one. With `touch` (else null) the rows are used in training: those whose time
  // is over count as missing.
  void (*gather)(const TableView&, const std::int64_t* ids, const std::uint32_t* rows, std::size_t first,
                 std::size_t last, float* out, std::size_t stride, const MissingRow&, const Touch* touch);

  // Sums or averages the rows of each bag, in order.
  void (*pool)(const TableView&, const std::int64_t* ids, const std::uint32_t* rows,
               const std::int64_t* offsets, std::size_t first, std::size_t last, const float* weights,
               Pooling, const BagOutput&, const MissingRow&, const Touch* touch);

  // One optimizer step for each distinct row; lr by segment.
  void (*update)(const TableView&, const Segment* segments, std::size_t num_segments, const float* lr,
                 const Occurrences&, const Gradients&, float* scratch);

  bool (*all_finite)(const float* values, std::size_t n);
};

// The widest set this processor runs; RECSYS_EMBED_ISA=baseline|avx2|avx512 in the environment
// chooses a narrower one. All give the same bits.
const Kernels& kernels();

}  // namespace recsys_embed
