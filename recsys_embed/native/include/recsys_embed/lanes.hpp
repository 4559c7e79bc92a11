// Sixteen floats at a time on whatever the machine has, with the same bits everywhere: no fused
// multiply-add (the build says -ffp-contract=off), and sums in one fixed order.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>

namespace recsys_embed::RECSYS_EMBED_ISA {

#if defined(__AVX512F__)
inline constexpr std::size_t kWidth = 16;
#elif defined(__AVX2__)
inline constexpr std::size_t kWidth = 8;
#else
inline constexpr std::size_t kWidth = 4;
#endif
inline constexpr std::size_t kLanes = 16;

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));

struct Lanes {
  Vector v[kLanes / kWidth];
};

template <class F>
[[gnu::always_inline]] inline Lanes each(F&& f) {
  Lanes out;
  for (std::size_t i = 0; i < kLanes / kWidth; ++i) out.v[i] = f(i);
  return out;
}

[[gnu::always_inline]] inline Lanes load(const float* p) {
  Lanes out;
  std::memcpy(&out, p, sizeof out);
  return out;
}
[[gnu::always_inline]] inline Lanes load(const float* p, std::size_t n) {
  Lanes out = {};
  std::memcpy(&out, p, n * sizeof(float));
  return out;
}
[[gnu::always_inline]] inline void store(float* p, const Lanes& a) { std::memcpy(p, &a, sizeof a); }
[[gnu::always_inline]] inline void store(float* p, const Lanes& a, std::size_t n) {
  std::memcpy(p, &a, n * sizeof(float));
}
[[gnu::always_inline]] inline Lanes splat(float x) {
  return each([x](std::size_t) { return Vector{} + x; });
}
[[gnu::always_inline]] inline Lanes operator+(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.v[i] + b.v[i]; });
}
[[gnu::always_inline]] inline Lanes operator-(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.v[i] - b.v[i]; });
}
[[gnu::always_inline]] inline Lanes operator*(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.v[i] * b.v[i]; });
}
[[gnu::always_inline]] inline Lanes operator/(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.v[i] / b.v[i]; });
}
[[gnu::always_inline]] inline Lanes square_root(const Lanes& a) {
  float x[kLanes];
  store(x, a);
  for (float& value : x) value = std::sqrt(value);
  return load(x);
}

// x[i] + x[i + 8], of these x[i] + x[i + 4], ...: the same tree for every width of vector, and in
// registers.
[[gnu::always_inline]] inline float sum(const Lanes& a) {
  typedef float Quarter __attribute__((vector_size(4 * sizeof(float))));
  Quarter q[4];
  std::memcpy(q, &a, sizeof q);
  const Quarter x = (q[0] + q[2]) + (q[1] + q[3]);
  return (x[0] + x[2]) + (x[1] + x[3]);
}

// Calls f(first, lanes) for each stretch of up to sixteen positions below dim.
template <class F>
[[gnu::always_inline]] inline void for_lanes(std::size_t dim, F&& f) {
  std::size_t d = 0;
  for (; d + kLanes <= dim; d += kLanes) f(d, kLanes);
  if (d < dim) f(d, dim - d);
}

}  // namespace recsys_embed::RECSYS_EMBED_ISA
