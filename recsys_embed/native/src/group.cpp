// Dealing the tables of a group to the threads.
#include "recsys_embed/group.hpp"

#include <algorithm>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>

#include "recsys_embed/spread.hpp"

namespace recsys_embed {

TableGroup::TableGroup(std::vector<Member> members)
    : members_(std::move(members)), columns_{0}, segments_{0} {
  for (const Member& m : members_) {
    columns_.push_back(columns_.back() + m.features.size() * m.table->layout().dim);
    segments_.push_back(segments_.back() + m.table->layout().segments.size());
  }
}

std::size_t TableGroup::check(const GroupBags& bags) const {
  const auto n = static_cast<std::int64_t>(bags.ids.size());
  std::size_t occurrences = 0;
  for (std::size_t m = 0; m < members_.size(); ++m) {
    const std::size_t count = members_[m].features.size() * bags.batch;
    const std::int64_t start = bags.starts[m];
    if (start < 0 || static_cast<std::size_t>(start) + count >= bags.offsets.size()) {
      throw std::invalid_argument("table " + std::to_string(m) + " of the group has bags " +
                                  std::to_string(start) + " to " + std::to_string(start) + " + " +
                                  std::to_string(count) + ", but offsets hold " +
                                  std::to_string(bags.offsets.size() - 1));
    }
    const std::int64_t* at = bags.offsets.data() + start;
    bool decreases = false;
    for (std::size_t b = 0; b < count; ++b) decreases |= at[b + 1] < at[b];
    if (decreases || at[0] < 0 || at[count] > n) {
      throw std::invalid_argument("offsets must not decrease and must lie in [0, " + std::to_string(n) +
                                  "], the number of ids; those of table " + std::to_string(m) +
                                  " of the group do not");
    }
    occurrences += static_cast<std::size_t>(at[count] - at[0]);
  }
  return occurrences;
}

TableGroup::Share TableGroup::share_of(std::size_t member, const GroupBags& bags, std::size_t first) const {
  thread_local std::vector<std::int64_t> held;
  const Member& m = members_[member];
  const std::size_t count = m.features.size() * bags.batch;
  const std::int64_t* at = bags.offsets.data() + bags.starts[member];
  const std::int64_t begin = at[0];
  held.resize(count + 1);
  for (std::size_t b = 0; b <= count; ++b) held[b] = at[b] - begin;
  const float* weights = bags.weights == nullptr ? nullptr : bags.weights + begin;
  return {bags.ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(held[count])),
          {held.data(), count, weights, m.pooling},
          first};
}

// Calls work(member, its share) for every member. One with more than a thread's part of all
// occurrences would keep its thread busy when the others are done: all threads work on it, first.
template <class Work>
void TableGroup::deal(const GroupBags& bags, Work&& work) const {
  std::vector<std::size_t> ids(members_.size()), first(members_.size() + 1, 0), order(members_.size());
  for (std::size_t m = 0; m < members_.size(); ++m) {
    const std::int64_t* at = bags.offsets.data() + bags.starts[m];
    ids[m] = static_cast<std::size_t>(at[members_[m].features.size() * bags.batch] - at[0]);
    first[m + 1] = first[m] + ids[m];
  }
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return ids[a] > ids[b]; });
  const auto one = [&](std::size_t m) { work(m, share_of(m, bags, first[m])); };

  const auto pool = Threads::pool();
  const std::size_t part = std::max(first.back() / pool->size(), 2 * kMinItemsPerPart);
  std::size_t large = 0;
  while (pool->size() > 1 && large < order.size() && ids[order[large]] > part) one(order[large++]);

  const std::size_t rest = order.size() - large;
  std::vector<std::exception_ptr> errors(rest);
  const auto dealt = [&](std::size_t k) {
    const Threads::Alone alone;
    try {
      one(order[large + k]);
    } catch (...) {
      errors[k] = std::current_exception();
    }
  };
  if (first.back() < 2 * kMinItemsPerPart) {
    for (std::size_t k = 0; k < rest; ++k) dealt(k);
  } else {
    pool->run(rest, dealt);
  }
  for (const std::exception_ptr& error : errors) {
    if (error != nullptr) std::rethrow_exception(error);
  }
}

void TableGroup::lookup_pooled(const GroupBags& bags, float* out, std::size_t stride,
                               const Missing& missing) const {
  deal(bags, [&](std::size_t m, const Share& share) {
    members_[m].table->lookup_pooled(share.ids, share.bags, {out + columns_[m], stride, bags.batch}, missing);
  });
}

std::vector<Evicted> TableGroup::train_lookup_pooled(const GroupBags& bags,
                                                     std::span<const std::uint32_t> now, std::uint32_t* rows,
                                                     std::uint64_t* moves, float* out, std::size_t stride,
                                                     const Missing& missing) const {
  std::vector<Evicted> evicted(members_.size());
  deal(bags, [&](std::size_t m, const Share& share) {
    const Member& member = members_[m];
    std::vector<FeatureSpan> spans;
    for (std::size_t f = 0; f < member.features.size(); ++f) {
      const std::int64_t* at = share.bags.offsets + f * bags.batch;
      spans.push_back(
          {static_cast<std::size_t>(at[0]), static_cast<std::size_t>(at[bags.batch]), member.features[f]});
    }
    evicted[m] = member.table->train_lookup_pooled(
        share.ids, spans, now.empty() ? member.table->clock() : now[m], rows + share.first, share.bags,
        {out + columns_[m], stride, bags.batch}, missing);
    moves[m] = evicted[m].moves;
  });
  return evicted;
}

void TableGroup::apply_pooled_gradients(const GroupBags& bags, const std::uint32_t* rows,
                                        const std::uint64_t* moves, const float* grads, std::size_t stride,
                                        std::span<const float> lr) const {
  deal(bags, [&](std::size_t m, const Share& share) {
    // Gradients are read only; BagOutput serves both ways.
    const BagOutput source{const_cast<float*>(grads) + columns_[m], stride, bags.batch};
    members_[m].table->apply_pooled_gradients(share.ids, rows + share.first, moves[m], share.bags, source,
                                              lr.subspan(segments_[m], segments_[m + 1] - segments_[m]));
  });
}

}  // namespace recsys_embed
