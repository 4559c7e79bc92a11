// Residual quantization: of each vector the nearest code, of what is left over the nearest, and so on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace recsys_embed {

// Codebooks as the kernels read them: each level's codes also in panels of some side by side,
// dimension by dimension, filled up with codes that are never near.
struct CodebookView {
  std::size_t levels, codes, width, padded;  // padded: codes rounded up to whole panels
  const float* vectors;                      // (levels, codes, width)
  const float* panels;                       // (levels, padded / panel, width, panel)
  const float* halves;                       // (levels, padded): |e|^2 / 2
  const float* longest;                      // (levels): the greatest |e|
};

// Scratch of one thread for a tile of vectors.
struct NearestTile {
  std::size_t rows;     // a multiple of the kernel's
  float* rest;          // (rows, width)
  float* scores;        // (rows, padded)
  float* best;          // (rows, panel)
  float* reach;         // (rows): the greatest length that a vector and its residuals have had
  std::uint32_t* near;  // (codes)
};

struct NearestKernel {
  std::size_t rows, panel;
  // Up to tile.rows vectors: codes (n, levels).
  void (*encode)(const CodebookView&, const float* vectors, std::size_t n, std::int32_t* codes,
                 const NearestTile&);
};

// Of `count` codes near a vector at a level the nearest, in float64, the lowest of equally near ones.
std::int32_t settle(const CodebookView&, const float* vector, const std::int32_t* before, std::size_t level,
                    const std::uint32_t* near, std::size_t count);

// Vectors at least as long as this might overflow float32; they get code -1.
inline constexpr float kTooLong = 1e18F;

// c_l = argmin_k |r_l - e^l_k|^2, r_1 = x, r_{l+1} = r_l - e^l_{c_l}, as in real numbers: codes whose
// float32 scores lie closer than these can err are compared again in float64. So results depend on
// neither instruction set nor threads.
class NearestCodes {
 public:
  // vectors: (levels, codes, width), finite and shorter than kTooLong; copied.
  NearestCodes(const float* vectors, std::size_t levels, std::size_t codes, std::size_t width);

  std::size_t levels() const { return levels_; }
  std::size_t width() const { return width_; }

  // codes: (n, levels); -1 where a vector is too long or not finite.
  void encode(const float* vectors, std::size_t n, std::int32_t* codes) const;

 private:
  void pack(std::size_t level);
  CodebookView view() const;
  void encode_part(const float* vectors, std::size_t n, std::int32_t* codes) const;

  std::size_t levels_, codes_, width_;
  const NearestKernel* kernel_;
  std::size_t padded_;
  std::vector<float> vectors_, panels_, halves_, longest_;
};

}  // namespace recsys_embed
