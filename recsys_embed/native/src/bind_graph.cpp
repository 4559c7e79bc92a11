// Conversion only, as in bindings.cpp: Python has checked shapes, dtypes and ranges.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <span>

#include "recsys_embed/bipartite_modularity.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace recsys_embed;

namespace {

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> span_of(const In<T>& a) {
  return {a.data(), a.shape(0)};
}

nb::object array_of(std::vector<std::uint32_t>&& labels) {
  auto* held = new std::vector<std::uint32_t>(std::move(labels));
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<std::uint32_t>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, std::uint32_t, nb::ndim<1>>(held->data(), {held->size()}, owner));
}

}  // namespace

void bind_graph(nb::module_& m) {
  m.def(
      "maximize_modularity",
      [](In<std::int64_t> offsets, In<std::int32_t> items, std::optional<In<float>> weights,
         std::size_t num_items, double resolution, bool refines, std::size_t iterations, std::uint64_t seed,
         std::optional<In<std::uint32_t>> start) {
        std::vector<std::uint32_t> labels;
        {
          const nb::gil_scoped_release release;
          if (start) labels.assign(start->data(), start->data() + start->shape(0));
          const Interactions edges{span_of(offsets), span_of(items), weights ? weights->data() : nullptr,
                                   num_items};
          labels = maximize_modularity(edges, {resolution, refines, iterations, seed}, std::move(labels));
        }
        return array_of(std::move(labels));
      },
      "offsets"_a.noconvert(), "items"_a.noconvert(), "weights"_a.noconvert().none(), "num_items"_a,
      "resolution"_a, "refines"_a, "iterations"_a, "seed"_a, "start"_a.noconvert().none());
}
