// Optimizer steps: the same bits from every instruction set as from plain loops.
#include "check.hpp"
#include "kernels.hpp"
#include "naive_steps.hpp"

using namespace recsys_embed;

namespace {

constexpr std::uint32_t kRows = 40;

// Occurrences 0 .. n of some rows, chained as Table::chain would; every row has one at least.
struct Occurring {
  std::vector<std::uint32_t> rows, first, next;
  std::vector<float> grads, scale;
  std::vector<const float*> source;

  Occurring(std::size_t n, std::uint32_t dim, bool repeated, bool scaled, Draw& draw)
      : next(n, kNoRow), grads(draw.reals(n * dim)), scale(scaled ? draw.reals(n) : std::vector<float>()) {
    std::vector<std::uint32_t> last;
    for (std::uint32_t i = 0; i < n; ++i) {
      source.push_back(&grads[i * dim]);
      if (repeated && i > 2 && draw.chance(60)) {
        std::uint32_t& before = last[draw.below(last.size())];
        next[before] = i;
        before = i;
      } else {
        rows.push_back(static_cast<std::uint32_t>(rows.size() * 7 % kRows));
        first.push_back(i);
        last.push_back(i);
      }
    }
  }
  std::vector<float> summed(std::size_t u, std::size_t dim) const {
    std::vector<float> total(dim);
    for (std::uint32_t i = first[u]; i != kNoRow; i = next[i]) {
      for (std::size_t d = 0; d < dim; ++d)
        total[d] += scale.empty() ? source[i][d] : scale[i] * source[i][d];
    }
    return total;
  }
};

void check_update(const std::vector<Segment>& segments, bool repeated, bool scaled, Draw& draw) {
  SmallTable table(segments, kRows, draw);
  const std::size_t dim = table.layout.dim;
  const Occurring occurring(repeated ? 60 : 30, table.layout.dim, repeated, scaled, draw);
  std::vector<float> lr;
  for (std::size_t s = 0; s < segments.size(); ++s) lr.push_back(0.01F * static_cast<float>(s + 1));
  std::vector<std::vector<float>> before, expected;
  for (std::uint32_t r = 0; r < kRows; ++r) before.push_back(table.floats(r));
  expected = before;
  for (std::size_t u = 0; u < occurring.rows.size(); ++u) {
    auto& floats = expected[occurring.rows[u]];
    naive::step(table.layout, lr, occurring.summed(u, dim), floats.data(), floats.data() + dim);
  }
  for (const Kernels* k : available_kernels()) {
    for (std::uint32_t r = 0; r < kRows; ++r) table.put(r, before[r]);
    std::vector<float> scratch(dim);
    k->update(table.view(), table.layout.segments.data(), segments.size(), lr.data(),
              {occurring.rows.data(), occurring.first.data(), occurring.next.data(), occurring.rows.size()},
              {occurring.source.data(), scaled ? occurring.scale.data() : nullptr}, scratch.data());
    for (std::uint32_t r = 0; r < kRows; ++r) {
      CHECK(same_bits(table.floats(r), expected[r]), k->name, r, dim, segments[0].optimizer.kind, repeated,
            scaled);
      CHECK(header_of(table.storage.row(r)).id == static_cast<std::int64_t>(SmallTable::id_of(r)), k->name,
            r);
    }
  }
}

const Optimizer kOptimizers[] = {
    {OptimizerKind::kSgd, 0.0F, 0.0F, 0.0F, 0.0F},
    {OptimizerKind::kSgd, 0.1F, 0.0F, 0.0F, 0.0F},
    {OptimizerKind::kAdagrad, 0.0F, 0.1F, 1e-8F, 0.0F},
    {OptimizerKind::kAdagrad, 0.2F, 0.0F, 1e-10F, 0.0F},
    {OptimizerKind::kRowwiseAdagrad, 0.0F, 0.0F, 1e-10F, 0.0F},
    {OptimizerKind::kRowwiseAdagrad, 0.3F, 0.5F, 1e-8F, 0.0F},
    {OptimizerKind::kAdam, 0.0F, 0.9F, 0.999F, 1e-8F},
    {OptimizerKind::kAdam, 0.01F, 0.8F, 0.9F, 1e-6F},
    {OptimizerKind::kFtrl, 0.0F, 0.05F, 0.1F, 1.0F},
    {OptimizerKind::kFtrl, 0.1F, 0.5F, 0.0F, 0.5F},
};

void every_optimizer_steps_alike_in_every_dimension() {
  Draw draw(1);
  for (const std::uint32_t dim : dimensions()) {
    for (const Optimizer& optimizer : kOptimizers) {
      const std::vector<Segment> one{{.dim = dim, .optimizer = optimizer, .initializer = {}}};
      check_update(one, draw.chance(50), draw.chance(50), draw);
    }
  }
}

void repeated_and_scaled_gradients_are_summed_in_order() {
  Draw draw(2);
  for (const bool repeated : {false, true}) {
    for (const bool scaled : {false, true}) {
      for (const Optimizer& optimizer : kOptimizers) {
        check_update({{.dim = 19, .optimizer = optimizer, .initializer = {}}}, repeated, scaled, draw);
      }
    }
  }
}

void segments_of_a_row_step_apart() {
  Draw draw(3);
  for (const Optimizer& a : kOptimizers) {
    for (const Optimizer& b : kOptimizers) {
      const auto dim = static_cast<std::uint32_t>(1 + draw.below(20));
      check_update({{.dim = dim, .optimizer = a, .initializer = {}},
                    {.dim = 5, .optimizer = b, .initializer = {}},
                    {.dim = 16, .optimizer = a, .initializer = {}}},
                   true, draw.chance(50), draw);
    }
  }
}

}  // namespace

int main() {
  return check::run({
      TEST(every_optimizer_steps_alike_in_every_dimension),
      TEST(repeated_and_scaled_gradients_are_summed_in_order),
      TEST(segments_of_a_row_step_apart),
  });
}
