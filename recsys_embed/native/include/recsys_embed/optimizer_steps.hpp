// One step of each optimizer on one segment of one row. Formulas: recsys_embed/optimizers.py.
#pragma once

#include <cmath>

#include "recsys_embed/lanes.hpp"
#include "recsys_embed/row_layout.hpp"

namespace recsys_embed::RECSYS_EMBED_ISA {

// The pieces of a row that a step works on; g has weight decay added already.
struct StepArgs {
  float* w;
  float* scalar;
  float* v0;  // first vector of state
  float* v1;  // second
  const float* g;
  std::size_t dim;
  float lr;
};

[[gnu::always_inline]] inline void step_sgd(const StepArgs& a) {
  const Lanes lr = splat(a.lr);
  for_lanes(a.dim, [&](std::size_t d, std::size_t n) {
    store(a.w + d, load(a.w + d, n) - lr * load(a.g + d, n), n);
  });
}

[[gnu::always_inline]] inline void step_adagrad(const Optimizer& o, const StepArgs& a) {
  const Lanes lr = splat(a.lr), eps = splat(o.p1);
  for_lanes(a.dim, [&](std::size_t d, std::size_t n) {
    const Lanes g = load(a.g + d, n), acc = load(a.v0 + d, n) + g * g;
    store(a.v0 + d, acc, n);
    store(a.w + d, load(a.w + d, n) - lr * g / (square_root(acc) + eps), n);
  });
}

[[gnu::always_inline]] inline void step_rowwise_adagrad(const Optimizer& o, const StepArgs& a) {
  Lanes squares = {};
  for_lanes(a.dim, [&](std::size_t d, std::size_t n) {
    const Lanes g = load(a.g + d, n);
    squares = squares + g * g;
  });
  *a.scalar += sum(squares) / static_cast<float>(a.dim);
  const Lanes rate = splat(a.lr / (std::sqrt(*a.scalar) + o.p1));
  for_lanes(a.dim, [&](std::size_t d, std::size_t n) {
    store(a.w + d, load(a.w + d, n) - rate * load(a.g + d, n), n);
  });
}

// beta^t by repeated squaring: the C library's pow may differ from machine to machine.
inline double power(double beta, std::uint32_t t) {
  double result = 1;
  for (; t != 0; t >>= 1, beta *= beta) {
    if ((t & 1) != 0) result *= beta;
  }
  return result;
}

[[gnu::always_inline]] inline void step_adam(const Optimizer& o, const StepArgs& a) {
  // Floats count exactly up to 2^24; by then both corrections are 1.
  if (*a.scalar < 0x1p24F) *a.scalar += 1;
  const auto t = static_cast<std::uint32_t>(*a.scalar);
  const double b1 = o.p0, b2 = o.p1;
  const Lanes c1 = splat(static_cast<float>(1 / (1 - power(b1, t))));
  const Lanes c2 = splat(static_cast<float>(1 / (1 - power(b2, t))));
  const Lanes beta1 = splat(o.p0), beta2 = splat(o.p1), eps = splat(o.p2), lr = splat(a.lr);
  const Lanes rest1 = splat(static_cast<float>(1 - b1)), rest2 = splat(static_cast<float>(1 - b2));
  for_lanes(a.dim, [&](std::size_t d, std::size_t n) {
    const Lanes g = load(a.g + d, n);
    const Lanes m = beta1 * load(a.v0 + d, n) + rest1 * g;
    const Lanes v = beta2 * load(a.v1 + d, n) + rest2 * g * g;
    store(a.v0 + d, m, n);
    store(a.v1 + d, v, n);
    store(a.w + d, load(a.w + d, n) - lr * (m * c1) / (square_root(v * c2) + eps), n);
  });
}

[[gnu::always_inline]] inline void step_ftrl(const Optimizer& o, const StepArgs& a) {
  const float l1 = o.p0, l2 = o.p1, beta = o.p2;
  for (std::size_t d = 0; d < a.dim; ++d) {
    const float g = a.g[d], before = std::sqrt(a.v1[d]);
    a.v1[d] += g * g;
    const float after = std::sqrt(a.v1[d]);
    a.v0[d] += g - (after - before) / a.lr * a.w[d];
    const float z = a.v0[d], shrunk = z > 0 ? z - l1 : z + l1;
    a.w[d] = std::fabs(z) <= l1 ? 0.0F : -shrunk / ((beta + after) / a.lr + l2);
  }
}

}  // namespace recsys_embed::RECSYS_EMBED_ISA
