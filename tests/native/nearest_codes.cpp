// Nearest codes: small whole numbers, whose distances are exact, against a loop over all codes; any
// number of vectors, codes and dimensions; ties go to the lowest; endless vectors are marked.
#include "recsys_embed/nearest_codes.hpp"

#include <cmath>
#include <limits>

#include "check.hpp"
#include "recsys_embed/hash.hpp"
#include "recsys_embed/parallel.hpp"

using namespace recsys_embed;

namespace {

struct Shape {
  std::size_t levels, codes, width, vectors;
};

std::vector<float> whole_numbers(std::size_t count, std::uint64_t seed) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(mix64(i, seed) % 7) - 3;
  return out;
}

std::vector<std::int32_t> by_loops(const Shape& s, const std::vector<float>& books, std::vector<float> rest) {
  std::vector<std::int32_t> codes;
  for (std::size_t i = 0; i < s.vectors; ++i) {
    float* x = rest.data() + i * s.width;
    for (std::size_t l = 0; l < s.levels; ++l) {
      const float* level = books.data() + l * s.codes * s.width;
      std::size_t nearest = 0;
      float least = std::numeric_limits<float>::max();
      for (std::size_t k = 0; k < s.codes; ++k) {
        float distance = 0;
        for (std::size_t d = 0; d < s.width; ++d) {
          distance += (x[d] - level[k * s.width + d]) * (x[d] - level[k * s.width + d]);
        }
        if (distance < least) {
          least = distance;
          nearest = k;
        }
      }
      codes.push_back(static_cast<std::int32_t>(nearest));
      for (std::size_t d = 0; d < s.width; ++d) x[d] -= level[nearest * s.width + d];
    }
  }
  return codes;
}

void codes_are_those_of_a_loop_over_all() {
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{2, 5, 3, 0}, Shape{3, 31, 2, 13}, Shape{2, 33, 17, 97},
                         Shape{1, 64, 1, 1100}, Shape{4, 100, 40, 2500}, Shape{2, 7000, 2, 30}}) {
    const std::vector<float> books = whole_numbers(s.levels * s.codes * s.width, 1);
    const std::vector<float> vectors = whole_numbers(s.vectors * s.width, 2);
    const std::vector<std::int32_t> expected = by_loops(s, books, vectors);
    for (const std::size_t threads : {1U, 3U}) {
      Threads::set_count(threads);
      std::vector<std::int32_t> found(s.vectors * s.levels);
      NearestCodes(books.data(), s.levels, s.codes, s.width).encode(vectors.data(), s.vectors, found.data());
      CHECK(found == expected, s.levels, s.codes, s.width, s.vectors, threads);
    }
  }
}

void endless_vectors_are_marked_and_leave_the_others_alone() {
  const std::vector<float> books = {0, 0, 1, 1, 0, 0, 2, 2};
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> vectors = {1, 1, nan, 0, 3, 3, 0, inf, 1e30F, 0, 0, 0};
  std::vector<std::int32_t> found(12);
  NearestCodes(books.data(), 2, 2, 2).encode(vectors.data(), 6, found.data());
  CHECK((found == std::vector<std::int32_t>{1, 0, -1, -1, 1, 1, -1, -1, -1, -1, 0, 0}));
}

}  // namespace

int main() {
  return check::run({
      TEST(codes_are_those_of_a_loop_over_all),
      TEST(endless_vectors_are_marked_and_leave_the_others_alone),
  });
}
