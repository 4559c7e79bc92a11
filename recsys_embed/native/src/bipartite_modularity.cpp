#include "recsys_embed/bipartite_modularity.hpp"

#include <algorithm>

#include "recsys_embed/hash.hpp"

namespace recsys_embed {
namespace {

using Node = std::uint32_t;
using Labels = std::vector<Node>;

constexpr std::size_t kMaxRounds = 1000;

Labels shuffled(std::size_t count, std::uint64_t seed) {
  Labels order = numbered(count);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[mix64(i, seed) % i]);
  return order;
}

// The weight of a node's edges to each cluster it touches.
class Touched {
 public:
  explicit Touched(std::size_t clusters) : sums_(clusters) {}

  void add(Node cluster, double weight) {
    if (sums_[cluster] == 0) met_.push_back(cluster);
    sums_[cluster] += weight;
  }
  double operator[](Node cluster) const { return sums_[cluster]; }
  const Labels& met() const { return met_; }
  void clear() {
    for (const Node cluster : met_) sums_[cluster] = 0;
    met_.clear();
  }

 private:
  std::vector<double> sums_;
  Labels met_;
};

class Search {
 public:
  // Gains below `least` are rounding: following them might never end.
  Search(const BipartiteGraph& graph, double penalty, double least, std::uint64_t seed)
      : graph_(graph), penalty_(penalty), least_(least), seed_(seed), touched_(graph.size()) {}

  // Moves nodes to where they gain most until no move gains; true if one did. Who gains nothing where
  // it is stays alone.
  bool move_nodes(Partition& partition) {
    Labels round = shuffled(graph_.size(), seed_), next;
    std::vector<std::uint8_t> waits(graph_.size(), 1);
    bool moved = false;
    for (std::size_t r = 0; r < kMaxRounds && !round.empty(); ++r) {
      for (const Node node : round) {
        waits[node] = 0;
        const Node to = best_cluster(partition, node);
        if (to == partition[node]) continue;
        partition.move(node, to);
        moved = true;
        graph_.for_each_edge(node, [&](Node other, double) {
          if (waits[other] != 0 || partition[other] == to) return;
          waits[other] = 1;
          next.push_back(other);
        });
      }
      round.swap(next);
      next.clear();
    }
    return moved;
  }

  // Leiden's refinement: inside each cluster nodes gather anew, from one each, by the best gain.
  Labels refined(const Labels& clusters) {
    const Partition whole(graph_, clusters);
    Partition parts(graph_, numbered(graph_.size()));
    std::vector<double> inside(graph_.size());  // of each part: edges to the rest of its cluster
    for (Node node = 0; node < graph_.size(); ++node) {
      graph_.for_each_edge(node, [&](Node other, double weight) {
        if (clusters[other] == clusters[node]) inside[node] += weight;
      });
    }
    const auto is_well_connected = [&](Node part, Node cluster) {
      const auto &p = parts.totals(part), &c = whole.totals(cluster);
      return inside[part] >= penalty_ * (p.users * (c.items - p.items) + p.items * (c.users - p.users));
    };
    for (const Node node : shuffled(graph_.size(), ~seed_)) {
      const Node cluster = clusters[node];
      if (parts[node] != node || parts.totals(node).nodes != 1 || !is_well_connected(node, cluster)) continue;
      graph_.for_each_edge(node, [&](Node other, double weight) {
        if (clusters[other] == cluster) touched_.add(parts[other], weight);
      });
      double most = least_;
      Node best = node;
      for (const Node part : touched_.met()) {
        const double gain = touched_[part] - penalty_ * parts.expected(node, part);
        if (gain > most && is_well_connected(part, cluster)) most = gain, best = part;
      }
      if (best != node) {
        parts.move(node, best);
        inside[best] += inside[node] - 2 * touched_[best];
      }
      touched_.clear();
    }
    return parts.take_labels();
  }

 private:
  Node best_cluster(Partition& partition, Node node) {
    const Node own = partition[node];
    graph_.for_each_edge(node, [&](Node other, double weight) { touched_.add(partition[other], weight); });
    double most = touched_[own] - penalty_ * partition.expected(node, own) + least_;
    Node best = own;
    for (const Node cluster : touched_.met()) {
      const double gain = touched_[cluster] - penalty_ * partition.expected(node, cluster);
      if (cluster != own && gain > most) most = gain, best = cluster;
    }
    touched_.clear();
    return most <= least_ && partition.totals(own).nodes > 1 ? partition.take_empty() : best;
  }

  const BipartiteGraph& graph_;
  double penalty_, least_;
  std::uint64_t seed_;
  Touched touched_;
};

// What each old label becomes, where `finer` splits the nodes of `labels` further.
Labels labels_of(const Labels& finer, std::size_t count, const Labels& labels) {
  Labels coarse(count);
  for (std::size_t node = 0; node < labels.size(); ++node) coarse[finer[node]] = labels[node];
  return coarse;
}

class Levels {
 public:
  Levels(const Interactions& edges, const ModularityOptions& options)
      : ground_(graph_of(edges)), refines_(options.refines) {
    double total = 0;
    for (const double weight : ground_.user_weights) total += weight;
    penalty_ = options.resolution / total;
    least_ = 1e-10 * total / static_cast<double>(edges.items.size());
  }

  // One climb from the nodes to clusters of clusters; false if it changed nothing.
  bool climb(Labels& labels, std::uint64_t seed) const {
    Labels at = numbered(ground_.size()), level_labels = labels;
    BipartiteGraph held;
    const BipartiteGraph* graph = &ground_;
    bool changed = false;
    for (std::uint64_t level = 0;; ++level) {
      Search search(*graph, penalty_, least_, mix64(seed, level));
      Partition partition(*graph, std::move(level_labels));
      changed |= search.move_nodes(partition);
      Labels coarse = partition.take_labels();
      make_dense(coarse);
      Labels finer = refines_ ? search.refined(coarse) : coarse;
      const std::size_t count = make_dense(finer);
      level_labels = labels_of(finer, count, coarse);
      for (Node& node : at) node = finer[node];
      if (count == graph->size()) break;
      held = aggregated(*graph, finer, count);
      graph = &held;
    }
    for (std::size_t node = 0; node < at.size(); ++node) labels[node] = level_labels[at[node]];
    return changed;
  }

 private:
  BipartiteGraph ground_;
  bool refines_;
  double penalty_ = 0, least_ = 0;
};

}  // namespace

std::vector<std::uint32_t> maximize_modularity(const Interactions& edges, const ModularityOptions& options,
                                               std::vector<std::uint32_t> start) {
  const Levels levels(edges, options);
  Labels labels = start.empty() ? numbered(edges.num_users() + edges.num_items) : std::move(start);
  for (std::size_t i = 0; i < options.iterations; ++i) {
    if (!levels.climb(labels, mix64(i, options.seed))) break;
  }
  make_dense(labels);
  return labels;
}

}  // namespace recsys_embed
