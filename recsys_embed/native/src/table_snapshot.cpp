// Rows out of the table and back into it, column by column.
#include <algorithm>
#include <stdexcept>

#include "recsys_embed/table.hpp"

namespace recsys_embed {

namespace {

void write_row(const RowLayout& layout, const std::byte* row, std::size_t k, const RowColumns& out) {
  const RowHeader& h = header_of(row);
  out.ids[k] = h.id;
  std::memcpy(out.weights + k * layout.dim, weights_of(row), layout.dim * sizeof(float));
  layout.read_state(row, out.state + k * layout.state_width);
  out.last_seen[k] = h.last_seen;
  out.count[k] = h.count;
  out.feature[k] = h.feature;
  out.seq[k] = h.seq();
}

}  // namespace

std::size_t Table::read_rows(std::uint32_t& cursor, std::size_t limit, const RowColumns& out) const {
  const AccessGate::Reader reader(gate_);
  std::size_t n = 0;
  for (; cursor < storage_.end() && n < limit; ++cursor) {
    if (storage_.is_live(cursor)) write_row(layout_, storage_.row(cursor), n++, out);
  }
  return n;
}

Facts Table::facts(bool admission) const {
  Facts out{seq_, clock_, counters_, {}, {}};
  if (!admission) return out;
  out.filter_cells = filter_.sketch().cells();
  out.filter_counts.reserve(filter_.counts().size());
  for (const IdCounts::Entry& e : filter_.counts().entries()) {
    if (e.count != 0) out.filter_counts.push_back(e);
  }
  return out;
}

std::shared_ptr<Cut> Table::begin_cut(Facts& out) {
  const AccessGate::Writer writer(gate_);
  out = facts(true);
  cuts_.push_back(std::make_shared<Cut>(storage_.live_words(), storage_.end(), layout_.stride));
  return cuts_.back();
}

void Table::end_cut(const std::shared_ptr<Cut>& cut) {
  const AccessGate::Writer writer(gate_);
  std::erase(cuts_, cut);
}

// Apart from preserve(), so that loops over rows hold nothing of it but the question.
void Table::preserve_in_cuts(std::uint32_t row) {
  for (const auto& cut : cuts_) cut->preserve(row, storage_.row(row));
}

std::uint32_t Table::read_cut(Cut& cut, std::uint32_t first, std::uint32_t last, std::size_t limit,
                              const RowColumns& out, std::size_t& count) const {
  const AccessGate::Reader reader(gate_);
  const auto is_it = [&cut](const auto& open) { return open.get() == &cut; };
  if (std::none_of(cuts_.begin(), cuts_.end(), is_it)) {
    throw std::logic_error("the cut is closed; take another");
  }
  count = 0;
  return cut.visit(
      first, last, limit, [&](std::uint32_t row) -> const std::byte* { return storage_.row(row); },
      [&](const std::byte* row) { write_row(layout_, row, count++, out); });
}

void Table::restore_rows(std::size_t n, const RowColumns& in) {
  const AccessGate::Writer writer(gate_);
  if (is_tracking_) throw std::invalid_argument("its changes are tracked; restore it first, then track them");
  for (std::size_t k = 0; k < n; ++k) {
    if (in.feature[k] >= options_.features.size())
      throw std::invalid_argument("a row names a feature the table lacks");
    if (find(in.ids[k]) != kNoRow) {
      throw std::invalid_argument("id " + std::to_string(in.ids[k]) + " is in the table already");
    }
  }
  std::vector<std::int64_t> sorted(in.ids, in.ids + n);
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    throw std::invalid_argument("id " + std::to_string(*twice) + " stands twice in one block of rows");
  }
  for (std::size_t k = 0; k < n; ++k) {
    const std::uint32_t row = insert(in.ids[k], in.feature[k], in.last_seen[k], in.count[k]);
    std::byte* bytes = storage_.row(row);
    std::memcpy(weights_of(bytes), in.weights + k * layout_.dim, layout_.dim * sizeof(float));
    layout_.write_state(bytes, in.state + k * layout_.state_width);
    header_of(bytes).set_seq(in.seq[k]);
  }
  new_rows_.clear();
}

void Table::restore_meta(std::uint64_t seq, std::uint32_t clock, const Counters& counters) {
  const AccessGate::Writer writer(gate_);
  if (is_tracking_) throw std::invalid_argument("its changes are tracked; restore it first, then track them");
  seq_ = seq;
  clock_ = clock;
  counters_ = counters;
}

void Table::restore_counts(std::span<const IdCounts::Entry> entries) {
  const AccessGate::Writer writer(gate_);
  for (const IdCounts::Entry& entry : entries) filter_.counts().restore(entry);
}

void Table::restore_sketch(std::span<const std::uint32_t> cells) {
  const AccessGate::Writer writer(gate_);
  if (cells.size() != filter_.sketch().cells().size())
    throw std::invalid_argument("the sketch has another size");
  std::copy(cells.begin(), cells.end(), filter_.sketch().cells().begin());
}

}  // namespace recsys_embed
