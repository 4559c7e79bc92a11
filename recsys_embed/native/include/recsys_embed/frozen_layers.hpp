// Rows over rows: layers of changes over the shards of a snapshot. The first layer that knows an id
// answers for it, with a row or with the word that it has none.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include "recsys_embed/frozen_index.hpp"

namespace recsys_embed {

// The ids of an index have rows up to `num_rows`; those behind them are tombstones: without a row,
// whatever lies beneath.
struct FrozenLayer {
  const FrozenIndex* index;
  const float* rows;
  std::size_t num_rows;
};

// Refers to all of it, newest first. Any number of calls may overlap.
class FrozenLayers {
 public:
  FrozenLayers(std::vector<FrozenLayer> layers, std::size_t dim) : layers_(std::move(layers)), dim_(dim) {}

  // Copies the rows of the wanted ids that have one, `dim` floats each, and says which in found; leaves
  // out alone elsewhere.
  void read(std::span<const std::int64_t> wanted, float* out, bool* found) const {
    visit<true>(wanted, [&](std::size_t i, const FrozenLayer* layer, std::uint32_t at) {
      found[i] = layer != nullptr && at < layer->num_rows;
      if (found[i]) {
        std::memcpy(out + i * dim_, layer->rows + std::size_t{at} * dim_, dim_ * sizeof(float));
      }
    });
  }

  // Says which of the wanted ids have a row.
  void contains(std::span<const std::int64_t> wanted, bool* found) const {
    visit<false>(wanted, [&](std::size_t i, const FrozenLayer* layer, std::uint32_t at) {
      found[i] = layer != nullptr && at < layer->num_rows;
    });
  }

  // What one layer must hold to stand for all of these: of each id, the newest word about it.
  struct Merged {
    std::vector<std::vector<std::uint32_t>> kept;  // positions in each layer, ascending
    std::size_t rows = 0, lost = 0;
  };
  Merged merged() const {
    constexpr std::size_t kAhead = 16;
    std::size_t total = 0;
    for (const FrozenLayer& layer : layers_) total += layer.index->size();
    if (total >= kNoRow) throw std::length_error("layers hold fewer than 2^32 - 1 ids");
    IdIndex seen;
    seen.reset(total + 1);
    std::vector<std::int64_t> known;
    known.reserve(total);
    Merged m;
    for (const FrozenLayer& layer : layers_) {
      const std::span<const std::int64_t> ids = layer.index->ids();
      std::vector<std::uint32_t>& kept = m.kept.emplace_back();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (i + kAhead < ids.size()) seen.prefetch(FrozenIndex::hash(ids[i + kAhead]));
        const std::uint64_t hash = FrozenIndex::hash(ids[i]);
        if (seen.find(hash, [&](std::uint32_t at) { return known[at] == ids[i]; }) != kNoRow) continue;
        seen.insert(hash, static_cast<std::uint32_t>(known.size()));
        known.push_back(ids[i]);
        kept.push_back(static_cast<std::uint32_t>(i));
        ++(i < layer.num_rows ? m.rows : m.lost);
      }
    }
    return m;
  }
  // Writes the ids and rows that are kept, `m.rows` of them, and behind those ids the `m.lost` lost ones.
  void write(const Merged& m, std::int64_t* ids, float* rows) const {
    std::int64_t* lost = ids + m.rows;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const FrozenLayer& own = layers_[l];
      for (const std::uint32_t at : m.kept[l]) {
        if (at >= own.num_rows) {
          *lost++ = own.index->ids()[at];
          continue;
        }
        *ids++ = own.index->ids()[at];
        std::memcpy(rows, own.rows + std::size_t{at} * dim_, dim_ * sizeof(float));
        rows += dim_;
      }
    }
  }

  std::size_t dim() const { return dim_; }

 private:
  static constexpr std::size_t kBlock = 32;

  // answer(i, layer, position) for each wanted id: the first layer that knows it, or null.
  template <bool with_rows, class Answer>
  void visit(std::span<const std::int64_t> wanted, Answer&& answer) const {
    std::uint64_t hashes[kBlock], next[kBlock];
    hash_block(wanted, 0, next);
    for (std::size_t first = 0; first < wanted.size(); first += kBlock) {
      std::copy_n(next, kBlock, hashes);
      hash_block(wanted, first + kBlock, next);
      const auto block = wanted.subspan(first, std::min(kBlock, wanted.size() - first));
      visit_block<with_rows>(block, hashes, [&](std::size_t i, auto... said) { answer(first + i, said...); });
    }
  }

  void hash_block(std::span<const std::int64_t> ids, std::size_t first, std::uint64_t* hashes) const {
    for (std::size_t i = first; i < std::min(first + kBlock, ids.size()); ++i) {
      hashes[i - first] = FrozenIndex::hash(ids[i]);
      if (!layers_.empty()) layers_[0].index->prefetch(hashes[i - first]);
    }
  }

  template <bool with_rows, class Answer>
  void visit_block(std::span<const std::int64_t> ids, const std::uint64_t* hashes, Answer&& answer) const {
    std::uint8_t open[kBlock];  // ids that no layer so far knows
    std::size_t count = ids.size();
    for (std::size_t i = 0; i < count; ++i) open[i] = static_cast<std::uint8_t>(i);
    for (std::size_t l = 0; l < layers_.size() && count > 0; ++l) {
      const FrozenLayer& layer = layers_[l];
      for (std::size_t k = 0; k < count; ++k) {
        if (l + 1 < layers_.size()) layers_[l + 1].index->prefetch(hashes[open[k]]);
        prefetch_row<with_rows>(layer, hashes[open[k]]);
      }
      std::size_t still = 0;
      for (std::size_t k = 0; k < count; ++k) {
        const std::uint8_t i = open[k];
        const std::uint32_t at = layer.index->position(ids[i], hashes[i]);
        if (at == kNoRow) {
          open[still++] = i;
        } else {
          answer(i, &layer, at);
        }
      }
      count = still;
    }
    for (std::size_t k = 0; k < count; ++k) answer(open[k], static_cast<const FrozenLayer*>(nullptr), kNoRow);
  }

  template <bool with_rows>
  void prefetch_row(const FrozenLayer& layer, std::uint64_t hash) const {
    const std::uint32_t at = layer.index->guess(hash);
    if (!with_rows || at >= layer.num_rows) return;
    const float* row = layer.rows + std::size_t{at} * dim_;
    for (std::size_t d = 0; d < dim_; d += 16) __builtin_prefetch(row + d);
  }

  std::vector<FrozenLayer> layers_;
  std::size_t dim_;
};

}  // namespace recsys_embed
