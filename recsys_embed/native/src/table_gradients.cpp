// One optimizer step for each distinct row of a batch.
#include <algorithm>
#include <stdexcept>

#include "recsys_embed/spread.hpp"
#include "recsys_embed/table.hpp"

namespace recsys_embed {

void Table::apply_gradients(std::span<const std::int64_t> ids, const std::uint32_t* rows, std::uint64_t moves,
                            const float* grads, std::size_t stride, std::span<const float> lr) {
  const AccessGate::Writer writer(gate_);
  source_.resize(ids.size());
  scale_.clear();
  for (std::size_t i = 0; i < ids.size(); ++i) source_[i] = grads + i * stride;
  step(ids, rows, moves, lr);
}

void Table::apply_pooled_gradients(std::span<const std::int64_t> ids, const std::uint32_t* rows,
                                   std::uint64_t moves, const Bags& bags, const BagOutput& grads,
                                   std::span<const float> lr) {
  const auto pool = Threads::pool();
  const AccessGate::Writer writer(gate_);
  source_.resize(ids.size());
  const bool scaled = bags.weights != nullptr || bags.pooling == Pooling::kMean;
  scale_.resize(scaled ? ids.size() : 0);
  spread_bags(*pool, bags.offsets, bags.count, [&](std::size_t, std::size_t first, std::size_t last) {
    for (std::size_t bag = first; bag < last; ++bag) {
      const auto begin = static_cast<std::size_t>(bags.offsets[bag]);
      const auto end = static_cast<std::size_t>(bags.offsets[bag + 1]);
      const float* source = grads.at(bag, layout_.dim);
      const float share =
          bags.pooling == Pooling::kMean && end > begin ? 1.0F / static_cast<float>(end - begin) : 1.0F;
      for (std::size_t i = begin; i < end; ++i) {
        source_[i] = source;
        if (scaled) scale_[i] = bags.weights == nullptr ? share : share * bags.weights[i];
      }
    }
  });
  step(ids, rows, moves, lr);
}

void Table::step(std::span<const std::int64_t> ids, const std::uint32_t* rows, std::uint64_t moves,
                 std::span<const float> lr) {
  const auto pool = Threads::pool();
  ++seq_;
  const std::size_t n = ids.size();
  std::span<const std::uint32_t> at(rows, rows == nullptr ? 0 : n);
  if (rows == nullptr || moves != moves_) {
    found_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      found_[i] = rows == nullptr || rows[i] != kNoRow ? find(ids[i]) : kNoRow;
    }
    at = found_;
  }
  next_.resize(n);
  const std::size_t parts = parts_for(*pool, n);
  if (parts_.size() < parts) parts_.resize(parts);
  const std::uint64_t stamps = std::uint64_t{parts} * (n + 1);
  if (stamps > 0xffffffffULL) throw std::length_error("a gradient call takes fewer than 2^32 ids");
  if (0xffffffffULL - stamp_ < stamps) {
    for (std::uint32_t r = 0; r < storage_.end(); ++r) header_of(storage_.row(r)).stamp = 0;
    stamp_ = 0;
  }
  if (parts > 1) {
    owned_.begin(stretches_for(*pool, n), parts, n);
    spread(*pool, n, [&](std::size_t stretch, std::size_t first, std::size_t last) {
      owned_.deal(stretch, at.data(), first, last);
    });
  }
  const std::uint32_t base = stamp_ + 1;
  stamp_ += static_cast<std::uint32_t>(stamps);
  pool->run(parts, [&](std::size_t part) {
    chain(at, part, parts, base + static_cast<std::uint32_t>(part * (n + 1)));
    Part& p = parts_[part];
    p.scratch.resize(layout_.dim);
    kernels().update(view(), layout_.segments.data(), layout_.segments.size(), lr.data(),
                     {p.rows.data(), p.first.data(), next_.data(), p.distinct},
                     {source_.data(), scale_.empty() ? nullptr : scale_.data()}, p.scratch.data());
  });
  counters_.dropped_gradients += static_cast<std::uint64_t>(std::count(at.begin(), at.end(), kNoRow));
}

// Lists this part's distinct rows and links the occurrences of each. A row's stamp says whether and
// as which distinct row this call has met it: no scratch table, no sorting.
void Table::chain(std::span<const std::uint32_t> rows, std::size_t part, std::size_t parts,
                  std::uint32_t base) {
  constexpr std::uint32_t kAhead = 16;
  Part& p = parts_[part];
  if (p.rows.size() < rows.size()) {
    p.rows.resize(rows.size());
    p.first.resize(rows.size());
    p.last.resize(rows.size());
  }
  std::uint32_t *distinct = p.rows.data(), *first = p.first.data(), *last = p.last.data(),
                *next = next_.data();
  std::uint32_t count = 0;
  const TableView t = view();
  const auto link = [&](std::uint32_t occurrence, std::uint32_t later) {
    if (rows[later] != kNoRow) __builtin_prefetch(t.row(rows[later]), 1);
    const std::uint32_t row = rows[occurrence];
    if (row == kNoRow) return;
    RowHeader& h = header_of(t.row(row));
    next[occurrence] = kNoRow;
    if (h.stamp - base < count) {  // below base it wraps around to a large number
      next[last[h.stamp - base]] = occurrence;
    } else {
      preserve(row);
      h.set_seq(seq_);
      h.stamp = base + count;
      distinct[count] = row;
      first[count++] = occurrence;
    }
    last[h.stamp - base] = occurrence;
  };
  if (parts > 1) {
    owned_.for_each<kAhead>(part, link);
  } else {
    const auto n = static_cast<std::uint32_t>(rows.size());
    for (std::uint32_t i = 0; i < n; ++i) link(i, std::min(i + kAhead, n - 1));
  }
  p.distinct = count;
}

}  // namespace recsys_embed
