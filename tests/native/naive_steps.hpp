// One optimizer step on one segment of one row, float by float: what every instruction set and any
// number of threads must give, to the bit. Formulas: recsys_embed/optimizers.py.
#pragma once

#include <cmath>
#include <vector>

#include "recsys_embed/row_layout.hpp"

namespace naive {

using recsys_embed::Optimizer;
using recsys_embed::OptimizerKind;
using recsys_embed::RowLayout;
using recsys_embed::Segment;

// The one sum across a row: position d adds to partial sum d % 16, then halves are added to halves.
inline float sum_of_squares(const float* g, std::size_t dim) {
  float partial[16] = {};
  for (std::size_t d = 0; d < dim; ++d) partial[d % 16] += g[d] * g[d];
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t k = 0; k < half; ++k) partial[k] += partial[k + half];
  }
  return partial[0];
}

inline void adagrad(const Optimizer& o, std::size_t dim, float lr, const float* g, float* w, float* state) {
  for (std::size_t d = 0; d < dim; ++d) {
    state[d] += g[d] * g[d];
    w[d] -= lr * g[d] / (std::sqrt(state[d]) + o.p1);
  }
}

inline void rowwise_adagrad(const Optimizer& o, std::size_t dim, float lr, const float* g, float* w,
                            float* state) {
  state[0] += sum_of_squares(g, dim) / static_cast<float>(dim);
  const float rate = lr / (std::sqrt(state[0]) + o.p1);
  for (std::size_t d = 0; d < dim; ++d) w[d] -= rate * g[d];
}

inline void adam(const Optimizer& o, std::size_t dim, float lr, const float* g, float* w, float* state) {
  state[0] += 1;
  double left1 = 1, left2 = 1;  // beta^t; within rounding of the core's repeated squaring
  const double b1 = o.p0, b2 = o.p1;
  std::uint32_t t = static_cast<std::uint32_t>(state[0]);
  for (double p1 = b1, p2 = b2; t != 0; t /= 2, p1 *= p1, p2 *= p2) {
    if (t % 2 == 1) left1 *= p1, left2 *= p2;
  }
  const auto c1 = static_cast<float>(1 / (1 - left1)), c2 = static_cast<float>(1 / (1 - left2));
  const auto rest1 = static_cast<float>(1 - b1), rest2 = static_cast<float>(1 - b2);
  float *m = state + 1, *v = state + 1 + dim;
  for (std::size_t d = 0; d < dim; ++d) {
    m[d] = o.p0 * m[d] + rest1 * g[d];
    v[d] = o.p1 * v[d] + rest2 * g[d] * g[d];
    w[d] -= lr * (m[d] * c1) / (std::sqrt(v[d] * c2) + o.p2);
  }
}

inline void ftrl(const Optimizer& o, std::size_t dim, float lr, const float* g, float* w, float* state) {
  float *z = state, *n = state + dim;
  for (std::size_t d = 0; d < dim; ++d) {
    const float before = std::sqrt(n[d]);
    n[d] += g[d] * g[d];
    const float after = std::sqrt(n[d]);
    z[d] += g[d] - (after - before) / lr * w[d];
    const float shrunk = z[d] > 0 ? z[d] - o.p0 : z[d] + o.p0;
    w[d] = std::fabs(z[d]) <= o.p0 ? 0.0F : -shrunk / ((o.p2 + after) / lr + o.p1);
  }
}

inline void step_segment(const Optimizer& o, std::size_t dim, float lr, const float* g, float* w,
                         float* state) {
  switch (o.kind) {
    case OptimizerKind::kSgd:
      for (std::size_t d = 0; d < dim; ++d) w[d] -= lr * g[d];
      return;
    case OptimizerKind::kAdagrad:
      return adagrad(o, dim, lr, g, w, state);
    case OptimizerKind::kRowwiseAdagrad:
      return rowwise_adagrad(o, dim, lr, g, w, state);
    case OptimizerKind::kAdam:
      return adam(o, dim, lr, g, w, state);
    case OptimizerKind::kFtrl:
      return ftrl(o, dim, lr, g, w, state);
  }
}

// One step of a whole row; `state` is flat, as snapshots hold it.
inline void step(const RowLayout& layout, const std::vector<float>& lr, std::vector<float> g, float* w,
                 float* state) {
  for (std::size_t s = 0; s < layout.segments.size(); ++s) {
    const Segment& segment = layout.segments[s];
    const Optimizer& o = segment.optimizer;
    for (std::size_t d = segment.position; o.weight_decay != 0 && d < segment.position + segment.dim; ++d) {
      g[d] += o.weight_decay * w[d];
    }
    step_segment(o, segment.dim, lr[s], &g[segment.position], w + segment.position, state);
    state += (o.has_scalar() ? 1 : 0) + std::size_t{segment.dim} * o.vectors();
  }
}

}  // namespace naive
