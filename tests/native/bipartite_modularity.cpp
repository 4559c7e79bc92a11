// Clusters of users and items: planted ones are found, no single move is left that gains, any start
// and any weights do, and equal calls give equal labels.
#include "recsys_embed/bipartite_modularity.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "check.hpp"
#include "recsys_embed/hash.hpp"

using namespace recsys_embed;

namespace {

using Labels = std::vector<std::uint32_t>;

struct Edges {
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> items;
  std::vector<float> weights;
  std::size_t num_items = 0;

  Interactions view() const {
    return {offsets, items, weights.empty() ? nullptr : weights.data(), num_items};
  }
  std::size_t num_users() const { return offsets.size() - 1; }
};

Edges random_edges(std::size_t users, std::size_t num_items, std::uint64_t share, bool weighted,
                   std::uint64_t seed) {
  Edges edges;
  edges.num_items = num_items;
  for (std::size_t u = 0; u < users; ++u) {
    for (std::size_t i = 0; i < num_items; ++i) {
      const std::uint64_t bits = mix64(u * num_items + i, seed);
      if (bits % 100 >= share) continue;
      edges.items.push_back(static_cast<std::int32_t>(i));
      if (weighted) edges.weights.push_back(static_cast<float>(1 + bits / 100 % 7) / 4);
    }
    edges.offsets.push_back(static_cast<std::int64_t>(edges.items.size()));
  }
  return edges;
}

// Barber's sum, pair by pair.
double modularity(const Edges& edges, const Labels& labels, double resolution) {
  std::vector<double> matrix(edges.num_users() * edges.num_items), user(edges.num_users()),
      item(edges.num_items);
  double total = 0, sum = 0;
  for (std::size_t u = 0; u < user.size(); ++u) {
    for (auto e = static_cast<std::size_t>(edges.offsets[u]);
         e < static_cast<std::size_t>(edges.offsets[u + 1]); ++e) {
      const auto i = static_cast<std::size_t>(edges.items[e]);
      const double w = edges.view().weight(e);
      matrix[u * item.size() + i] += w, user[u] += w, item[i] += w, total += w;
    }
  }
  for (std::size_t u = 0; u < user.size(); ++u) {
    for (std::size_t i = 0; i < item.size(); ++i) {
      if (labels[u] != labels[user.size() + i]) continue;
      sum += matrix[u * item.size() + i] - resolution * user[u] * item[i] / total;
    }
  }
  return sum / total;
}

void no_single_move_gains() {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Edges edges = random_edges(9, 7, 30, seed % 2 == 1, seed);
    if (edges.items.empty()) continue;
    const double resolution = seed % 3 == 0 ? 2.0 : 1.0;
    // Leiden's last words are moves of whole parts: only Louvain's iterations end without a gain.
    Labels labels = maximize_modularity(edges.view(), {resolution, false, 100, seed}, {});
    const double reached = modularity(edges, labels, resolution);
    for (std::uint32_t& label : labels) {
      const std::uint32_t before = label;
      for (std::uint32_t other = 0; other < labels.size(); ++other) {
        label = other;
        CHECK(modularity(edges, labels, resolution) <= reached + 1e-9, seed, before, other);
      }
      label = before;
    }
  }
}

void cliques_are_found() {
  for (const bool refines : {false, true}) {
    Edges edges;
    edges.num_items = 40;
    for (std::int32_t u = 0; u < 60; ++u) {
      for (std::int32_t i = 0; i < 4; ++i) edges.items.push_back(u % 10 * 4 + i);
      edges.offsets.push_back(static_cast<std::int64_t>(edges.items.size()));
    }
    const Labels labels = maximize_modularity(edges.view(), {1.0, refines, 2, 5}, {});
    CHECK(std::set<std::uint32_t>(labels.begin(), labels.end()).size() == 10, refines);
    for (std::uint32_t u = 0; u < 60; ++u) {
      for (std::uint32_t i = 0; i < 4; ++i) CHECK(labels[u] == labels[60 + u % 10 * 4 + i], u, i);
    }
  }
}

void iterations_never_lose() {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Edges edges = random_edges(40, 30, 12, true, seed);
    for (const bool refines : {false, true}) {
      Labels labels = numbered(70);
      double before = modularity(edges, labels, 1.5);
      for (int i = 0; i < 4; ++i) {
        labels = maximize_modularity(edges.view(), {1.5, refines, 1, seed}, labels);
        const double after = modularity(edges, labels, 1.5);
        CHECK(after >= before - 1e-9, seed, refines, i, before, after);
        before = after;
      }
    }
  }
}

void a_start_of_one_cluster_is_split() {
  const Edges edges = random_edges(30, 30, 10, false, 3);
  const Labels labels = maximize_modularity(edges.view(), {4.0, true, 3, 1}, Labels(60, 59));
  CHECK(std::set<std::uint32_t>(labels.begin(), labels.end()).size() > 3);
  CHECK(modularity(edges, labels, 4.0) > modularity(edges, Labels(60), 4.0));
}

void equal_calls_give_equal_labels() {
  const Edges edges = random_edges(80, 60, 10, true, 7);
  const auto run = [&](std::uint64_t seed) {
    return maximize_modularity(edges.view(), {3.0, true, 2, seed}, {});
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

void the_smallest_graphs_do() {
  Edges edges;
  edges.num_items = 1;
  edges.items = {0};
  edges.offsets = {0, 1};
  CHECK(maximize_modularity(edges.view(), {}, {}) == Labels({0, 0}) ||
        maximize_modularity(edges.view(), {}, {}) == Labels({0, 1}));
  CHECK(maximize_modularity(edges.view(), {0.5, true, 1, 0}, {}) == Labels({0, 0}));
  CHECK(maximize_modularity(edges.view(), {2.0, true, 1, 0}, {}) == Labels({0, 1}));
  edges.num_items = 3;  // isolated ones stay alone
  CHECK(maximize_modularity(edges.view(), {0.5, true, 1, 0}, {}) == Labels({0, 0, 1, 2}));
}

}  // namespace

int main() {
  return check::run({
      TEST(no_single_move_gains),
      TEST(cliques_are_found),
      TEST(iterations_never_lose),
      TEST(a_start_of_one_cluster_is_split),
      TEST(equal_calls_give_equal_labels),
      TEST(the_smallest_graphs_do),
  });
}
