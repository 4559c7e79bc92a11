// Conversion only, as in bindings.cpp: indexes over ids that stay, and layers of rows.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <optional>
#include <stdexcept>

#include "recsys_embed/frozen_layers.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace recsys_embed;

namespace {

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Found = nb::ndarray<bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OutRows = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using NoGil = nb::gil_scoped_release;

std::span<const std::int64_t> span_of(const In<std::int64_t>& a) { return {a.data(), a.shape(0)}; }

// An array in pages of its own: large ones are huge pages, and are given back when they go.
template <class T, class... Shape>
nb::ndarray<nb::numpy, T, nb::ndim<sizeof...(Shape)>> new_array(Shape... shape) {
  auto* pages = new Pages(std::max<std::size_t>((shape * ... * sizeof(T)), 1));
  nb::capsule owner(pages, [](void* p) noexcept { delete static_cast<Pages*>(p); });
  return {pages->data(), {shape...}, owner};
}

// Holds what the layers refer to.
struct Layers {
  std::vector<nb::object> indexes;
  std::vector<Rows> rows;
  FrozenLayers layers;
};

Layers layers_of(const nb::list& parts, std::size_t dim) {
  std::vector<nb::object> indexes;
  std::vector<Rows> rows;
  std::vector<FrozenLayer> layers;
  for (const nb::handle part : parts) {
    indexes.push_back(nb::borrow(part[0]));
    rows.push_back(nb::cast<Rows>(part[1], false));
    const auto& index = nb::cast<const FrozenIndex&>(indexes.back());
    if (rows.back().shape(1) != dim || rows.back().shape(0) > index.size()) {
      throw std::invalid_argument("index, rows and dimension of a layer do not fit together");
    }
    layers.push_back({&index, rows.back().data(), rows.back().shape(0)});
  }
  return {std::move(indexes), std::move(rows), FrozenLayers(std::move(layers), dim)};
}

}  // namespace

void bind_layers(nb::module_& m) {
  nb::class_<FrozenIndex>(m, "IdIndex")
      .def(
          "__init__",
          [](FrozenIndex* self, In<std::int64_t> ids) {
            const NoGil release;
            new (self) FrozenIndex(span_of(ids));
          },
          "ids"_a.noconvert(), nb::keep_alive<1, 2>())
      .def(
          "find",
          [](const FrozenIndex& index, In<std::int64_t> ids) {
            auto out = new_array<std::int64_t>(ids.shape(0));
            {
              const NoGil release;
              index.find(span_of(ids), out.data());
            }
            return out;
          },
          "ids"_a.noconvert())
      .def_prop_ro("num_bytes", &FrozenIndex::bytes);
  nb::class_<Layers>(m, "Layers")
      .def(
          "__init__",
          [](Layers* self, const nb::list& parts, std::size_t dim) {
            new (self) Layers(layers_of(parts, dim));
          },
          "parts"_a, "dim"_a)
      .def(
          "read",
          [](const Layers& self, In<std::int64_t> ids, OutRows out, Found found) {
            if (out.shape(0) != ids.shape(0) || found.shape(0) != ids.shape(0) ||
                out.shape(1) != self.layers.dim()) {
              throw std::invalid_argument("ids, out and found of a read do not fit together");
            }
            // Below this, handing the GIL over and back takes longer than the work.
            std::optional<NoGil> release;
            if (ids.shape(0) > 1000) release.emplace();
            self.layers.read(span_of(ids), out.data(), found.data());
          },
          "ids"_a.noconvert(), "out"_a.noconvert(), "found"_a.noconvert())
      .def(
          "contains",
          [](const Layers& self, In<std::int64_t> ids, Found found) {
            if (found.shape(0) != ids.shape(0)) throw std::invalid_argument("ids and found differ in length");
            const NoGil release;
            self.layers.contains(span_of(ids), found.data());
          },
          "ids"_a.noconvert(), "found"_a.noconvert())
      .def("merged", [](const Layers& self) {
        FrozenLayers::Merged merged;
        {
          const NoGil release;
          merged = self.layers.merged();
        }
        auto ids = new_array<std::int64_t>(merged.rows + merged.lost);
        auto rows = new_array<float>(merged.rows, self.layers.dim());
        {
          const NoGil release;
          self.layers.write(merged, ids.data(), rows.data());
        }
        return nb::make_tuple(ids, rows);
      });
}
