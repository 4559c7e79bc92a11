// The rows of a table or a cut, read in small blocks.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "check.hpp"
#include "recsys_embed/table.hpp"
#include "reference_table.hpp"

// Room for some rows, column by column.
struct Block {
  std::size_t dim, width;
  std::vector<std::int64_t> ids;
  std::vector<float> weights, state;
  std::vector<std::uint32_t> last_seen, count;
  std::vector<std::uint16_t> feature;
  std::vector<std::uint64_t> seq;

  Block(const recsys_embed::RowLayout& layout, std::size_t n)
      : dim(layout.dim),
        width(layout.state_width),
        ids(n),
        weights(n * dim),
        state(n * width),
        last_seen(n),
        count(n),
        feature(n),
        seq(n) {}
  recsys_embed::RowColumns columns() {
    return {ids.data(),   weights.data(), state.data(), last_seen.data(),
            count.data(), feature.data(), seq.data()};
  }
  std::pair<std::int64_t, ReferenceRow> row(std::size_t k) const {
    const auto stretch = [k](const std::vector<float>& from, std::size_t n) {
      return std::vector<float>(from.data() + k * n, from.data() + (k + 1) * n);
    };
    return {ids[k],
            {stretch(weights, dim), stretch(state, width), last_seen[k], count[k], feature[k], seq[k]}};
  }
  void append_to(ReferenceRows& rows, std::size_t n) const {
    for (std::size_t k = 0; k < n; ++k) CHECK(rows.insert(row(k)).second, ids[k]);
  }
};

inline ReferenceRows rows_of(const recsys_embed::Table& table) {
  ReferenceRows rows;
  Block block(table.layout(), 37);
  std::uint32_t cursor = 0;
  while (const std::size_t n = table.read_rows(cursor, 37, block.columns())) block.append_to(rows, n);
  CHECK(rows.size() == table.size(), rows.size(), table.size());
  return rows;
}

// One number for everything a table holds, in the order in which it holds it.
inline std::uint64_t fingerprint(const recsys_embed::Table& table) {
  recsys_embed::Xxh64 hash;
  Block block(table.layout(), 1000);
  std::uint32_t cursor = 0;
  const auto add = [&hash](const auto& column, std::size_t n) {
    hash.update(column.data(), n * sizeof column[0]);
  };
  while (const std::size_t n = table.read_rows(cursor, 1000, block.columns())) {
    add(block.ids, n), add(block.weights, n * block.dim), add(block.state, n * block.width);
    add(block.last_seen, n), add(block.count, n), add(block.feature, n), add(block.seq, n);
  }
  return hash.digest();
}

// A cut, or the changes after `since`, with what the table knew beside its rows; closed when it goes.
struct OpenCut {
  recsys_embed::Table& table;
  recsys_embed::Facts facts;
  std::vector<recsys_embed::Tombstone> lost;
  std::shared_ptr<recsys_embed::Cut> cut;

  explicit OpenCut(recsys_embed::Table& t) : table(t), cut(t.begin_cut(facts)) {}
  OpenCut(recsys_embed::Table& t, std::uint64_t since)
      : table(t), cut(t.begin_changes(since, true, facts, lost)) {
    t.find_changed(*cut);
  }
  ~OpenCut() { table.end_cut(cut); }
  OpenCut(const OpenCut&) = delete;

  // Reads up to `limit` rows from `row` on, and returns where to go on.
  std::uint32_t read(std::uint32_t row, std::uint32_t last, std::size_t limit, ReferenceRows& rows) {
    Block block(table.layout(), limit);
    std::size_t n = 0;
    row = table.read_cut(*cut, row, last, limit, block.columns(), n);
    block.append_to(rows, n);
    return row;
  }
};

inline Block block_of(const recsys_embed::RowLayout& layout, const ReferenceRows& rows) {
  Block block(layout, rows.size());
  std::size_t k = 0;
  for (const auto& [id, row] : rows) {
    block.ids[k] = id;
    std::copy(row.weights.begin(), row.weights.end(),
              block.weights.begin() + static_cast<std::ptrdiff_t>(k * block.dim));
    std::copy(row.state.begin(), row.state.end(),
              block.state.begin() + static_cast<std::ptrdiff_t>(k * block.width));
    std::tie(block.last_seen[k], block.count[k], block.feature[k], block.seq[k]) =
        std::tuple(row.last_seen, row.count, row.feature, row.seq);
    ++k;
  }
  return block;
}

inline void restore(recsys_embed::Table& table, const ReferenceRows& rows, const recsys_embed::Facts& facts) {
  Block block = block_of(table.layout(), rows);
  table.restore_rows(rows.size(), block.columns());
  table.restore_meta(facts.seq, facts.clock, facts.counters);
  table.restore_counts(facts.filter_counts);
}

// Makes changes that were read from one table to another.
inline void apply(recsys_embed::Table& table, const ReferenceRows& rows,
                  const std::vector<recsys_embed::Tombstone>& lost, const recsys_embed::Facts& facts) {
  Block block = block_of(table.layout(), rows);
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> reasons;
  for (const auto& t : lost) ids.push_back(t.id), reasons.push_back(static_cast<std::uint8_t>(t.reason));
  table.apply_changes(rows.size(), block.columns(), ids, reasons.data(),
                      {facts.seq, facts.clock, &facts.counters, &facts.filter_counts, facts.filter_cells});
}
