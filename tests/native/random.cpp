// Initial values: their distribution, and that each depends on its key and position alone.
#include "recsys_embed/random.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "check.hpp"
#include "draw.hpp"
#include "recsys_embed/row_layout.hpp"

using namespace recsys_embed;

namespace {

constexpr std::size_t kRows = 20000, kDim = 16;

// kRows rows of kDim values: ids in sequence, the least random there are.
std::vector<float> sample(const Initializer& init) {
  std::vector<float> out(kRows * kDim);
  for (std::size_t r = 0; r < kRows; ++r) {
    initialize(init, row_key(99, static_cast<std::int64_t>(r)), 0, &out[r * kDim], kDim);
  }
  return out;
}

double mean_of_power(const std::vector<float>& x, double mean, int power) {
  double total = 0;
  for (const float value : x) total += std::pow(value - mean, power);
  return total / static_cast<double>(x.size());
}

// |value - expected| within five standard errors of a mean of n draws.
bool is_near(double value, double expected, double deviation) {
  return std::fabs(value - expected) < 5 * deviation / std::sqrt(static_cast<double>(kRows * kDim));
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

void bits_are_fixed_for_ever() {
  CHECK(random_bits(1, 0) == 0x58f54975, random_bits(1, 0));
  CHECK(random_bits(0x123456789abcdef0, 17) == 0x51a73d32);
  CHECK(random_bits(0xffffffffffffffff, 4095) == 0xb3ab2d4c);
  CHECK(row_key(5, -1) == 0xb6c39f51af8b94f6);
  CHECK(row_key(0, 0) == 0xa706dd2f4d197e6f);
}

void uniform_values_have_their_mean_and_variance() {
  const auto x = sample({InitKind::kUniform, 1.0F, 3.0F});
  CHECK(is_near(mean_of_power(x, 0, 1), 2.0, std::sqrt(1.0 / 3)), mean_of_power(x, 0, 1));
  CHECK(is_near(mean_of_power(x, 2, 2), 1.0 / 3, std::sqrt(4.0 / 45)), mean_of_power(x, 2, 2));
}

void uniform_values_lie_evenly_in_their_range() {
  const auto x = sample({InitKind::kUniform, -0.5F, 0.5F});
  double squares = 0;
  std::vector<double> count(64);
  for (const float value : x) ++count.at(static_cast<std::size_t>((value + 0.5F) * 64));
  const double expected = static_cast<double>(x.size()) / 64;
  for (const double n : count) squares += (n - expected) * (n - expected) / expected;
  CHECK(squares < 120, squares);  // chi-squared, 63 degrees of freedom: beyond 120 once in 50,000
}

// The largest of 2^24 draws, found by search: rounding must not carry it up to `high`.
void uniform_values_stay_below_high() {
  std::uint64_t key = 0;
  while (random_bits(key, 0) >> 8 != 0xffffff) ++key;
  const float ranges[][2] = {{-0.05F, 0.05F}, {0.0F, 1.0F}, {1.0F, 1.5F}, {1000.0F, 1001.0F}, {-3.0F, -1.0F}};
  for (const auto& [low, high] : ranges) {
    float value;
    initialize({InitKind::kUniform, low, high}, key, 0, &value, 1);
    CHECK(low <= value && value < high, value, low, high);
  }
}

void normal_values_have_the_moments_of_the_normal_distribution() {
  const auto x = sample({InitKind::kNormal, 2.0F, 0.5F});
  const double mean = mean_of_power(x, 0, 1);
  CHECK(is_near(mean, 2.0, 0.5), mean);
  CHECK(is_near(mean_of_power(x, 2, 2), 0.25, 0.25 * std::sqrt(2.0)));
  CHECK(is_near(mean_of_power(x, 2, 3), 0.0, 0.125 * std::sqrt(15.0)));
  CHECK(is_near(mean_of_power(x, 2, 4), 3 * 0.0625, 0.0625 * std::sqrt(96.0)));
}

// Kolmogorov-Smirnov: the empirical distribution function against erfc.
void normal_values_have_the_quantiles_of_the_normal_distribution() {
  auto x = sample({InitKind::kNormal, 0.0F, 1.0F});
  std::sort(x.begin(), x.end());
  double furthest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(x.size());
    furthest = std::max(furthest, std::fabs(normal_cdf(x[i]) - share));
  }
  CHECK(furthest * std::sqrt(static_cast<double>(x.size())) < 2.0, furthest);
}

double quantile_by_bisection(double p) {
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (normal_cdf(middle) < p ? low : high) = middle;
  }
  return low;
}

void normal_quantile_inverts_erfc() {
  for (int i = 1; i < 4000; ++i) {
    const double p = i < 2000 ? i / 2000.0 : std::ldexp(0.5 + (i - 2000) / 4000.0, -(i % 32));
    const double x = quantile_by_bisection(p);
    CHECK(std::fabs(normal_quantile(p) - x) <= 1.3e-9 * std::fabs(x) + 1e-12, p, x, normal_quantile(p));
  }
}

void fixed_log_is_the_logarithm() {
  Draw draw(3);
  for (int i = 0; i < 20000; ++i) {
    const double x =
        std::ldexp(static_cast<double>(draw.below(1 << 20) + 1) * 0x1p-20, -static_cast<int>(draw.below(40)));
    CHECK(std::fabs(fixed_log(x) - std::log(x)) <= 1e-12 * std::fabs(std::log(x)), x);
  }
}

// Pearson's correlation of values `shift` apart in the sample, zero within five standard errors.
void check_uncorrelated(const std::vector<float>& x, std::size_t shift) {
  double total = 0;
  const std::size_t n = x.size() - shift;
  for (std::size_t i = 0; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i + shift]);
  CHECK(std::fabs(total / static_cast<double>(n)) < 5 / std::sqrt(static_cast<double>(n)), shift);
}

void values_tell_nothing_of_their_neighbours() {
  const auto x = sample({InitKind::kNormal, 0.0F, 1.0F});
  for (const std::size_t shift : {1, 2, 3, 8, 15, 16, 17, 32, 160}) check_uncorrelated(x, shift);
}

void a_value_depends_on_its_position_and_not_on_where_its_segment_begins() {
  for (const InitKind kind : {InitKind::kConstant, InitKind::kUniform, InitKind::kNormal}) {
    const Initializer init{kind, 0.25F, 0.75F};
    float whole[40], piece[40];
    initialize(init, 77, 0, whole, 40);
    for (std::uint32_t at = 0; at < 40; ++at) {
      initialize(init, 77, at, piece, 40 - at);
      CHECK(std::equal(piece, piece + 40 - at, whole + at), at);
    }
  }
}

void a_constant_is_what_it_says() {
  float out[3];
  initialize({InitKind::kConstant, -1.5F, 0.0F}, 1, 0, out, 3);
  CHECK(out[0] == -1.5F && out[1] == -1.5F && out[2] == -1.5F);
}

void tables_and_ids_begin_differently() {
  const Initializer init{InitKind::kUniform, 0.0F, 1.0F};
  float a[kDim], b[kDim], c[kDim];
  initialize(init, row_key(1, 5), 0, a, kDim);
  initialize(init, row_key(2, 5), 0, b, kDim);
  initialize(init, row_key(1, 6), 0, c, kDim);
  CHECK(!std::equal(a, a + kDim, b) && !std::equal(a, a + kDim, c) && !std::equal(b, b + kDim, c));
}

}  // namespace

int main() {
  return check::run({
      TEST(bits_are_fixed_for_ever),
      TEST(uniform_values_have_their_mean_and_variance),
      TEST(uniform_values_lie_evenly_in_their_range),
      TEST(uniform_values_stay_below_high),
      TEST(normal_values_have_the_moments_of_the_normal_distribution),
      TEST(normal_values_have_the_quantiles_of_the_normal_distribution),
      TEST(normal_quantile_inverts_erfc),
      TEST(fixed_log_is_the_logarithm),
      TEST(values_tell_nothing_of_their_neighbours),
      TEST(a_value_depends_on_its_position_and_not_on_where_its_segment_begins),
      TEST(a_constant_is_what_it_says),
      TEST(tables_and_ids_begin_differently),
  });
}
