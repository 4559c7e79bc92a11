// Conversion only: shapes and dtypes were checked in Python, which knows how to say what is wrong;
// what is still refused here (noconvert) would be a bug of ours. Every slow call releases the GIL.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "recsys_embed/table.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace recsys_embed;

void bind_graph(nb::module_& m);    // bind_graph.cpp
void bind_nearest(nb::module_& m);  // bind_nearest.cpp
void bind_group(nb::module_& m);    // bind_group.cpp
void bind_layers(nb::module_& m);   // bind_layers.cpp

namespace {

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using InRows = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;  // unit last stride
using OutRows = nb::ndarray<float, nb::ndim<2>, nb::device::cpu>;
using NoGil = nb::gil_scoped_release;

template <class T>
std::span<const T> span_of(const In<T>& a) {
  return {a.data(), a.shape(0)};
}

template <class T>
nb::object new_array(std::vector<T>&& values) {
  auto* held = new std::vector<T>(std::move(values));
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(held->data(), {held->size()}, owner));
}

nb::tuple arrays_of(Evicted&& e) {
  const std::uint64_t moves = e.moves;
  return nb::make_tuple(new_array(std::move(e.ids)), new_array(std::move(e.reasons)), moves);
}

std::size_t row_stride(const InRows& a) {
  return a.shape(0) > 1 ? static_cast<std::size_t>(a.stride(0)) : a.shape(1);
}
std::size_t row_stride(const OutRows& a) {
  return a.shape(0) > 1 ? static_cast<std::size_t>(a.stride(0)) : a.shape(1);
}

// policy: 0 initial values, 1 the given vector, 2 an error.
Missing missing_of(std::uint32_t policy, const std::optional<In<float>>& vector) {
  return {static_cast<MissingPolicy>(policy), vector ? vector->data() : nullptr};
}

using Weights = std::optional<In<float>>;
using Vector = std::optional<In<float>>;
using Rows = std::optional<In<std::uint32_t>>;

Bags bags_of(const In<std::int64_t>& offsets, const Weights& weights, bool mean) {
  return {offsets.data(), offsets.shape(0) - 1, weights ? weights->data() : nullptr,
          mean ? Pooling::kMean : Pooling::kSum};
}

BagOutput output_of(const OutRows& out) {
  return {out.data(), row_stride(out), std::max<std::size_t>(out.shape(0), 1)};
}
// Gradients are read only; BagOutput serves both ways.
BagOutput gradients_of(const InRows& in) {
  return {const_cast<float*>(in.data()), row_stride(in), std::max<std::size_t>(in.shape(0), 1)};
}

bool rows_finite(const InRows& a) {
  if (row_stride(a) == a.shape(1)) return kernels().all_finite(a.data(), a.shape(0) * a.shape(1));
  for (std::size_t i = 0; i < a.shape(0); ++i) {
    if (!kernels().all_finite(a.data() + i * row_stride(a), a.shape(1))) return false;
  }
  return true;
}

// Features by part: occurrences [offsets[f * batch], offsets[(f + 1) * batch]) are features[f]'s.
std::vector<FeatureSpan> spans_of(const In<std::int64_t>& offsets,
                                  const std::vector<std::uint16_t>& features) {
  std::vector<FeatureSpan> spans;
  const std::size_t batch = (offsets.shape(0) - 1) / features.size();
  for (std::size_t f = 0; f < features.size(); ++f) {
    spans.push_back({static_cast<std::size_t>(offsets.data()[f * batch]),
                     static_cast<std::size_t>(offsets.data()[(f + 1) * batch]), features[f]});
  }
  return spans;
}

struct Columns {
  Out<std::int64_t> ids;
  OutRows weights, state;
  Out<std::uint32_t> last_seen, count;
  Out<std::uint16_t> feature;
  Out<std::uint64_t> seq;

  RowColumns pointers() const {
    return {ids.data(),   weights.data(), state.data(), last_seen.data(),
            count.data(), feature.data(), seq.data()};
  }
};

// The same, possibly in memory that cannot be written to.
using ReadColumns = std::tuple<In<std::int64_t>, InRows, InRows, In<std::uint32_t>, In<std::uint32_t>,
                               In<std::uint16_t>, In<std::uint64_t>>;

// Only read from; RowColumns serves both ways.
RowColumns pointers_of(const ReadColumns& in) {
  return std::apply(
      [](const auto&... column) -> RowColumns {
        return {const_cast<std::remove_const_t<std::remove_pointer_t<decltype(column.data())>>*>(
            column.data())...};
      },
      in);
}

TableOptions options_of(const std::vector<std::tuple<std::uint32_t, std::uint32_t, std::vector<float>,
                                                     std::uint32_t, float, float>>& segments,
                        const std::vector<std::tuple<std::uint32_t, std::uint32_t>>& features,
                        const std::tuple<std::uint32_t, std::size_t, std::size_t, double>& admission,
                        const std::tuple<std::uint32_t, std::uint32_t>& budget, std::uint32_t sweep_rows,
                        std::uint64_t seed, const std::string& name) {
  TableOptions o;
  for (const auto& [dim, kind, p, init, a, b] : segments) {
    Segment s;
    s.dim = dim;
    s.optimizer = {static_cast<OptimizerKind>(kind), p.at(0), p.at(1), p.at(2), p.at(3)};
    s.initializer = {static_cast<InitKind>(init), a, b};
    o.segments.push_back(s);
  }
  for (const auto& [threshold, ttl] : features) o.features.push_back({threshold, ttl});
  o.admission = static_cast<AdmissionKind>(std::get<0>(admission));
  o.sketch_width = std::get<1>(admission);
  o.sketch_depth = std::get<2>(admission);
  o.probability = std::get<3>(admission);
  o.max_rows = std::get<0>(budget);
  o.victims = static_cast<Victims>(std::get<1>(budget));
  o.sweep_rows = sweep_rows;
  o.key = mix64(xxh64(name.data(), name.size()), seed);
  return o;
}

std::vector<std::uint64_t> numbers_of(const Counters& c) {
  return {c.admitted, c.filtered, c.expired, c.evicted, c.deleted, c.dropped_gradients};
}

Counters counters_of(const std::vector<std::uint64_t>& c) {
  return {c.at(0), c.at(1), c.at(2), c.at(3), c.at(4), c.at(5)};
}

std::vector<IdCounts::Entry> entries_of(const In<std::int64_t>& ids, const In<std::uint32_t>& counts,
                                        const In<std::uint32_t>& last_seen) {
  std::vector<IdCounts::Entry> entries(ids.shape(0));
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i] = {ids.data()[i], counts.data()[i], last_seen.data()[i]};
  return entries;
}

nb::tuple tuple_of(const std::shared_ptr<Cut>& cut, Facts&& facts) {
  std::vector<std::int64_t> ids;
  std::vector<std::uint32_t> counts, last_seen;
  for (const IdCounts::Entry& e : facts.filter_counts) {
    ids.push_back(e.id);
    counts.push_back(e.count);
    last_seen.push_back(e.last_seen);
  }
  return nb::make_tuple(cut, facts.seq, facts.clock, numbers_of(facts.counters), new_array(std::move(ids)),
                        new_array(std::move(counts)), new_array(std::move(last_seen)),
                        new_array(std::move(facts.filter_cells)));
}

nb::tuple arrays_of(const std::vector<Tombstone>& lost) {
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> reasons;
  std::vector<std::uint64_t> seqs;
  for (const Tombstone& t : lost) {
    ids.push_back(t.id);
    reasons.push_back(static_cast<std::uint8_t>(t.reason));
    seqs.push_back(t.seq);
  }
  return nb::make_tuple(new_array(std::move(ids)), new_array(std::move(reasons)), new_array(std::move(seqs)));
}

void bind_table(nb::module_& m) {
  nb::class_<Columns>(m, "Columns")
      .def("__init__", [](Columns* self, Out<std::int64_t> ids, OutRows weights, OutRows state,
                          Out<std::uint32_t> last_seen, Out<std::uint32_t> count, Out<std::uint16_t> feature,
                          Out<std::uint64_t> seq) {
        new (self) Columns{ids, weights, state, last_seen, count, feature, seq};
      });
  nb::class_<Cut>(m, "Cut").def("end", &Cut::end).def("count", &Cut::count).def("start_of", &Cut::start_of);
  nb::class_<Table>(m, "Table")
      .def(
          "__init__",
          [](Table* self,
             const std::vector<std::tuple<std::uint32_t, std::uint32_t, std::vector<float>, std::uint32_t,
                                          float, float>>& segments,
             const std::vector<std::tuple<std::uint32_t, std::uint32_t>>& features,
             const std::tuple<std::uint32_t, std::size_t, std::size_t, double>& admission,
             const std::tuple<std::uint32_t, std::uint32_t>& budget, std::uint32_t sweep_rows,
             std::uint64_t seed, const std::string& name) {
            new (self) Table(options_of(segments, features, admission, budget, sweep_rows, seed, name));
          },
          "segments"_a, "features"_a, "admission"_a, "budget"_a, "sweep_rows"_a, "seed"_a, "name"_a)
      .def(
          "lookup",
          [](const Table& t, In<std::int64_t> ids, OutRows out, std::uint32_t policy, Vector vector) {
            const NoGil release;
            t.lookup(span_of(ids), out.data(), row_stride(out), missing_of(policy, vector));
          },
          "ids"_a.noconvert(), "out"_a.noconvert(), "policy"_a, "vector"_a.none())
      .def(
          "lookup_pooled",
          [](const Table& t, In<std::int64_t> ids, In<std::int64_t> offsets, OutRows out, Weights weights,
             bool mean, std::uint32_t policy, Vector vector) {
            const NoGil release;
            t.lookup_pooled(span_of(ids), bags_of(offsets, weights, mean), output_of(out),
                            missing_of(policy, vector));
          },
          "ids"_a.noconvert(), "offsets"_a.noconvert(), "out"_a.noconvert(), "weights"_a.none(), "mean"_a,
          "policy"_a, "vector"_a.none())
      .def("contains",
           [](const Table& t, In<std::int64_t> ids, Out<bool> out) {
             const NoGil release;
             t.contains(span_of(ids), out.data());
           })
      .def("initial_values",
           [](const Table& t, In<std::int64_t> ids, OutRows out) {
             const NoGil release;
             t.initial_values(span_of(ids), out.data());
           })
      .def("read_rows",
           [](const Table& t, std::uint32_t cursor, const Columns& out) {
             const NoGil release;
             const std::size_t n = t.read_rows(cursor, out.ids.shape(0), out.pointers());
             return std::make_tuple(cursor, n);
           })
      .def(
          "train_lookup",
          [](Table& t, In<std::int64_t> ids, const std::vector<std::uint16_t>& features,
             In<std::int64_t> feature_offsets, std::uint32_t now, Out<std::uint32_t> rows, OutRows out,
             std::uint32_t policy, Vector vector) {
            Evicted evicted;
            {
              const NoGil release;
              const std::vector<FeatureSpan> spans = spans_of(feature_offsets, features);
              evicted = t.train_lookup(span_of(ids), spans, now, rows.data(), out.data(), row_stride(out),
                                       missing_of(policy, vector));
            }
            return arrays_of(std::move(evicted));
          },
          "ids"_a.noconvert(), "features"_a, "feature_offsets"_a.noconvert(), "now"_a, "rows"_a.noconvert(),
          "out"_a.noconvert(), "policy"_a, "vector"_a.none())
      .def(
          "train_lookup_pooled",
          [](Table& t, In<std::int64_t> ids, In<std::int64_t> offsets,
             const std::vector<std::uint16_t>& features, std::uint32_t now, Out<std::uint32_t> rows,
             OutRows out, Weights weights, bool mean, std::uint32_t policy, Vector vector) {
            Evicted evicted;
            {
              const NoGil release;
              const std::vector<FeatureSpan> spans = spans_of(offsets, features);
              evicted = t.train_lookup_pooled(span_of(ids), spans, now, rows.data(),
                                              bags_of(offsets, weights, mean), output_of(out),
                                              missing_of(policy, vector));
            }
            return arrays_of(std::move(evicted));
          },
          "ids"_a.noconvert(), "offsets"_a.noconvert(), "features"_a, "now"_a, "rows"_a.noconvert(),
          "out"_a.noconvert(), "weights"_a.none(), "mean"_a, "policy"_a, "vector"_a.none())
      .def(
          "apply_gradients",
          [](Table& t, In<std::int64_t> ids, Rows rows, std::uint64_t moves, InRows grads,
             const std::vector<float>& lr) {
            const NoGil release;
            if (!rows_finite(grads)) return false;
            t.apply_gradients(span_of(ids), rows ? rows->data() : nullptr, moves, grads.data(),
                              row_stride(grads), lr);
            return true;
          },
          "ids"_a.noconvert(), "rows"_a.none(), "moves"_a, "grads"_a.noconvert(), "lr"_a)
      .def(
          "apply_pooled_gradients",
          [](Table& t, In<std::int64_t> ids, Rows rows, std::uint64_t moves, In<std::int64_t> offsets,
             InRows grads, Weights weights, bool mean, const std::vector<float>& lr) {
            const NoGil release;
            if (!rows_finite(grads)) return false;
            t.apply_pooled_gradients(span_of(ids), rows ? rows->data() : nullptr, moves,
                                     bags_of(offsets, weights, mean), gradients_of(grads), lr);
            return true;
          },
          "ids"_a.noconvert(), "rows"_a.none(), "moves"_a, "offsets"_a.noconvert(), "grads"_a.noconvert(),
          "weights"_a.none(), "mean"_a, "lr"_a)
      .def(
          "assign",
          [](Table& t, In<std::int64_t> ids, InRows values, std::uint32_t now) {
            const NoGil release;
            t.assign(span_of(ids), values.data(), row_stride(values), now);
          },
          "ids"_a.noconvert(), "values"_a.noconvert(), "now"_a)
      .def("evict",
           [](Table& t, In<std::int64_t> ids) {
             Evicted e;
             {
               const NoGil release;
               e = t.evict(span_of(ids));
             }
             return arrays_of(std::move(e));
           })
      .def("expire",
           [](Table& t, std::uint32_t now, std::size_t max_rows) {
             Evicted e;
             {
               const NoGil release;
               e = t.expire(now, max_rows);
             }
             return arrays_of(std::move(e));
           })
      .def("enforce_budget",
           [](Table& t) {
             Evicted e;
             {
               const NoGil release;
               e = t.enforce_budget();
             }
             return arrays_of(std::move(e));
           })
      .def("compact",
           [](Table& t, std::size_t max_moves) {
             const NoGil release;
             return t.compact(max_moves);
           })
      .def("begin_cut",
           [](Table& t) {
             Facts facts;
             std::shared_ptr<Cut> cut;
             {
               const NoGil release;
               cut = t.begin_cut(facts);
             }
             return tuple_of(cut, std::move(facts));
           })
      .def("track_changes",
           [](Table& t, bool on) {
             const NoGil release;
             t.track_changes(on);
           })
      .def("forget_changes",
           [](Table& t, std::uint64_t seq) {
             const NoGil release;
             t.forget_changes(seq);
           })
      .def("begin_changes",
           [](Table& t, std::uint64_t since, bool admission) {
             Facts facts;
             std::vector<Tombstone> lost;
             std::shared_ptr<Cut> cut;
             {
               const NoGil release;
               cut = t.begin_changes(since, admission, facts, lost);
             }
             return nb::make_tuple(tuple_of(cut, std::move(facts)), arrays_of(lost));
           })
      .def("find_changed",
           [](const Table& t, Cut& cut) {
             const NoGil release;
             t.find_changed(cut);
           })
      .def(
          "apply_changes",
          [](Table& t, const ReadColumns& in, In<std::int64_t> lost, In<std::uint8_t> reasons,
             std::uint64_t seq, std::uint32_t clock, const std::vector<std::uint64_t>& counters,
             const std::optional<std::tuple<In<std::int64_t>, In<std::uint32_t>, In<std::uint32_t>>>& waiting,
             std::optional<In<std::uint32_t>> cells) {
            const NoGil release;
            const Counters counted = counters_of(counters);
            std::vector<IdCounts::Entry> entries;
            if (waiting) entries = std::apply(entries_of, *waiting);
            t.apply_changes(std::get<0>(in).shape(0), pointers_of(in), span_of(lost), reasons.data(),
                            {seq, clock, &counted, waiting ? &entries : nullptr,
                             cells ? span_of(*cells) : std::span<const std::uint32_t>()});
          },
          "rows"_a, "lost"_a.noconvert(), "reasons"_a.noconvert(), "seq"_a, "clock"_a, "counters"_a,
          "waiting"_a.none(), "cells"_a.none())
      .def("end_cut",
           [](Table& t, std::shared_ptr<Cut> cut) {
             const NoGil release;
             t.end_cut(cut);
           })
      .def("read_cut",
           [](const Table& t, Cut& cut, std::uint32_t first, std::uint32_t last, const Columns& out) {
             const NoGil release;
             std::size_t n = 0;
             const std::uint32_t next = t.read_cut(cut, first, last, out.ids.shape(0), out.pointers(), n);
             return std::make_tuple(next, n);
           })
      .def("restore_rows",
           [](Table& t, const Columns& in) {
             const NoGil release;
             t.restore_rows(in.ids.shape(0), in.pointers());
           })
      .def("restore_meta",
           [](Table& t, std::uint64_t seq, std::uint32_t clock, const std::vector<std::uint64_t>& c) {
             t.restore_meta(seq, clock, counters_of(c));
           })
      .def("restore_counts",
           [](Table& t, In<std::int64_t> ids, In<std::uint32_t> counts, In<std::uint32_t> last_seen) {
             t.restore_counts(entries_of(ids, counts, last_seen));
           })
      .def("restore_sketch", [](Table& t, In<std::uint32_t> cells) { t.restore_sketch(span_of(cells)); })
      .def("size", &Table::size)
      .def("bytes", &Table::bytes)
      .def("index_bytes", &Table::index_bytes)
      .def("load", &Table::load)
      .def("seq", &Table::seq)
      .def("clock", &Table::clock)
      .def("lookups", &Table::lookups)
      .def("hits", &Table::hits)
      .def("row_bytes", [](const Table& t) { return t.layout().stride; })
      .def("counters", [](const Table& t) { return numbers_of(t.counters()); });
}

}  // namespace

NB_MODULE(_core, m) {
  // A table that a torch graph or a module still holds when the interpreter ends is no leak of ours.
  nb::set_leak_warnings(false);
  // Carries (some ids, how many in all).
  static nb::handle missing_ids = nb::exception<MissingIds>(m, "MissingIds", PyExc_KeyError);
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const MissingIds& e) {
      PyErr_SetObject(missing_ids.ptr(), nb::make_tuple(nb::cast(e.ids), e.total).ptr());
    }
  });
  bind_table(m);
  bind_graph(m);
  bind_nearest(m);
  bind_group(m);
  bind_layers(m);
  nb::class_<Xxh64>(m, "Xxh64")
      .def(nb::init<>())
      .def(
          "update",
          [](Xxh64& hash, nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> bytes) {
            const NoGil release;
            hash.update(bytes.data(), bytes.size());
          })
      .def("digest", &Xxh64::digest);
  m.def(
      "joined",
      [](const std::vector<In<std::uint8_t>>& parts) {
        std::size_t size = 0;
        for (const auto& part : parts) size += part.shape(0);
        auto whole = nb::steal<nb::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
        if (!whole.is_valid()) throw std::bad_alloc();
        auto* out = PyBytes_AsString(whole.ptr());
        const NoGil release;
        for (const auto& part : parts) out = std::copy_n(part.data(), part.shape(0), out);
        return whole;
      },
      "parts"_a);
  m.def("hash_bytes", [](nb::bytes data, In<std::int64_t> offsets) {
    std::vector<std::int64_t> out(offsets.shape(0) - 1);
    const std::int64_t* at = offsets.data();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] =
          static_cast<std::int64_t>(xxh64(data.c_str() + at[i], static_cast<std::size_t>(at[i + 1] - at[i])));
    }
    return new_array(std::move(out));
  });
  m.def("mix", [](In<std::int64_t> ids, std::uint64_t seed) {
    std::vector<std::int64_t> out(ids.shape(0));
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<std::int64_t>(mix64(static_cast<std::uint64_t>(ids.data()[i]), seed));
    }
    return new_array(std::move(out));
  });
  m.def("set_num_threads", [](std::size_t count) {
    const NoGil release;
    Threads::set_count(count);
  });
  m.def("num_threads", [] { return Threads::count(); });
  m.def("instruction_set", [] { return std::string(kernels().name); });
}
