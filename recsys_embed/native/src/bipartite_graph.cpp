#include "recsys_embed/bipartite_graph.hpp"

#include <algorithm>

namespace recsys_embed {
namespace {

using Node = std::uint32_t;

// Where each value's entries begin when they are sorted by value.
template <class Values>
std::vector<std::size_t> starts_of(const Values& values, std::size_t count) {
  std::vector<std::size_t> starts(count + 1);
  for (const auto value : values) ++starts[static_cast<std::size_t>(value) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  return starts;
}

// The nodes of each label, label after label.
std::vector<Node> members_of(const std::vector<Node>& labels, std::vector<std::size_t> starts) {
  std::vector<Node> members(labels.size());
  for (Node node = 0; node < labels.size(); ++node) members[starts[labels[node]]++] = node;
  return members;
}

}  // namespace

BipartiteGraph graph_of(const Interactions& edges) {
  const std::size_t users = edges.num_users(), count = edges.items.size();
  std::vector<std::size_t> next = starts_of(edges.items, edges.num_items);
  BipartiteGraph graph;
  graph.offsets.assign(edges.offsets.begin(), edges.offsets.end());
  for (std::size_t i = 1; i < next.size(); ++i) graph.offsets.push_back(count + next[i]);
  graph.neighbors.resize(2 * count);
  if (edges.weights != nullptr) graph.weights.resize(2 * count);
  graph.user_weights.resize(users + edges.num_items);
  graph.item_weights.resize(users + edges.num_items);
  for (std::size_t user = 0; user < users; ++user) {
    for (std::size_t e = graph.offsets[user]; e < graph.offsets[user + 1]; ++e) {
      const auto item = static_cast<std::size_t>(edges.items[e]);
      const std::size_t back = count + next[item]++;
      graph.neighbors[e] = static_cast<Node>(users + item);
      graph.neighbors[back] = static_cast<Node>(user);
      if (edges.weights != nullptr) graph.weights[e] = graph.weights[back] = edges.weights[e];
      graph.user_weights[user] += edges.weight(e);
      graph.item_weights[users + item] += edges.weight(e);
    }
  }
  return graph;
}

BipartiteGraph aggregated(const BipartiteGraph& graph, const std::vector<Node>& labels, std::size_t count) {
  const std::vector<std::size_t> starts = starts_of(labels, count);
  const std::vector<Node> members = members_of(labels, starts);
  BipartiteGraph whole;
  whole.user_weights.resize(count);
  whole.item_weights.resize(count);
  std::vector<double> sums(count);
  std::vector<Node> met;
  for (Node cluster = 0; cluster < count; ++cluster) {
    for (std::size_t m = starts[cluster]; m < starts[cluster + 1]; ++m) {
      whole.user_weights[cluster] += graph.user_weights[members[m]];
      whole.item_weights[cluster] += graph.item_weights[members[m]];
      graph.for_each_edge(members[m], [&](Node other, double weight) {
        if (labels[other] == cluster) return;
        if (sums[labels[other]] == 0) met.push_back(labels[other]);
        sums[labels[other]] += weight;
      });
    }
    for (const Node other : met) {
      whole.neighbors.push_back(other);
      whole.weights.push_back(static_cast<float>(std::exchange(sums[other], 0.0)));
    }
    met.clear();
    whole.offsets.push_back(whole.neighbors.size());
  }
  return whole;
}

}  // namespace recsys_embed
