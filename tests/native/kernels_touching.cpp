// Training reads: which rows' time is over, and what becomes of the headers of the others; the same
// from every instruction set as from the rule written down plainly.
#include "check.hpp"
#include "kernels.hpp"

using namespace recsys_embed;

namespace {

constexpr std::uint32_t kRows = 60;
constexpr std::size_t kIds = 300;
constexpr std::uint64_t kSeq = 0x123456789abc;
const std::uint32_t kTtls[] = {40, 0, 90};

auto fields(const RowHeader& h) {
  return std::tuple(h.id, h.last_seen, h.count, h.stamp, h.seq(), h.feature);
}

// A table whose rows were last seen at different times, and the occurrences of a call at clock 100.
struct Scene {
  SmallTable table;
  Query query;
  std::vector<std::uint32_t> rows;
  std::vector<RowHeader> before;
  std::vector<std::uint32_t> preserved;
  Touch touch;

  Scene(std::uint32_t dim, Draw& draw)
      : table({{.dim = dim, .optimizer = {}, .initializer = {}}}, kRows, draw),
        query(table, kIds, draw),
        rows(query.candidates(table, draw)) {
    for (std::uint32_t r = 0; r < kRows; ++r) {
      RowHeader& h = header_of(table.storage.row(r));
      h.last_seen = static_cast<std::uint32_t>(draw.below(110));
      h.count = draw.chance(10) ? 0xffffffffU : static_cast<std::uint32_t>(draw.below(5));
      h.set_seq(draw.chance(20) ? kSeq : kSeq - 1 - draw.below(3));
      h.feature = static_cast<std::uint16_t>(draw.below(3));
      before.push_back(h);
    }
    const auto preserve = [](void* scene, std::uint32_t row) {
      static_cast<Scene*>(scene)->preserved.push_back(row);
    };
    touch = {static_cast<std::uint32_t>(50 + draw.below(50)),
             100,
             kSeq,
             draw.chance(80) ? kTtls : nullptr,
             static_cast<std::uint16_t>(draw.below(3)),
             draw.chance(80),
             draw.chance(50) ? +preserve : nullptr,
             this};
  }
  RowHeader& header(std::uint32_t row) { return header_of(table.storage.row(row)); }
  void restore() {
    for (std::uint32_t r = 0; r < kRows; ++r) header(r) = before[r];
    preserved.clear();
  }
};

bool is_over(const RowHeader& h, bool expires) {
  const std::uint32_t ttl = expires ? kTtls[h.feature] : 0;
  return ttl != 0 && h.seq() != kSeq && h.last_seen + ttl <= 100;
}

void note(RowHeader& h, const Touch& touch) {
  h.last_seen = std::max(h.last_seen, touch.now);
  if (h.count != 0xffffffffU) ++h.count;
  h.set_seq(kSeq);
  const auto patience = [](std::uint16_t feature) { return kTtls[feature] - 1; };  // 0: the longest there is
  if (touch.ttls != nullptr && patience(touch.feature) > patience(h.feature)) h.feature = touch.feature;
}

// What the call leaves behind, occurrence by occurrence; returns what each reads.
std::vector<const float*> expect(Scene& scene, std::vector<RowHeader>& after,
                                 std::vector<std::uint32_t>& preserved) {
  std::vector<const float*> read;
  after = scene.before;
  for (std::size_t i = 0; i < kIds; ++i) {
    const std::uint32_t row = scene.query.rows[i];
    const bool known = row != kNoRow && !is_over(after[row], scene.touch.ttls != nullptr);
    read.push_back(known ? scene.table.weights(row) : &scene.query.missing[i * scene.query.dim]);
    if (!known || !scene.touch.writes) continue;
    if (scene.touch.preserve != nullptr) preserved.push_back(row);
    note(after[row], scene.touch);
  }
  return read;
}

void check_scene(Scene& scene, const std::vector<std::int64_t>& offsets) {
  const std::size_t dim = scene.query.dim, bags = offsets.size() - 1;
  std::vector<RowHeader> after;
  std::vector<std::uint32_t> preserved;
  const auto read = expect(scene, after, preserved);
  std::vector<float> gathered(kIds * dim), pooled(bags * dim);
  for (std::size_t i = 0; i < kIds; ++i) std::copy_n(read[i], dim, &gathered[i * dim]);
  for (std::size_t b = 0; b < bags; ++b) {
    for (auto i = static_cast<std::size_t>(offsets[b]); i < static_cast<std::size_t>(offsets[b + 1]); ++i) {
      for (std::size_t d = 0; d < dim; ++d) pooled[b * dim + d] += read[i][d];
    }
  }
  for (const Kernels* k : available_kernels()) {
    for (const bool pools : {false, true}) {
      scene.restore();
      std::vector<float> out(pools ? pooled.size() : gathered.size());
      if (pools) {
        k->pool(scene.table.view(), scene.query.ids.data(), scene.rows.data(), offsets.data(), 0, bags,
                nullptr, Pooling::kSum, {out.data(), dim, bags}, scene.query.callback(), &scene.touch);
      } else {
        k->gather(scene.table.view(), scene.query.ids.data(), scene.rows.data(), 0, kIds, out.data(), dim,
                  scene.query.callback(), &scene.touch);
      }
      CHECK(same_bits(out, pools ? pooled : gathered), k->name, dim, pools);
      CHECK(scene.preserved == preserved, k->name, dim, pools);
      for (std::uint32_t r = 0; r < kRows; ++r)
        CHECK(fields(scene.header(r)) == fields(after[r]), k->name, r);
    }
  }
}

void a_row_whose_time_is_over_is_missing_and_the_others_are_noted() {
  Draw draw(1);
  for (const std::uint32_t dim : dimensions()) {
    Scene scene(dim, draw);
    std::vector<std::int64_t> offsets{0};
    while (offsets.back() != kIds) {
      offsets.push_back(
          std::min<std::int64_t>(kIds, offsets.back() + static_cast<std::int64_t>(draw.below(9))));
    }
    check_scene(scene, offsets);
  }
}

}  // namespace

int main() { return check::run({TEST(a_row_whose_time_is_over_is_missing_and_the_others_are_noted)}); }
