// The tests' own source of chance: the same on every machine, and nothing of the library's.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t bits() { return engine_(); }
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  std::int64_t any_id() { return static_cast<std::int64_t>(bits()); }
  // In (-1, 1) and never 0, of which a gradient would have two.
  float real() { return (static_cast<float>(below(1U << 23)) + 0.5F) * 0x1p-22F - 1.0F; }

  std::vector<float> reals(std::size_t n) {
    std::vector<float> out(n);
    for (float& x : out) x = real();
    return out;
  }

 private:
  std::mt19937_64 engine_;
};
