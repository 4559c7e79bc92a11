// Scores of many vectors against many codes, compiled once for each instruction set. Unlike in the
// other kernels multiplications and additions may fuse: results do not depend on rounding here.
// Plain loops over plain memory: a template of the library, compiled here, might be linked elsewhere.
#include <cmath>
#include <cstring>

#include "recsys_embed/nearest_codes.hpp"

namespace recsys_embed::RECSYS_EMBED_ISA {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kWidth = 16, kRows = 12;  // 24 of 32 registers hold sums
#elif defined(__AVX2__)
constexpr std::size_t kWidth = 8, kRows = 6;
#else
constexpr std::size_t kWidth = 4, kRows = 4;
#endif
constexpr std::size_t kPanel = 2 * kWidth;
constexpr float kRounding = 1.0F / (1 << 24);

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));

Vector load(const float* p) {
  Vector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, const Vector& v) { std::memcpy(p, &v, sizeof v); }
Vector greater(const Vector& a, const Vector& b) { return a > b ? a : b; }

// x e - |e|^2 / 2 of kRows vectors and a panel of codes; `best` keeps the greatest of each column.
void score_panel(const float* x, std::size_t width, const float* panel, const float* halves, float* scores,
                 std::size_t stride, float* best) {
  Vector sums[kRows][2];
  for (auto& sum : sums) {
    sum[0] = -load(halves);
    sum[1] = -load(halves + kWidth);
  }
  for (std::size_t d = 0; d < width; ++d, panel += kPanel) {
    const Vector left = load(panel), right = load(panel + kWidth);
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vector value = Vector{} + x[r * width + d];
      sums[r][0] += left * value;
      sums[r][1] += right * value;
    }
  }
  for (std::size_t r = 0; r < kRows; ++r, scores += stride, best += kPanel) {
    store(scores, sums[r][0]);
    store(scores + kWidth, sums[r][1]);
    store(best, greater(load(best), sums[r][0]));
    store(best + kWidth, greater(load(best + kWidth), sums[r][1]));
  }
}

void score(const CodebookView& books, std::size_t level, const NearestTile& tile) {
  for (std::size_t i = 0; i < tile.rows * kPanel; ++i) tile.best[i] = -3e38F;
  const float* panel = books.panels + level * books.padded * books.width;
  const float* halves = books.halves + level * books.padded;
  for (std::size_t first = 0; first < books.padded; first += kPanel, panel += kPanel * books.width) {
    for (std::size_t row = 0; row < tile.rows; row += kRows) {
      score_panel(tile.rest + row * books.width, books.width, panel, halves + first,
                  tile.scores + row * books.padded + first, books.padded, tile.best + row * kPanel);
    }
  }
}

// The codes whose scores are `least` or more; most often a single one.
std::size_t find_near(const float* scores, std::size_t padded, float least, std::uint32_t* near) {
  std::size_t count = 0;
  for (std::size_t first = 0; first < padded; first += kPanel) {
    int any = 0;
    for (std::size_t i = 0; i < kPanel; ++i) any |= scores[first + i] >= least;
    if (any == 0) [[likely]]
      continue;
    for (std::size_t i = first; i < first + kPanel; ++i) {
      if (scores[i] >= least) near[count++] = static_cast<std::uint32_t>(i);
    }
  }
  return count;
}

float length(const float* x, std::size_t width) {
  Vector sums = {};
  std::size_t d = 0;
  for (; d + kWidth <= width; d += kWidth) sums += load(x + d) * load(x + d);
  float sum = 0;
  for (; d < width; ++d) sum += x[d] * x[d];
  for (std::size_t i = 0; i < kWidth; ++i) sum += sums[i];
  return std::sqrt(sum);
}

float greatest(const float* values, std::size_t n) {
  float most = values[0];
  for (std::size_t i = 1; i < n; ++i) most = values[i] > most ? values[i] : most;
  return most;
}

// How much lower than the best score that of the nearest code can be. A score errs by at most D + 1
// roundings of |r| |e| + |e|^2 / 2; each residual adds one. Two scores are compared.
float error(const CodebookView& books, std::size_t level, float reach) {
  const float longest = books.longest[level];
  return 2 * kRounding * static_cast<float>(books.width + 8 * books.levels) * longest * (reach + longest);
}

// Chooses the code of one vector at a level and takes it off.
void choose(const CodebookView& books, std::size_t level, const float* vector, std::int32_t* chosen,
            std::size_t row, const NearestTile& tile) {
  float* rest = tile.rest + row * books.width;
  const float best = greatest(tile.best + row * kPanel, kPanel);
  const std::size_t count = find_near(tile.scores + row * books.padded, books.padded,
                                      best - error(books, level, tile.reach[row]), tile.near);
  chosen[level] = count == 1 ? static_cast<std::int32_t>(tile.near[0])
                             : settle(books, vector, chosen, level, tile.near, count);
  if (level + 1 == books.levels) return;
  const float* code =
      books.vectors + (level * books.codes + static_cast<std::size_t>(chosen[level])) * books.width;
  for (std::size_t d = 0; d < books.width; ++d) rest[d] -= code[d];
  const float left = length(rest, books.width);
  if (left > tile.reach[row]) tile.reach[row] = left;
}

// Copies vectors into the tile; those that are too long become 0, as the rows behind the last are.
void fill(const CodebookView& books, const float* vectors, std::size_t n, const NearestTile& tile) {
  for (std::size_t row = 0; row < tile.rows; ++row) {
    const float* x = vectors + row * books.width;
    const float reach = row < n ? length(x, books.width) : 0;
    const bool is_short = reach < kTooLong;  // NaN is not
    tile.reach[row] = is_short ? reach : -1;
    for (std::size_t d = 0; d < books.width; ++d) {
      tile.rest[row * books.width + d] = row < n && is_short ? x[d] : 0;
    }
  }
}

void encode(const CodebookView& books, const float* vectors, std::size_t n, std::int32_t* codes,
            const NearestTile& tile) {
  fill(books, vectors, n, tile);
  for (std::size_t level = 0; level < books.levels; ++level) {
    score(books, level, tile);
    for (std::size_t row = 0; row < n; ++row) {
      std::int32_t* chosen = codes + row * books.levels;
      if (tile.reach[row] < 0) {
        chosen[level] = -1;
      } else {
        choose(books, level, vectors + row * books.width, chosen, row, tile);
      }
    }
  }
}

}  // namespace

extern const NearestKernel kNearest;
const NearestKernel kNearest = {kRows, kPanel, encode};

}  // namespace recsys_embed::RECSYS_EMBED_ISA
