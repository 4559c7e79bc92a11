#include "recsys_embed/nearest_codes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "recsys_embed/kernels.hpp"
#include "recsys_embed/parallel.hpp"

namespace recsys_embed {

namespace baseline {
extern const NearestKernel kNearest;
}
#if defined(__x86_64__)
namespace avx2 {
extern const NearestKernel kNearest;
}
namespace avx512 {
extern const NearestKernel kNearest;
}
#endif

namespace {

constexpr std::size_t kScores = 1 << 16;  // of a tile: they stay in the L2 cache
constexpr std::size_t kMostGroups = 8;
constexpr std::size_t kPart = 1024;  // vectors

const NearestKernel& kernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("fma")) {
    if (std::strcmp(kernels().name, "avx512") == 0) return avx512::kNearest;
    if (std::strcmp(kernels().name, "avx2") == 0) return avx2::kNearest;
  }
#endif
  return baseline::kNearest;
}

}  // namespace

std::int32_t settle(const CodebookView& books, const float* vector, const std::int32_t* before,
                    std::size_t level, const std::uint32_t* near, std::size_t count) {
  const auto code = [&books](std::size_t l, std::size_t k) {
    return books.vectors + (l * books.codes + k) * books.width;
  };
  std::vector<double> rest(vector, vector + books.width);
  for (std::size_t l = 0; l < level; ++l) {
    const float* taken = code(l, static_cast<std::size_t>(before[l]));
    for (std::size_t d = 0; d < books.width; ++d) rest[d] -= static_cast<double>(taken[d]);
  }
  std::uint32_t nearest = near[0];
  double least = HUGE_VAL;
  for (std::size_t i = 0; i < count; ++i) {
    const float* e = code(level, near[i]);
    double distance = 0;
    for (std::size_t d = 0; d < books.width; ++d) {
      const double gap = rest[d] - static_cast<double>(e[d]);
      distance += gap * gap;
    }
    if (distance < least) {
      least = distance;
      nearest = near[i];
    }
  }
  return static_cast<std::int32_t>(nearest);
}

NearestCodes::NearestCodes(const float* vectors, std::size_t levels, std::size_t codes, std::size_t width)
    : levels_(levels),
      codes_(codes),
      width_(width),
      kernel_(&kernel()),
      padded_((codes + kernel_->panel - 1) / kernel_->panel * kernel_->panel),
      vectors_(vectors, vectors + levels * codes * width),
      panels_(levels * padded_ * width),
      halves_(levels * padded_, 3e38F),
      longest_(levels) {
  for (std::size_t level = 0; level < levels; ++level) pack(level);
}

void NearestCodes::pack(std::size_t level) {
  double longest = 0;
  for (std::size_t k = 0; k < codes_; ++k) {
    const float* code = &vectors_[(level * codes_ + k) * width_];
    float* panel =
        &panels_[(level * padded_ + k / kernel_->panel * kernel_->panel) * width_ + k % kernel_->panel];
    double square = 0;
    for (std::size_t d = 0; d < width_; ++d) {
      panel[d * kernel_->panel] = code[d];
      square += static_cast<double>(code[d]) * static_cast<double>(code[d]);
    }
    halves_[level * padded_ + k] = static_cast<float>(square / 2);
    longest = std::max(longest, square);
  }
  longest_[level] = static_cast<float>(std::sqrt(longest));
}

CodebookView NearestCodes::view() const {
  return {levels_, codes_, width_, padded_, vectors_.data(), panels_.data(), halves_.data(), longest_.data()};
}

void NearestCodes::encode(const float* vectors, std::size_t n, std::int32_t* codes) const {
  Threads::pool()->run((n + kPart - 1) / kPart, [&](std::size_t part) {
    const std::size_t first = part * kPart;
    encode_part(vectors + first * width_, std::min(kPart, n - first), codes + first * levels_);
  });
}

void NearestCodes::encode_part(const float* vectors, std::size_t n, std::int32_t* codes) const {
  const std::size_t groups = std::clamp(kScores / (padded_ * kernel_->rows), std::size_t{1}, kMostGroups);
  const std::size_t needed = (std::min(n, groups * kernel_->rows) + kernel_->rows - 1) / kernel_->rows;
  const std::size_t rows = needed * kernel_->rows;
  std::vector<float> floats(rows * (width_ + padded_ + kernel_->panel + 1));
  std::vector<std::uint32_t> near(codes_);
  float* scores = floats.data() + rows * width_;
  float* best = scores + rows * padded_;
  const NearestTile tile{rows, floats.data(), scores, best, best + rows * kernel_->panel, near.data()};
  for (std::size_t first = 0; first < n; first += rows) {
    kernel_->encode(view(), vectors + first * width_, std::min(rows, n - first), codes + first * levels_,
                    tile);
  }
}

}  // namespace recsys_embed
