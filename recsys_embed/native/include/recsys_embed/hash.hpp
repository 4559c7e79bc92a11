// The one mixer and the one string hash. Both are fixed for ever: snapshots and clients rely on them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace recsys_embed {

// The splitmix64 step: a bijection of the 64-bit integers (Steele, Lea, Flood, OOPSLA 2014).
// Of mix64(id) the index uses the low bits for the group, bits 56-63 for the tag, and a call that
// runs in parallel divides its ids among threads by bits 48-55: disjoint ranges, so that none of
// these choices thins out another.
inline constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

inline constexpr std::uint64_t mix64(std::uint64_t x, std::uint64_t seed) { return mix64(x ^ mix64(seed)); }

// XXH64 (Yann Collet's specification, version 0.1.1), streamed.
class Xxh64 {
 public:
  explicit Xxh64(std::uint64_t seed = 0)
      : lanes_{seed + kP1 + kP2, seed + kP2, seed, seed - kP1}, seed_(seed) {}

  void update(const void* data, std::size_t size) {
    const auto* p = static_cast<const unsigned char*>(data);
    total_ += size;
    if (held_ + size < 32) {
      if (size != 0) std::memcpy(buffer_ + held_, p, size);
      held_ += size;
      return;
    }
    if (held_ != 0) {
      const std::size_t need = 32 - held_;
      std::memcpy(buffer_ + held_, p, need);
      stripe(buffer_);
      p += need;
      size -= need;
    }
    for (; size >= 32; p += 32, size -= 32) stripe(p);
    if (size != 0) std::memcpy(buffer_, p, size);
    held_ = size;
  }

  std::uint64_t digest() const {
    std::uint64_t h = total_ >= 32 ? merged() : seed_ + kP5;
    h += total_;
    const unsigned char* p = buffer_;
    std::size_t left = held_;
    for (; left >= 8; p += 8, left -= 8) h = std::rotl(h ^ round(0, read64(p)), 27) * kP1 + kP4;
    if (left >= 4) {
      h = std::rotl(h ^ (read32(p) * kP1), 23) * kP2 + kP3;
      p += 4;
      left -= 4;
    }
    for (; left > 0; ++p, --left) h = std::rotl(h ^ (*p * kP5), 11) * kP1;
    h = (h ^ (h >> 33)) * kP2;
    h = (h ^ (h >> 29)) * kP3;
    return h ^ (h >> 32);
  }

 private:
  static constexpr std::uint64_t kP1 = 0x9e3779b185ebca87ULL, kP2 = 0xc2b2ae3d27d4eb4fULL,
                                 kP3 = 0x165667b19e3779f9ULL, kP4 = 0x85ebca77c2b2ae63ULL,
                                 kP5 = 0x27d4eb2f165667c5ULL;

  // Little-endian reads; every platform this library builds for is little-endian.
  static std::uint64_t read64(const unsigned char* p) {
    std::uint64_t x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static std::uint64_t read32(const unsigned char* p) {
    std::uint32_t x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
  static std::uint64_t round(std::uint64_t lane, std::uint64_t input) {
    return std::rotl(lane + input * kP2, 31) * kP1;
  }
  void stripe(const unsigned char* p) {
    for (std::size_t i = 0; i < 4; ++i) lanes_[i] = round(lanes_[i], read64(p + 8 * i));
  }
  std::uint64_t merged() const {
    std::uint64_t h = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
                      std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) h = (h ^ round(0, lane)) * kP1 + kP4;
    return h;
  }

  std::uint64_t lanes_[4];
  std::uint64_t seed_;
  std::uint64_t total_ = 0;
  std::size_t held_ = 0;
  unsigned char buffer_[32] = {};
};

inline std::uint64_t xxh64(const void* data, std::size_t size) {
  Xxh64 hash;
  hash.update(data, size);
  return hash.digest();
}

}  // namespace recsys_embed
