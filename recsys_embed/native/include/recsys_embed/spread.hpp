// Dividing a call among threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "recsys_embed/parallel.hpp"

namespace recsys_embed {

// Below this, waking a thread costs more than it saves.
inline constexpr std::size_t kMinItemsPerPart = 1024;

inline std::size_t parts_for(const ThreadPool& pool, std::size_t items) {
  return std::clamp<std::size_t>(items / kMinItemsPerPart, 1, pool.size());
}

// More stretches than threads: who is held up takes fewer of them.
inline std::size_t stretches_for(const ThreadPool& pool, std::size_t items) {
  return pool.size() == 1 ? 1 : std::clamp<std::size_t>(items / kMinItemsPerPart, 1, 4 * pool.size());
}

// Calls work(part, first, last) for equal stretches of [0, n).
template <class Work>
void spread(ThreadPool& pool, std::size_t n, Work&& work) {
  const std::size_t parts = stretches_for(pool, n);
  pool.run(parts, [&](std::size_t part) { work(part, n * part / parts, n * (part + 1) / parts); });
}

// Calls work(part, first, last) for stretches of bags with about equally many ids.
template <class Work>
void spread_bags(ThreadPool& pool, const std::int64_t* offsets, std::size_t bags, Work&& work) {
  const auto total = static_cast<std::size_t>(offsets[bags]) + bags;
  const std::size_t parts = stretches_for(pool, total);
  const auto start = [&](std::size_t part) {
    const std::size_t wanted = total * part / parts;
    std::size_t low = 0, high = bags;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      static_cast<std::size_t>(offsets[middle]) + middle < wanted ? low = middle + 1 : high = middle;
    }
    return low;
  };
  pool.run(parts,
           [&](std::size_t part) { work(part, start(part), part + 1 == parts ? bags : start(part + 1)); });
}

// Which of `parts` threads changes a row: each row has one, whatever the order of the ids.
[[gnu::always_inline]] inline std::size_t owner_of(std::uint32_t row, std::size_t parts) {
  return (std::uint64_t{row * 0x9e3779b1U} * parts) >> 32;
}

}  // namespace recsys_embed
