// Conversion only, as in bindings.cpp: Python has checked shapes, dtypes and ranges.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "recsys_embed/nearest_codes.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace recsys_embed;

void bind_nearest(nb::module_& m) {
  using Vectors = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
  using Books = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
  using Codes = nb::ndarray<std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
  nb::class_<NearestCodes>(m, "NearestCodes")
      .def(
          "__init__",
          [](NearestCodes* self, Books books) {
            new (self) NearestCodes(books.data(), books.shape(0), books.shape(1), books.shape(2));
          },
          "codebooks"_a.noconvert())
      .def(
          "encode",
          [](const NearestCodes& self, Vectors vectors, Codes codes) {
            if (vectors.shape(1) != self.width() || codes.shape(0) != vectors.shape(0) ||
                codes.shape(1) != self.levels()) {
              throw std::invalid_argument("vectors and codes do not fit codebooks");
            }
            const nb::gil_scoped_release release;
            self.encode(vectors.data(), vectors.shape(0), codes.data());
          },
          "vectors"_a.noconvert(), "codes"_a.noconvert());
}
