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

// Pairs, pairs of pairs, ...: the same tree for every width of vector.
[[gnu::always_inline]] inline float sum(const Lanes& a) {
  float x[kLanes];
  store(x, a);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) x[i] += x[i + half];
  }
  return x[0];
}

// Calls f(first, lanes) for each stretch of up to sixteen positions below dim.
template <class F>
[[gnu::always_inline]] inline void for_lanes(std::size_t dim, F&& f) {
  std::size_t d = 0;
  for (; d + kLanes <= dim; d += kLanes) f(d, kLanes);
  if (d < dim) f(d, dim - d);
}

}  // namespace recsys_embed::RECSYS_EMBED_ISA
