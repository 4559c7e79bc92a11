// Clusters of users and items that maximize Barber's bipartite modularity (Phys. Rev. E 76, 066102)
// with a resolution, by Louvain (arXiv 0803.0476) or Leiden (arXiv 1810.08473).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "recsys_embed/bipartite_graph.hpp"

namespace recsys_embed {

struct ModularityOptions {
  double resolution = 1.0;
  bool refines = true;  // Leiden, whose clusters are connected; otherwise Louvain
  std::size_t iterations = 2;
  std::uint64_t seed = 0;
};

// Labels of the users, then of the items, dense from 0. `start` is a partition to improve, with labels
// below its size; an equal call gives equal labels, on one thread, on every machine.
std::vector<std::uint32_t> maximize_modularity(const Interactions& edges, const ModularityOptions& options,
                                               std::vector<std::uint32_t> start);

}  // namespace recsys_embed
