// Losing rows and giving their memory back: expiry, budget, deletion, compaction.
#include <algorithm>
#include <tuple>

#include "recsys_embed/table.hpp"

namespace recsys_embed {

void Table::remove(std::uint32_t row, Reason reason) {
  preserve(row);
  const std::int64_t id = header_of(storage_.row(row)).id;
  index_.erase(mix64(static_cast<std::uint64_t>(id)), row);
  if (is_tracking_) tombstones_.add(id, static_cast<std::uint8_t>(reason), seq_);
  storage_.release(row);
  ++moves_;
}

bool Table::is_expired(const RowHeader& header, std::uint32_t now) const {
  const std::uint32_t ttl = ttls_[header.feature];
  return ttl != 0 && now >= header.last_seen && now - header.last_seen >= ttl;
}

void Table::sweep(std::uint32_t now, std::size_t limit, Evicted& out) {
  constexpr std::uint32_t kAhead = 16;
  for (limit = std::min<std::size_t>(limit, storage_.end()); limit > 0; --limit, ++sweep_cursor_) {
    if (sweep_cursor_ >= storage_.end()) sweep_cursor_ = 0;
    if (sweep_cursor_ + kAhead < storage_.end()) __builtin_prefetch(storage_.row(sweep_cursor_ + kAhead));
    if (!storage_.is_live(sweep_cursor_)) continue;
    if (!is_expired(header_of(storage_.row(sweep_cursor_)), now)) continue;
    expire_row(sweep_cursor_, out);
  }
}

void Table::expire_row(std::uint32_t row, Evicted& out) {
  out.add(header_of(storage_.row(row)).id, Reason::kExpired);
  remove(row, Reason::kExpired);
  ++counters_.expired;
}

Evicted Table::expire(std::uint32_t now, std::size_t max_rows) {
  const AccessGate::Writer writer(gate_);
  ++seq_;
  Evicted out;
  sweep(now, max_rows, out);
  if (counts_ttl_ != 0) filter_.counts().sweep(now, counts_ttl_, max_rows);
  return out;
}

Evicted Table::enforce_budget() {
  const AccessGate::Writer writer(gate_);
  ++seq_;
  Evicted out;
  trim_to_budget(out);
  return out;
}

// The exact least rows, found by one pass over the headers; a sixteenth more than needed goes, so
// that the pass is paid for by many insertions.
void Table::trim_to_budget(Evicted& out) {
  const std::uint32_t budget = options_.max_rows;
  if (budget == 0 || storage_.size() <= budget) return;
  using Rank = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::uint32_t>;
  std::vector<Rank> ranks;
  ranks.reserve(storage_.size());
  for (std::uint32_t r = 0; r < storage_.end(); ++r) {
    if (!storage_.is_live(r)) continue;
    const RowHeader& h = header_of(storage_.row(r));
    const std::uint64_t first = options_.victims == Victims::kLeastFrequent ? h.count : 0;
    ranks.emplace_back(first, h.seq(), h.id, r);
  }
  const auto last = ranks.begin() + (storage_.size() - (budget - budget / 16));
  std::nth_element(ranks.begin(), last, ranks.end());
  std::sort(ranks.begin(), last);
  for (auto rank = ranks.begin(); rank != last; ++rank) {
    out.add(std::get<2>(*rank), Reason::kBudget);
    remove(std::get<3>(*rank), Reason::kBudget);
    ++counters_.evicted;
  }
}

Evicted Table::evict(std::span<const std::int64_t> ids) {
  const AccessGate::Writer writer(gate_);
  ++seq_;
  Evicted out;
  for (const std::int64_t id : ids) {
    filter_.counts().forget(id);
    const std::uint32_t row = find(id);
    if (row == kNoRow) continue;
    out.add(id, Reason::kDeleted);
    remove(row, Reason::kDeleted);
    ++counters_.deleted;
  }
  return out;
}

std::size_t Table::compact(std::size_t max_moves) {
  const AccessGate::Writer writer(gate_);
  return move_rows(max_moves);
}

// Moves the last rows into the first holes. What lies beyond the last row goes back to the system.
std::size_t Table::move_rows(std::size_t limit) {
  std::size_t moved = 0;
  storage_.trim();
  for (; moved < limit && storage_.holes() > 0; ++moved) {
    const std::uint32_t from = storage_.end() - 1;
    preserve(from);
    const std::uint32_t to = storage_.allocate();
    const std::byte* source = storage_.row(from);
    std::copy_n(source, layout_.stride, storage_.row(to));
    index_.relocate(mix64(static_cast<std::uint64_t>(header_of(source).id)), from, to);
    storage_.release(from);
    storage_.trim();
    ++moves_;
  }
  if (storage_.holes() == 0 && index_.may_shrink()) resize_index(index_.size() + index_.size() / 4);
  return moved;
}

}  // namespace recsys_embed
