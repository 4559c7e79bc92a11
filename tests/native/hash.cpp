// Vectors from the reference implementations: xxHash 0.8 and splitmix64.c.
#include "recsys_embed/hash.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "draw.hpp"

using namespace recsys_embed;

namespace {

std::uint64_t seeded(std::string_view text, std::uint64_t seed) {
  Xxh64 hash(seed);
  hash.update(text.data(), text.size());
  return hash.digest();
}

std::vector<unsigned char> pattern(std::size_t size) {
  std::vector<unsigned char> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<unsigned char>(i % 251);
  return out;
}

void xxh64_gives_the_published_values() {
  struct Known {
    std::string_view text;
    std::uint64_t plain, seeded;
  };
  const Known known[] = {
      {"", 0xef46db3751d8e999, 0xac75fda2929b17ef},
      {"a", 0xd24ec4f1a98c6e5b, 0x393da8b78992279b},
      {"abc", 0x44bc2cf5ad770999, 0x1318df30094a85fd},
      {"Z\xc3\xbcrich \xe2\x98\x83", 0x2f61548adccff742, 0x724a22af46accb27},
      {"Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1, 0x56db22dd5b051147},
  };
  for (const Known& k : known) {
    CHECK(xxh64(k.text.data(), k.text.size()) == k.plain, k.text);
    CHECK(seeded(k.text, 2654435761U) == k.seeded, k.text);
  }
  const auto bytes = pattern(100003);
  CHECK(xxh64(bytes.data(), bytes.size()) == 0xcbab15ce50b1eb20);
}

void xxh64_is_right_for_every_length_up_to_a_hundred() {
  unsigned char bytes[100];
  for (unsigned i = 0; i < 100; ++i) bytes[i] = static_cast<unsigned char>(i * 7 + 3);
  Xxh64 all;
  for (std::size_t n = 0; n <= 100; ++n) {
    const std::uint64_t digest = xxh64(bytes, n);
    all.update(&digest, sizeof digest);
  }
  CHECK(all.digest() == 0x69278944434abcf6, all.digest());
}

void pieces_give_the_hash_of_the_whole() {
  Draw draw(1);
  const auto bytes = pattern(2000);
  for (int round = 0; round < 300; ++round) {
    const std::size_t size = draw.below(bytes.size() + 1);
    Xxh64 hash;
    for (std::size_t at = 0; at < size;) {
      const std::size_t piece = std::min<std::size_t>(size - at, draw.below(100));
      hash.update(bytes.data() + at, piece);
      at += piece;
    }
    CHECK(hash.digest() == xxh64(bytes.data(), size), size);
  }
}

void a_digest_does_not_end_the_stream() {
  Xxh64 hash;
  hash.update("a", 1);
  CHECK(hash.digest() == 0xd24ec4f1a98c6e5b);
  hash.update("bc", 2);
  CHECK(hash.digest() == 0x44bc2cf5ad770999);
}

void mix64_is_the_splitmix64_step() {
  const std::uint64_t known[] = {6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
                                 4593380528125082431U, 16408922859458223821U};
  std::uint64_t state = 1234567;
  for (const std::uint64_t expected : known) {
    CHECK(mix64(state) == expected, state);
    state += 0x9e3779b97f4a7c15;
  }
}

// Newton's iteration for the inverse of an odd number modulo 2^64.
std::uint64_t inverse(std::uint64_t odd) {
  std::uint64_t x = odd;
  for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
  return x;
}

std::uint64_t unshifted(std::uint64_t y, int by) {
  std::uint64_t x = y;
  for (int done = by; done < 64; done += by) x = y ^ (x >> by);
  return x;
}

std::uint64_t unmixed(std::uint64_t x) {
  x = unshifted(x, 31) * inverse(0x94d049bb133111eb);
  x = unshifted(x, 27) * inverse(0xbf58476d1ce4e5b9);
  return unshifted(x, 30) - 0x9e3779b97f4a7c15;
}

void mix64_loses_nothing_of_an_id() {
  Draw draw(2);
  for (int round = 0; round < 10000; ++round) {
    const std::uint64_t x = round < 100 ? static_cast<std::uint64_t>(round - 50) : draw.bits();
    CHECK(unmixed(mix64(x)) == x, x);
    const std::uint64_t seed = draw.bits();
    CHECK((unmixed(mix64(x, seed)) ^ mix64(seed)) == x, x, seed);
  }
}

}  // namespace

int main() {
  return check::run({
      TEST(xxh64_gives_the_published_values),
      TEST(xxh64_is_right_for_every_length_up_to_a_hundred),
      TEST(pieces_give_the_hash_of_the_whole),
      TEST(a_digest_does_not_end_the_stream),
      TEST(mix64_is_the_splitmix64_step),
      TEST(mix64_loses_nothing_of_an_id),
  });
}
