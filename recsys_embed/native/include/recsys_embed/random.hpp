// Initial values: each a pure function of (key, position), so that neither the order of insertion
// nor the number of threads can change a single bit.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "recsys_embed/hash.hpp"

namespace recsys_embed {

enum class InitKind : std::uint32_t { kConstant = 0, kUniform = 1, kNormal = 2 };

struct Initializer {
  InitKind kind = InitKind::kConstant;
  float a = 0.0F;  // constant: value; uniform: low; normal: mean
  float b = 0.0F;  // uniform: high; normal: standard deviation
};

// The stream of one row: table_key depends on (seed, table name).
inline std::uint64_t row_key(std::uint64_t table_key, std::int64_t id) {
  return mix64(static_cast<std::uint64_t>(id), table_key);
}

// 32 random bits for one position of a row. Two rounds of a 32-bit finalizer (Wellons' lowbias32)
// keyed by the halves of the row's key: 32-bit multiplications, which every SIMD set has.
inline std::uint32_t random_bits(std::uint64_t key, std::uint32_t position) {
  std::uint32_t x = position * 0x9e3779b9U + static_cast<std::uint32_t>(key);
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  x = (x ^ (x >> 16)) + static_cast<std::uint32_t>(key >> 32);
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

// Natural logarithm by argument reduction and the atanh series: the same bits on every machine,
// which the C library does not promise. Relative error below 1e-12 on (0, 1].
inline double fixed_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 0;
  for (int k = 19; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
  return 2 * s * sum + exponent * 0.69314718055994531;
}

// Inverse of the normal distribution function (Acklam's rational approximation, error 1.2e-9).
inline double normal_quantile(double p) {
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                          6.680131188771972e+01, -1.328068155288572e+01};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                          3.754408661907416e+00};
  const double tail = p < 0.5 ? p : 1 - p;
  if (tail < 0.02425) {
    const double q = std::sqrt(-2 * fixed_log(tail));
    const double x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
                     ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    return p < 0.5 ? x : -x;
  }
  const double q = p - 0.5, r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

// Writes the `dim` initial weights that begin at `position` of the row.
inline void initialize(const Initializer& init, std::uint64_t key, std::uint32_t position,
                       float* __restrict out, std::size_t dim) {
  const auto count = static_cast<std::uint32_t>(dim);
  switch (init.kind) {
    case InitKind::kConstant:
      for (std::uint32_t d = 0; d < count; ++d) out[d] = init.a;
      break;
    case InitKind::kUniform: {
      const float width = init.b - init.a, last = std::nextafter(init.b, init.a);
      for (std::uint32_t d = 0; d < count; ++d) {
        const auto u = static_cast<float>(static_cast<std::int32_t>(random_bits(key, position + d) >> 8));
        out[d] = std::min(init.a + width * (u * 0x1p-24F), last);  // rounding may reach b
      }
      break;
    }
    case InitKind::kNormal:
      for (std::uint32_t d = 0; d < count; ++d) {
        const double u = (random_bits(key, position + d) + 0.5) * 0x1p-32;
        out[d] = init.a + init.b * static_cast<float>(normal_quantile(u));
      }
      break;
  }
}

}  // namespace recsys_embed
