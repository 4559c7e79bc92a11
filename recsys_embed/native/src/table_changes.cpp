// What has changed in a table since a moment, and the same changes made to another table.
#include <algorithm>
#include <stdexcept>

#include "recsys_embed/spread.hpp"
#include "recsys_embed/table.hpp"

namespace recsys_embed {

namespace {

// Keeps the last tombstone of each id.
void drop_repeated(std::vector<Tombstone>& lost) {
  IdCounts met;
  const auto is_repeated = [&met](const Tombstone& t) { return met.add(t.id, {0, 0, 0}) > 1; };
  std::reverse(lost.begin(), lost.end());
  std::erase_if(lost, is_repeated);
  std::reverse(lost.begin(), lost.end());
}

std::string told(std::uint64_t since, const std::string& rest) {
  return "cannot give the changes after " + std::to_string(since) + ": " + rest;
}

}  // namespace

void Table::track_changes(bool on) {
  const AccessGate::Writer writer(gate_);
  if (on == is_tracking_) return;
  is_tracking_ = on;
  tracked_from_ = seq_;
  tombstones_.clear();
}

void Table::forget_changes(std::uint64_t seq) {
  const AccessGate::Writer writer(gate_);
  tracked_from_ = std::max(tracked_from_, std::min(seq, seq_));
  tombstones_.forget(tracked_from_);
}

std::shared_ptr<Cut> Table::begin_changes(std::uint64_t since, bool admission, Facts& out,
                                          std::vector<Tombstone>& lost) {
  const auto pool = Threads::pool();
  std::shared_ptr<Cut> cut;
  {
    const AccessGate::Writer writer(gate_);
    refuse_since(since);
    out = facts(admission);
    lost = lost_after(*pool, since);
    cut = std::make_shared<Cut>(storage_.live_words(), storage_.end(), layout_.stride, since);
    cuts_.push_back(cut);
  }
  drop_repeated(lost);
  return cut;
}

void Table::refuse_since(std::uint64_t since) const {
  if (!is_tracking_)
    throw std::invalid_argument(told(since, "they are not tracked; call track_changes first"));
  if (since < tracked_from_) {
    throw std::invalid_argument(told(since, "those up to " + std::to_string(tracked_from_) +
                                                " are not known; take a snapshot, and go on from there"));
  }
  if (since > seq_) {
    throw std::invalid_argument(
        told(since, "the table has come to " + std::to_string(seq_) + "; the cursor is another table's"));
  }
}

// The tombstones whose ids have no row.
std::vector<Tombstone> Table::lost_after(ThreadPool& pool, std::uint64_t since) {
  const std::vector<Tombstone> all = tombstones_.after(since);
  std::vector<std::int64_t> ids(all.size());
  std::transform(all.begin(), all.end(), ids.begin(), [](const Tombstone& t) { return t.id; });
  found_.resize(ids.size());
  find_all(pool, ids, found_.data());
  std::vector<Tombstone> lost;
  for (const std::uint32_t i : missing_of(ids, found_.data())) lost.push_back(all[i]);
  return lost;
}

void Table::find_changed(Cut& cut) const {
  constexpr std::uint32_t kRows = 1U << 16;  // writers wait for so many at most
  const auto pool = Threads::pool();
  for (std::uint64_t first = 0; first < cut.end(); first += kRows) {
    const AccessGate::Reader reader(gate_);
    const std::uint64_t words = (std::min<std::uint64_t>(kRows, cut.end() - first) + 63) / 64;
    const std::size_t parts = parts_for(*pool, words * 64);
    pool->run(parts, [&](std::size_t part) {
      const auto start = static_cast<std::uint32_t>(first + words * part / parts * 64);
      const auto end = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(first + words * (part + 1) / parts * 64, cut.end()));
      cut.leave_out_unchanged(start, end, [&](std::uint32_t row) { return storage_.row(row); });
    });
  }
}

void Table::apply_changes(std::size_t n, const RowColumns& in, std::span<const std::int64_t> lost,
                          const std::uint8_t* reasons, const Moment& moment) {
  const auto pool = Threads::pool();
  const AccessGate::Writer writer(gate_);
  refuse_unfit(n, in, moment);
  seq_ = moment.seq;
  clock_ = moment.clock;
  for (std::size_t k = 0; k < lost.size(); ++k) {
    if (const std::uint32_t row = find(lost[k]); row != kNoRow) remove(row, static_cast<Reason>(reasons[k]));
  }
  const std::span<const std::int64_t> ids(in.ids, n);
  found_.resize(n);
  find_all(*pool, ids, found_.data());
  for (const std::uint32_t i : missing_of(ids, found_.data())) {
    found_[i] = find(ids[i]);
    if (found_[i] == kNoRow) found_[i] = insert(ids[i], in.feature[i], in.last_seen[i], in.count[i]);
  }
  new_rows_.clear();
  write_rows(*pool, n, in);
  if (moment.counters != nullptr) counters_ = *moment.counters;
  if (moment.filter_counts != nullptr) {
    filter_.counts().clear();
    for (const IdCounts::Entry& entry : *moment.filter_counts) filter_.counts().restore(entry);
  }
  std::copy(moment.filter_cells.begin(), moment.filter_cells.end(), filter_.sketch().cells().begin());
}

void Table::refuse_unfit(std::size_t n, const RowColumns& in, const Moment& moment) const {
  const auto is_unknown = [this](std::uint16_t feature) { return feature >= options_.features.size(); };
  if (std::any_of(in.feature, in.feature + n, is_unknown))
    throw std::invalid_argument("a row names a feature the table lacks");
  if (!moment.filter_cells.empty() && moment.filter_cells.size() != filter_.sketch().cells().size())
    throw std::invalid_argument("the sketch has another size");
  if (moment.seq < seq_) throw std::invalid_argument("the table has come further than the changes go");
}

// Each thread the rows that it owns, in order: of a row that comes twice the last one stays.
void Table::write_rows(ThreadPool& pool, std::size_t n, const RowColumns& in) {
  constexpr std::size_t kAhead = 8;
  const auto write = [&](std::size_t k, std::size_t later) {
    const std::byte* next = storage_.row(found_[later]);
    for (std::uint32_t line = 0; line < layout_.stride; line += 64) __builtin_prefetch(next + line, 1);
    preserve(found_[k]);
    std::byte* row = storage_.row(found_[k]);
    RowHeader& h = header_of(row);
    h.last_seen = in.last_seen[k];
    h.count = in.count[k];
    h.feature = in.feature[k];
    h.set_seq(in.seq[k]);
    std::memcpy(weights_of(row), in.weights + k * layout_.dim, layout_.dim * sizeof(float));
    layout_.write_state(row, in.state + k * layout_.state_width);
  };
  const std::size_t owners = parts_for(pool, n);
  if (owners == 1) {
    for (std::size_t k = 0; k < n; ++k) write(k, std::min(k + kAhead, n - 1));
    return;
  }
  owned_.begin(stretches_for(pool, n), owners, n);
  spread(pool, n, [&](std::size_t stretch, std::size_t first, std::size_t last) {
    owned_.deal(stretch, found_.data(), first, last);
  });
  pool.run(owners, [&](std::size_t owner) { owned_.for_each<kAhead>(owner, write); });
}

}  // namespace recsys_embed
