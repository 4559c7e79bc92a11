// Finding, gathering and pooling: the same bits from every instruction set as from plain loops.
#include <cmath>
#include <limits>
#include <string_view>

#include "check.hpp"
#include "kernels.hpp"

using namespace recsys_embed;

namespace {

std::vector<Segment> plain(std::uint32_t dim) { return {{.dim = dim, .optimizer = {}, .initializer = {}}}; }

std::uint32_t first_tag_match(const IdIndex& index, std::int64_t id) {
  const std::uint64_t hash = mix64(static_cast<std::uint64_t>(id));
  for (std::uint64_t step = 0; step <= index.mask(); ++step) {
    const Group& group = index.groups()[(hash + step) & index.mask()];
    for (std::uint32_t s = 0; s < kGroupSlots; ++s) {
      if (group.tags[s] == tag_of(hash)) return group.rows[s];
    }
    if (group.overflow == 0) return kNoRow;
  }
  return kNoRow;
}

void find_gives_the_first_row_whose_tag_matches() {
  Draw draw(1);
  for (const std::uint32_t rows : {0, 1, 9, 38, 5000}) {
    const SmallTable table(plain(1), rows, draw);
    for (const std::size_t n : {0, 1, 24, 127, 128, 129, 3000}) {
      std::vector<std::int64_t> ids(n);
      for (auto& id : ids) id = static_cast<std::int64_t>(draw.below(3 * rows + 50));
      for (const Kernels* k : available_kernels()) {
        std::vector<std::uint32_t> found(n + 1, 12345);
        k->find(table.view(), ids.data(), n, found.data());
        for (std::size_t i = 0; i < n; ++i)
          CHECK(found[i] == first_tag_match(table.index, ids[i]), k->name, ids[i]);
        CHECK(found[n] == 12345, k->name);
      }
    }
  }
}

void gather_copies_rows() {
  Draw draw(2);
  for (const std::uint32_t dim : dimensions()) {
    const SmallTable table(plain(dim), 90, draw);
    Query query(table, 200, draw);
    const auto rows = query.candidates(table, draw);
    const std::size_t stride = dim + draw.below(4), first = draw.below(20), last = 200 - draw.below(20);
    std::vector<float> expected(200 * stride, 0.5F);
    for (std::size_t i = first; i < last; ++i) {
      std::copy_n(query.expected(table, i), dim, &expected[i * stride]);
    }
    for (const Kernels* k : available_kernels()) {
      std::vector<float> out(200 * stride, 0.5F);
      k->gather(table.view(), query.ids.data(), rows.data(), first, last, out.data(), stride,
                query.callback(), nullptr);
      CHECK(same_bits(out, expected), k->name, dim);
    }
  }
}

struct Batch {
  static constexpr std::size_t kFeatures = 3;
  std::size_t batch;
  std::vector<std::int64_t> offsets{0};
  std::vector<float> weights;

  Batch(std::size_t size, Draw& draw) : batch(size) {
    for (std::size_t b = 0; b < kFeatures * batch; ++b) {
      const std::uint64_t length = draw.chance(30) ? 0 : draw.chance(10) ? 40 : draw.below(6);
      offsets.push_back(offsets.back() + static_cast<std::int64_t>(length));
    }
    weights = draw.reals(ids());
  }
  std::size_t ids() const { return static_cast<std::size_t>(offsets.back()); }
  std::size_t bags() const { return offsets.size() - 1; }
};

void naive_pool(const SmallTable& table, const Query& query, const Batch& batch, const float* weights,
                Pooling pooling, const BagOutput& out) {
  for (std::size_t bag = 0; bag < batch.bags(); ++bag) {
    float* to = out.data + (bag % out.batch) * out.stride + (bag / out.batch) * table.layout.dim;
    const auto begin = static_cast<std::size_t>(batch.offsets[bag]),
               end = static_cast<std::size_t>(batch.offsets[bag + 1]);
    for (std::size_t d = 0; d < table.layout.dim; ++d) {
      float total = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const float x = query.expected(table, i)[d];
        total += weights == nullptr ? x : weights[i] * x;
      }
      to[d] =
          pooling == Pooling::kMean && begin < end ? total * (1.0F / static_cast<float>(end - begin)) : total;
    }
  }
}

void check_pool(const SmallTable& table, std::size_t size, Draw& draw) {
  const Batch batch(size, draw);
  Query query(table, batch.ids(), draw);
  const auto rows = query.candidates(table, draw);
  const std::size_t stride = Batch::kFeatures * table.layout.dim + draw.below(5);
  const std::size_t middle = draw.below(batch.bags() + 1);
  for (const float* weights : {static_cast<const float*>(nullptr), batch.weights.data()}) {
    for (const Pooling pooling : {Pooling::kSum, Pooling::kMean}) {
      std::vector<float> expected(std::max<std::size_t>(size, 1) * stride, 0.5F);
      naive_pool(table, query, batch, weights, pooling,
                 {expected.data(), stride, std::max<std::size_t>(size, 1)});
      for (const Kernels* k : available_kernels()) {
        std::vector<float> out(expected.size(), 0.5F);
        const BagOutput to{out.data(), stride, std::max<std::size_t>(size, 1)};
        for (const auto& [first, last] :
             {std::pair{middle, batch.bags()}, std::pair{std::size_t{0}, middle}}) {
          k->pool(table.view(), query.ids.data(), rows.data(), batch.offsets.data(), first, last, weights,
                  pooling, to, query.callback(), nullptr);
        }
        CHECK(same_bits(out, expected), k->name, table.layout.dim, size, weights != nullptr, pooling);
      }
    }
  }
}

void pool_sums_and_averages_each_bag_in_order() {
  Draw draw(3);
  for (const std::uint32_t dim : dimensions()) {
    const SmallTable table(plain(dim), 70, draw);
    for (const std::size_t size : {1, 20}) check_pool(table, size, draw);
  }
  check_pool(SmallTable(plain(16), 70, draw), 0, draw);
}

void all_finite_finds_every_nan_and_infinity() {
  Draw draw(4);
  for (std::size_t n = 0; n <= 70; ++n) {
    auto values = draw.reals(n);
    for (float& x : values) x = x > 0 ? std::numeric_limits<float>::max() : x * 1e-44F;
    for (const Kernels* k : available_kernels()) {
      CHECK(k->all_finite(values.data(), n), k->name, n);
      for (std::size_t i = 0; i < n; ++i) {
        const float kept = values[i];
        for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
          values[i] = bad;
          CHECK(!k->all_finite(values.data(), n), k->name, n, i, bad);
        }
        values[i] = kept;
      }
    }
  }
}

void the_environment_chooses_among_those_the_machine_has() {
  const auto all = available_kernels();
  const char* wish = std::getenv("RECSYS_EMBED_ISA");
  const auto named = [wish](const Kernels* k) {
    return wish != nullptr && std::string_view(wish) == k->name;
  };
  const auto wished = std::find_if(all.begin(), all.end(), named);
  CHECK(&kernels() == (wished == all.end() ? all.back() : *wished), kernels().name);
}

}  // namespace

int main() {
  return check::run({
      TEST(the_environment_chooses_among_those_the_machine_has),
      TEST(find_gives_the_first_row_whose_tag_matches),
      TEST(gather_copies_rows),
      TEST(pool_sums_and_averages_each_bag_in_order),
      TEST(all_finite_finds_every_nan_and_infinity),
  });
}
