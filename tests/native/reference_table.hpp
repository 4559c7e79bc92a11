// A table as a std::map, one occurrence after the other: what recsys_embed::Table must agree with, to
// the bit. Only what is left open (how far a sweep has come) is taken from the table's own answers.
#pragma once

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "naive_steps.hpp"
#include "recsys_embed/table.hpp"

struct ReferenceRow {
  std::vector<float> weights, state;
  std::uint32_t last_seen, count;
  std::uint16_t feature;
  std::uint64_t seq;
  bool operator==(const ReferenceRow&) const = default;
};

using ReferenceRows = std::map<std::int64_t, ReferenceRow>;

struct ReferenceTable {
  using Ids = std::vector<std::int64_t>;
  struct Waiting {
    std::uint32_t count, last_seen;
    bool operator==(const Waiting&) const = default;
  };

  recsys_embed::TableOptions options;
  recsys_embed::RowLayout layout;
  ReferenceRows rows;
  std::map<std::int64_t, Waiting> waiting;
  std::map<std::int64_t, std::pair<std::uint64_t, recsys_embed::Reason>> lost;  // by id: when last, and why
  recsys_embed::Counters counters;
  std::uint64_t seq = 0;
  std::uint32_t clock = 0;

  explicit ReferenceTable(const recsys_embed::TableOptions& o) : options(o), layout(o.segments) {}

  std::vector<float> initial(std::int64_t id) const {
    std::vector<float> out(layout.dim);
    layout.initial_weights(options.key, id, out.data());
    return out;
  }
  std::vector<float> read(std::int64_t id) const {
    const auto row = rows.find(id);
    return row == rows.end() ? initial(id) : row->second.weights;
  }

  // Returns of each occurrence whether it has a row.
  std::vector<bool> train(const Ids& ids, const std::vector<recsys_embed::FeatureSpan>& spans,
                          std::uint32_t now, const recsys_embed::Evicted& told) {
    ++seq;
    clock = std::max(clock, now);
    if (options.sweep_rows != 0) expire_as_told(told, clock);
    check_lost(over_budget(), told, recsys_embed::Reason::kBudget);
    std::vector<bool> has_row;
    Ids met;  // rows whose time was over when an occurrence met them
    for (const auto& span : spans) {
      for (std::size_t i = span.begin; i < span.end; ++i)
        has_row.push_back(occur(ids[i], span.feature, now, met));
    }
    if (options.sweep_rows == 0) check_lost(met, told, recsys_embed::Reason::kExpired);
    CHECK(options.sweep_rows == 0 || met.empty(), met.front());
    return has_row;
  }

  void apply(const Ids& ids, const std::vector<bool>& has_row, const std::vector<std::vector<float>>& grads,
             const std::vector<float>& lr) {
    ++seq;
    std::map<std::int64_t, std::vector<float>> sums;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!has_row[i] || !rows.contains(ids[i])) {
        ++counters.dropped_gradients;
        continue;
      }
      auto& sum = sums.try_emplace(ids[i], layout.dim).first->second;
      for (std::size_t d = 0; d < layout.dim; ++d) sum[d] += grads[i][d];
    }
    for (const auto& [id, sum] : sums) {
      ReferenceRow& row = rows.at(id);
      naive::step(layout, lr, sum, row.weights.data(), row.state.data());
      row.seq = seq;
    }
  }

  void assign(const Ids& ids, const std::vector<float>& values, std::uint32_t now) {
    ++seq;
    clock = std::max(clock, now);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!rows.contains(ids[i])) insert(ids[i], 0, now, 1);
      ReferenceRow& row = rows.at(ids[i]);
      row.weights.assign(&values[i * layout.dim], &values[i * layout.dim] + layout.dim);
      row.last_seen = std::max(row.last_seen, now);
      row.seq = seq;
    }
  }

  Ids evict(const Ids& ids) {
    ++seq;
    Ids gone;
    for (const std::int64_t id : ids) {
      waiting.erase(id);
      if (lose(id, recsys_embed::Reason::kDeleted)) gone.push_back(id), ++counters.deleted;
    }
    return gone;
  }

  // A sweep of every row, or of some of them.
  void expire(std::uint32_t now, bool whole, const recsys_embed::Evicted& told) {
    ++seq;
    expire_as_told(told, now);
    if (!whole) return;
    for (const auto& [id, row] : rows) CHECK(!is_expired(row, now), id);
    std::erase_if(waiting, [&](const auto& w) { return is_old(w.second, now); });
  }

  Ids enforce_budget() { return ++seq, over_budget(); }

  bool is_expired(const ReferenceRow& row, std::uint32_t now) const {
    const std::uint32_t ttl = options.features[row.feature].ttl;
    return ttl != 0 && now >= row.last_seen && now - row.last_seen >= ttl;
  }
  // What changed after `since`: rows, and ids without one by the time when they lost it.
  ReferenceRows rows_after(std::uint64_t since) const {
    ReferenceRows out;
    for (const auto& [id, row] : rows) {
      if (row.seq > since) out[id] = row;
    }
    return out;
  }
  std::map<std::int64_t, std::pair<std::uint64_t, recsys_embed::Reason>> lost_after(
      std::uint64_t since) const {
    auto out = lost;
    std::erase_if(out, [&](const auto& l) { return l.second.first <= since || rows.contains(l.first); });
    return out;
  }

  // Counts wait as long as the most patient feature.
  bool is_old(const Waiting& w, std::uint32_t now) const {
    std::uint32_t longest = 0;
    for (const auto& rule : options.features) {
      if (rule.ttl == 0) return false;
      longest = std::max(longest, rule.ttl);
    }
    return now >= w.last_seen && now - w.last_seen >= longest;
  }

 private:
  bool occur(std::int64_t id, std::uint16_t feature, std::uint32_t now, Ids& met) {
    if (const auto row = rows.find(id); row != rows.end()) {
      if (row->second.seq == seq || !is_expired(row->second, clock)) return touch(row->second, feature, now);
      met.push_back(id);
      lose(id, recsys_embed::Reason::kExpired);
      ++counters.expired;
    }
    Waiting& w = waiting.try_emplace(id, Waiting{0, now}).first->second;
    if (is_old(w, clock)) w = {0, now};
    w = {w.count + 1, std::max(w.last_seen, now)};
    if (w.count < options.features[feature].threshold) return ++counters.filtered, false;
    insert(id, feature, now, w.count);
    return ++counters.admitted, true;
  }

  bool touch(ReferenceRow& row, std::uint16_t feature, std::uint32_t now) {
    row.last_seen = std::max(row.last_seen, now);
    row.seq = seq;
    ++row.count;
    const std::uint32_t held = options.features[row.feature].ttl, ttl = options.features[feature].ttl;
    if (held != 0 && (ttl == 0 || ttl > held)) row.feature = feature;
    return true;
  }

  void insert(std::int64_t id, std::uint16_t feature, std::uint32_t now, std::uint32_t count) {
    waiting.erase(id);
    std::vector<float> state;
    for (const auto& s : layout.segments) {
      if (s.optimizer.has_scalar()) state.push_back(s.optimizer.initial_scalar());
      state.insert(state.end(), std::size_t{s.dim} * s.optimizer.vectors(), s.optimizer.initial_vector());
    }
    rows[id] = {initial(id), state, now, count, feature, seq};
  }

  Ids over_budget() {
    Ids gone;
    if (options.max_rows == 0 || rows.size() <= options.max_rows) return gone;
    std::vector<std::tuple<std::uint64_t, std::uint64_t, std::int64_t>> ranked;
    for (const auto& [id, row] : rows) {
      ranked.emplace_back(options.victims == recsys_embed::Victims::kLeastFrequent ? row.count : 0, row.seq,
                          id);
    }
    std::sort(ranked.begin(), ranked.end());
    ranked.resize(rows.size() - (options.max_rows - options.max_rows / 16));
    for (const auto& [use, last, id] : ranked) {
      gone.push_back(id), lose(id, recsys_embed::Reason::kBudget), ++counters.evicted;
    }
    return gone;
  }

  void expire_as_told(const recsys_embed::Evicted& told, std::uint32_t now) {
    for (std::size_t k = 0; k < told.ids.size(); ++k) {
      if (told.reasons[k] != static_cast<std::uint8_t>(recsys_embed::Reason::kExpired)) continue;
      const auto row = rows.find(told.ids[k]);
      CHECK(row != rows.end() && is_expired(row->second, now), told.ids[k], now);
      lose(told.ids[k], recsys_embed::Reason::kExpired);
      ++counters.expired;
    }
  }

  bool lose(std::int64_t id, recsys_embed::Reason reason) {
    if (rows.erase(id) == 0) return false;
    lost[id] = {seq, reason};
    return true;
  }

  static void check_lost(const Ids& lost, const recsys_embed::Evicted& told, recsys_embed::Reason reason) {
    Ids said;
    for (std::size_t k = 0; k < told.ids.size(); ++k) {
      if (told.reasons[k] == static_cast<std::uint8_t>(reason)) said.push_back(told.ids[k]);
    }
    CHECK(said == lost, reason, said.size(), lost.size());
  }
};
