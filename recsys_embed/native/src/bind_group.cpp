// Conversion only, as in bindings.cpp: Python has checked shapes and dtypes.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>

#include "recsys_embed/group.hpp"
#include "recsys_embed/spread.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace recsys_embed;

namespace {

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::device::cpu>;  // unit last stride
using Floats = std::optional<In<float>>;
using NoGil = nb::gil_scoped_release;

template <class T>
std::span<const T> span_of(const In<T>& a) {
  return {a.data(), a.shape(0)};
}

template <class T>
std::size_t stride_of(const Matrix<T>& a) {
  return a.shape(0) > 1 ? static_cast<std::size_t>(a.stride(0)) : a.shape(1);
}

template <class T>
nb::object array_of(const std::vector<T>& values) {
  auto* held = new std::vector<T>(values);
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(held->data(), {held->size()}, owner));
}

// What a training lookup found, for its gradients: rows by occurrence, moves by member.
struct GroupRows {
  std::unique_ptr<std::uint32_t[]> rows;
  std::size_t size = 0;
  std::vector<std::uint64_t> moves;
};

GroupBags bags_of(const In<std::int64_t>& ids, const In<std::int64_t>& offsets,
                  const In<std::int64_t>& starts, std::size_t batch, const Floats& weights) {
  return {span_of(ids), span_of(offsets), span_of(starts), weights ? weights->data() : nullptr, batch};
}

Missing missing_of(std::uint32_t policy, const Floats& vector) {
  return {static_cast<MissingPolicy>(policy), vector ? vector->data() : nullptr};
}

bool all_finite(const Matrix<const float>& a) {
  std::atomic<bool> finite = true;
  spread(*Threads::pool(), a.shape(0), [&](std::size_t, std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) {
      if (!kernels().all_finite(a.data() + i * stride_of(a), a.shape(1))) finite = false;
    }
  });
  return finite;
}

// Only the members that lost rows: (member, ids, reasons).
nb::list losses_of(const std::vector<Evicted>& evicted) {
  nb::list losses;
  for (std::size_t m = 0; m < evicted.size(); ++m) {
    if (evicted[m].ids.empty()) continue;
    losses.append(nb::make_tuple(m, array_of(evicted[m].ids), array_of(evicted[m].reasons)));
  }
  return losses;
}

}  // namespace

void bind_group(nb::module_& m) {
  nb::class_<GroupRows>(m, "GroupRows");
  nb::class_<TableGroup>(m, "TableGroup")
      .def(
          "__init__",
          [](TableGroup* self, const std::vector<Table*>& tables,
             const std::vector<std::vector<std::uint16_t>>& features, const std::vector<bool>& means) {
            std::vector<TableGroup::Member> members;
            for (std::size_t t = 0; t < tables.size(); ++t) {
              members.push_back({tables[t], features.at(t), means.at(t) ? Pooling::kMean : Pooling::kSum});
            }
            new (self) TableGroup(std::move(members));
          },
          "tables"_a, "features"_a, "means"_a, nb::keep_alive<1, 2>())
      .def(
          "check",
          [](const TableGroup& group, In<std::int64_t> ids, In<std::int64_t> offsets, In<std::int64_t> starts,
             std::size_t batch,
             Floats weights) { return group.check(bags_of(ids, offsets, starts, batch, weights)); },
          "ids"_a.noconvert(), "offsets"_a.noconvert(), "starts"_a.noconvert(), "batch"_a, "weights"_a.none())
      .def(
          "lookup_pooled",
          [](const TableGroup& group, In<std::int64_t> ids, In<std::int64_t> offsets, In<std::int64_t> starts,
             std::size_t batch, Floats weights, std::uint32_t policy, Floats vector, Matrix<float> out) {
            const NoGil release;
            const GroupBags bags = bags_of(ids, offsets, starts, batch, weights);
            group.check(bags);
            group.lookup_pooled(bags, out.data(), stride_of(out), missing_of(policy, vector));
          },
          "ids"_a.noconvert(), "offsets"_a.noconvert(), "starts"_a.noconvert(), "batch"_a, "weights"_a.none(),
          "policy"_a, "vector"_a.none(), "out"_a.noconvert())
      .def(
          "train_lookup_pooled",
          [](const TableGroup& group, In<std::int64_t> ids, In<std::int64_t> offsets, In<std::int64_t> starts,
             std::size_t batch, Floats weights, std::uint32_t policy, Floats vector,
             const std::vector<std::uint32_t>& now, Matrix<float> out) {
            GroupRows found;
            std::vector<Evicted> evicted;
            {
              const NoGil release;
              const GroupBags bags = bags_of(ids, offsets, starts, batch, weights);
              found.size = group.check(bags);
              found.rows = std::make_unique_for_overwrite<std::uint32_t[]>(found.size);
              found.moves.resize(group.size());
              evicted = group.train_lookup_pooled(bags, now, found.rows.get(), found.moves.data(), out.data(),
                                                  stride_of(out), missing_of(policy, vector));
            }
            return nb::make_tuple(nb::cast(std::move(found)), losses_of(evicted));
          },
          "ids"_a.noconvert(), "offsets"_a.noconvert(), "starts"_a.noconvert(), "batch"_a, "weights"_a.none(),
          "policy"_a, "vector"_a.none(), "now"_a, "out"_a.noconvert())
      // False, and nothing done, if a gradient is not finite.
      .def(
          "apply_pooled_gradients",
          [](const TableGroup& group, In<std::int64_t> ids, In<std::int64_t> offsets, In<std::int64_t> starts,
             std::size_t batch, Floats weights, const GroupRows& found, Matrix<const float> grads,
             In<float> lr) {
            const NoGil release;
            const GroupBags bags = bags_of(ids, offsets, starts, batch, weights);
            if (group.check(bags) != found.size || found.moves.size() != group.size()) {
              throw std::invalid_argument("the bags are not those of the lookup that gave the rows");
            }
            if (!all_finite(grads)) return false;
            group.apply_pooled_gradients(bags, found.rows.get(), found.moves.data(), grads.data(),
                                         stride_of(grads), span_of(lr));
            return true;
          },
          "ids"_a.noconvert(), "offsets"_a.noconvert(), "starts"_a.noconvert(), "batch"_a, "weights"_a.none(),
          "rows"_a, "grads"_a.noconvert(), "lr"_a.noconvert());
}
