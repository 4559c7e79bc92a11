// Reading: many lookups at once, none of which changes anything.
#include <algorithm>

#include "recsys_embed/missing_rows.hpp"
#include "recsys_embed/spread.hpp"
#include "recsys_embed/table.hpp"

namespace recsys_embed {

namespace {

// A lookup's candidates; kept by each calling thread, since fresh pages cost as much as the lookup.
std::uint32_t* candidates_of_thread(std::size_t n) {
  thread_local std::vector<std::uint32_t> held;
  if (held.size() < n) held.resize(n);
  return held.data();
}

}  // namespace

TableView Table::view() const {
  return {index_.groups(), index_.mask(), storage_.chunks(), layout_.stride, layout_.dim};
}

std::uint32_t Table::find(std::int64_t id) const {
  return index_.find(mix64(static_cast<std::uint64_t>(id)),
                     [&](std::uint32_t r) { return header_of(storage_.row(r)).id == id; });
}

void Table::find_all(ThreadPool& pool, std::span<const std::int64_t> ids, std::uint32_t* candidates) const {
  const TableView t = view();
  spread(pool, ids.size(), [&](std::size_t, std::size_t first, std::size_t last) {
    kernels().find(t, ids.data() + first, last - first, candidates + first);
  });
}

std::vector<std::uint32_t> Table::missing_of(std::span<const std::int64_t> ids, std::uint32_t* rows) const {
  constexpr std::size_t kAhead = 24;
  std::vector<std::uint32_t> missing;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i + kAhead < ids.size() && rows[i + kAhead] != kNoRow) {
      __builtin_prefetch(storage_.row(rows[i + kAhead]));
    }
    if (rows[i] != kNoRow && header_of(storage_.row(rows[i])).id != ids[i]) rows[i] = find(ids[i]);
    if (rows[i] == kNoRow) missing.push_back(static_cast<std::uint32_t>(i));
  }
  return missing;
}

void Table::refuse_missing(std::span<const std::int64_t> ids, std::uint32_t* rows) const {
  const std::vector<std::uint32_t> missing = missing_of(ids, rows);
  if (missing.empty()) return;
  std::vector<std::int64_t> some;
  for (std::size_t k = 0; k < std::min<std::size_t>(5, missing.size()); ++k) some.push_back(ids[missing[k]]);
  throw MissingIds(std::move(some), missing.size());
}

void Table::lookup(std::span<const std::int64_t> ids, float* out, std::size_t stride,
                   const Missing& missing) const {
  const auto pool = Threads::pool();
  std::uint32_t* rows = candidates_of_thread(ids.size());
  const AccessGate::Reader reader(gate_);
  find_all(*pool, ids, rows);
  if (missing.policy == MissingPolicy::kError) refuse_missing(ids, rows);
  std::atomic<std::size_t> absent = 0;
  spread(*pool, ids.size(), [&](std::size_t, std::size_t first, std::size_t last) {
    MissingRows rest(*this, ids, missing, true);
    kernels().gather(view(), ids.data(), rows, first, last, out, stride, rest.callback(), nullptr);
    absent += rest.count();
  });
  lookups_ += ids.size();
  hits_ += ids.size() - absent;
}

void Table::lookup_pooled(std::span<const std::int64_t> ids, const Bags& bags, const BagOutput& out,
                          const Missing& missing) const {
  const auto pool = Threads::pool();
  std::uint32_t* rows = candidates_of_thread(ids.size());
  const AccessGate::Reader reader(gate_);
  find_all(*pool, ids, rows);
  if (missing.policy == MissingPolicy::kError) refuse_missing(ids, rows);
  std::atomic<std::size_t> absent = 0;
  spread_bags(*pool, bags.offsets, bags.count, [&](std::size_t, std::size_t first, std::size_t last) {
    MissingRows rest(*this, ids, missing, true);
    kernels().pool(view(), ids.data(), rows, bags.offsets, first, last, bags.weights, bags.pooling, out,
                   rest.callback(), nullptr);
    absent += rest.count();
  });
  lookups_ += ids.size();
  hits_ += ids.size() - absent;
}

void Table::contains(std::span<const std::int64_t> ids, bool* out) const {
  const auto pool = Threads::pool();
  std::uint32_t* rows = candidates_of_thread(ids.size());
  const AccessGate::Reader reader(gate_);
  find_all(*pool, ids, rows);
  std::fill_n(out, ids.size(), true);
  for (const std::uint32_t i : missing_of(ids, rows)) out[i] = false;
}

void Table::initial_values(std::span<const std::int64_t> ids, float* out) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    layout_.initial_weights(options_.key, ids[i], out + i * layout_.dim);
  }
}

std::size_t Table::size() const {
  const AccessGate::Reader reader(gate_);
  return storage_.size();
}

std::size_t Table::bytes() const {
  const AccessGate::Reader reader(gate_);
  return storage_.bytes() + index_.bytes() + filter_.bytes() + tombstones_.bytes();
}

std::size_t Table::index_bytes() const {
  const AccessGate::Reader reader(gate_);
  return index_.bytes();
}

double Table::load() const {
  const AccessGate::Reader reader(gate_);
  return static_cast<double>(index_.size()) / static_cast<double>(index_.slots());
}

std::uint64_t Table::seq() const {
  const AccessGate::Reader reader(gate_);
  return seq_;
}

std::uint32_t Table::clock() const {
  const AccessGate::Reader reader(gate_);
  return clock_;
}

Counters Table::counters() const {
  const AccessGate::Reader reader(gate_);
  return counters_;
}

}  // namespace recsys_embed
