// Graphs whose nodes weigh differently as users and as items, and partitions of their nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace recsys_embed {

// Users with their items; the caller has checked that offsets do not decrease, that items are below
// num_items and that weights are positive.
struct Interactions {
  std::span<const std::int64_t> offsets;  // of the users, one more than there are
  std::span<const std::int32_t> items;
  const float* weights;  // one an edge; null: all 1
  std::size_t num_items;

  std::size_t num_users() const { return offsets.size() - 1; }
  double weight(std::size_t edge) const { return weights == nullptr ? 1.0 : weights[edge]; }
};

// Each edge stands with both of its ends. A node that stands for a whole cluster weighs on both sides,
// and the edges inside it are left out: no move changes what they count for.
struct BipartiteGraph {
  std::vector<std::size_t> offsets = {0};
  std::vector<std::uint32_t> neighbors;
  std::vector<float> weights;                      // empty: all 1
  std::vector<double> user_weights, item_weights;  // of each node

  std::size_t size() const { return user_weights.size(); }

  template <class Visit>
  void for_each_edge(std::uint32_t node, Visit&& visit) const {
    for (std::size_t e = offsets[node]; e < offsets[node + 1]; ++e) {
      visit(neighbors[e], weights.empty() ? 1.0 : double{weights[e]});
    }
  }
};

BipartiteGraph graph_of(const Interactions& edges);

// Each label becomes a node; labels are [0, count).
BipartiteGraph aggregated(const BipartiteGraph& graph, const std::vector<std::uint32_t>& labels,
                          std::size_t count);

// Renumbers labels below labels.size() by first appearance and says how many there are.
inline std::size_t make_dense(std::vector<std::uint32_t>& labels) {
  std::vector<std::uint32_t> numbers(labels.size(), UINT32_MAX);
  std::uint32_t count = 0;
  for (std::uint32_t& label : labels) {
    if (numbers[label] == UINT32_MAX) numbers[label] = count++;
    label = numbers[label];
  }
  return count;
}

inline std::vector<std::uint32_t> numbered(std::size_t count) {
  std::vector<std::uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0U);
  return numbers;
}

// A cluster for every node, with the clusters' sizes and weights kept up to date.
class Partition {
 public:
  Partition(const BipartiteGraph& graph, std::vector<std::uint32_t> labels)
      : graph_(graph), labels_(std::move(labels)), totals_(graph.size()) {
    for (std::size_t node = 0; node < graph.size(); ++node) add(labels_[node], node, 1.0);
    for (std::size_t c = graph.size(); c-- > 0;) {
      if (totals_[c].nodes == 0) empty_.push_back(static_cast<std::uint32_t>(c));
    }
  }

  struct Totals {
    double users = 0, items = 0;
    std::uint32_t nodes = 0;
  };

  std::uint32_t operator[](std::uint32_t node) const { return labels_[node]; }
  const Totals& totals(std::uint32_t cluster) const { return totals_[cluster]; }
  std::vector<std::uint32_t> take_labels() { return std::move(labels_); }

  // What the null model takes off a cluster's edges to the node; its own weights do not count.
  double expected(std::uint32_t node, std::uint32_t cluster) const {
    const double users = graph_.user_weights[node], items = graph_.item_weights[node];
    const Totals& t = totals_[cluster];
    const bool own = labels_[node] == cluster;
    return users * (t.items - (own ? items : 0)) + items * (t.users - (own ? users : 0));
  }

  void move(std::uint32_t node, std::uint32_t to) {
    const std::uint32_t from = labels_[node];
    add(from, node, -1.0);
    add(to, node, 1.0);
    labels_[node] = to;
    if (totals_[from].nodes == 0) empty_.push_back(from);
  }

  // There is one whenever some cluster has two nodes. The caller moves a node into it.
  std::uint32_t take_empty() {
    const std::uint32_t cluster = empty_.back();
    empty_.pop_back();
    return cluster;
  }

 private:
  void add(std::uint32_t cluster, std::size_t node, double sign) {
    Totals& t = totals_[cluster];
    t.users += sign * graph_.user_weights[node];
    t.items += sign * graph_.item_weights[node];
    t.nodes += sign > 0 ? 1U : UINT32_MAX;
  }

  const BipartiteGraph& graph_;
  std::vector<std::uint32_t> labels_, empty_;
  std::vector<Totals> totals_;
};

}  // namespace recsys_embed
