// The collisionless table: index, storage, admission and expiry behind one gate.
//
// Overlap: any number of lookups (const methods) with each other; a writer (any other method) waits
// for them and they for it. Within a call the work is spread over the process's threads; nothing
// that is stored or returned depends on how many there are.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "recsys_embed/access_gate.hpp"
#include "recsys_embed/admission.hpp"
#include "recsys_embed/cut.hpp"
#include "recsys_embed/id_index.hpp"
#include "recsys_embed/kernels.hpp"
#include "recsys_embed/owned.hpp"
#include "recsys_embed/parallel.hpp"
#include "recsys_embed/row_layout.hpp"
#include "recsys_embed/row_storage.hpp"
#include "recsys_embed/tombstones.hpp"

namespace recsys_embed {

struct FeatureRule {
  std::uint32_t threshold = 1;
  std::uint32_t ttl = 0;  // seconds; 0: never expires
};

enum class Victims : std::uint32_t { kLeastRecent, kLeastFrequent };

struct TableOptions {
  std::vector<Segment> segments;
  std::vector<FeatureRule> features;
  AdmissionKind admission = AdmissionKind::kExact;
  std::size_t sketch_width = 1, sketch_depth = 1;
  double probability = 1.0;
  std::uint32_t max_rows = 0;  // 0: no budget
  Victims victims = Victims::kLeastRecent;
  std::uint32_t sweep_rows = 0;
  std::uint64_t key = 0;  // of the initial values: depends on (seed, name)
};

enum class Reason : std::uint8_t { kExpired = 1, kBudget = 2, kDeleted = 3 };

struct Evicted {
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> reasons;
  std::uint64_t moves = 0;  // of the table when the call ended

  void add(std::int64_t id, Reason reason) {
    ids.push_back(id);
    reasons.push_back(static_cast<std::uint8_t>(reason));
  }
};

// What a lookup gives for an id without a row.
enum class MissingPolicy : std::uint32_t { kInitial, kVector, kError };

struct Missing {
  MissingPolicy policy = MissingPolicy::kInitial;
  const float* vector = nullptr;  // of kVector
};

// Occurrences [begin, end) belong to one feature.
struct FeatureSpan {
  std::size_t begin, end;
  std::uint16_t feature;
};

// One training lookup; `rows` is filled with the row of each occurrence.
struct Batch {
  std::span<const std::int64_t> ids;
  std::span<const FeatureSpan> features;  // in order, covering all ids
  std::uint32_t now;
  std::uint32_t* rows;
};

// Bags over the flat ids: bag b holds ids [offsets[b], offsets[b + 1]).
struct Bags {
  const std::int64_t* offsets;
  std::size_t count;
  const float* weights;  // by occurrence; null: all 1
  Pooling pooling;
};

// The columns of a snapshot, `rows` lines of each.
struct RowColumns {
  std::int64_t* ids;
  float* weights;
  float* state;
  std::uint32_t* last_seen;
  std::uint32_t* count;
  std::uint16_t* feature;
  std::uint64_t* seq;
};

struct Counters {
  std::uint64_t admitted = 0, filtered = 0, expired = 0, evicted = 0, deleted = 0, dropped_gradients = 0;
};

// What a table knows beside its rows, at one moment.
struct Facts {
  std::uint64_t seq = 0;
  std::uint32_t clock = 0;
  Counters counters;
  std::vector<IdCounts::Entry> filter_counts;
  std::vector<std::uint32_t> filter_cells;
};

// What a delta says of a table beside its rows; null pointers leave as it is what they stand for.
struct Moment {
  std::uint64_t seq;
  std::uint32_t clock;
  const Counters* counters = nullptr;
  const std::vector<IdCounts::Entry>* filter_counts = nullptr;
  std::span<const std::uint32_t> filter_cells{};
};

class Table {
 public:
  explicit Table(TableOptions options);

  // Reading.
  void lookup(std::span<const std::int64_t> ids, float* out, std::size_t stride, const Missing&) const;
  void lookup_pooled(std::span<const std::int64_t> ids, const Bags&, const BagOutput&, const Missing&) const;
  void contains(std::span<const std::int64_t> ids, bool* out) const;
  void initial_values(std::span<const std::int64_t> ids, float* out) const;
  // The rows from `cursor` on, at most `limit`; returns how many, and moves the cursor.
  std::size_t read_rows(std::uint32_t& cursor, std::size_t limit, const RowColumns& out) const;

  // Training. `rows` receives, for the gradient call, the row of each occurrence or kNoRow.
  Evicted train_lookup(std::span<const std::int64_t> ids, std::span<const FeatureSpan>, std::uint32_t now,
                       std::uint32_t* rows, float* out, std::size_t stride, const Missing&);
  Evicted train_lookup_pooled(std::span<const std::int64_t> ids, std::span<const FeatureSpan>,
                              std::uint32_t now, std::uint32_t* rows, const Bags&, const BagOutput&,
                              const Missing&);
  // `moves` as the lookup that gave the rows left it; rows may be null: found by id.
  void apply_gradients(std::span<const std::int64_t> ids, const std::uint32_t* rows, std::uint64_t moves,
                       const float* grads, std::size_t stride, std::span<const float> lr);
  void apply_pooled_gradients(std::span<const std::int64_t> ids, const std::uint32_t* rows,
                              std::uint64_t moves, const Bags&, const BagOutput& grads,
                              std::span<const float> lr);
  void assign(std::span<const std::int64_t> ids, const float* values, std::size_t stride, std::uint32_t now);

  // Losing rows.
  Evicted evict(std::span<const std::int64_t> ids);
  Evicted expire(std::uint32_t now, std::size_t max_rows);  // examines at most max_rows
  Evicted enforce_budget();
  std::size_t compact(std::size_t max_moves);

  // Changes. Tombstones are kept from track_changes(true) on, until forget_changes().
  void track_changes(bool on);
  void forget_changes(std::uint64_t seq);
  // The rows that changed after `since` (as a cut) and the ids that lost theirs and have none now,
  // each with its last reason, by ascending seq. `admission`: whether the facts hold the filter's.
  // The moment is taken in one short call; find_changed() then looks the rows through, many at a
  // time, while writers save those that they change, and before any of the cut is counted or read.
  std::shared_ptr<Cut> begin_changes(std::uint64_t since, bool admission, Facts& facts,
                                     std::vector<Tombstone>& lost);
  void find_changed(Cut& cut) const;
  // Replaces or adds whole rows, removes `lost`, and stands where `moment` says, in one call; of a
  // row that comes twice the last one stays.
  void apply_changes(std::size_t n, const RowColumns& in, std::span<const std::int64_t> lost,
                     const std::uint8_t* reasons, const Moment& moment);

  // Snapshots.
  std::shared_ptr<Cut> begin_cut(Facts& facts);
  void end_cut(const std::shared_ptr<Cut>& cut);
  std::uint32_t read_cut(Cut& cut, std::uint32_t first, std::uint32_t last, std::size_t limit,
                         const RowColumns& out, std::size_t& count) const;
  void restore_rows(std::size_t n, const RowColumns& in);
  void restore_meta(std::uint64_t seq, std::uint32_t clock, const Counters& counters);
  void restore_counts(std::span<const IdCounts::Entry> entries);
  void restore_sketch(std::span<const std::uint32_t> cells);

  // Facts.
  const RowLayout& layout() const { return layout_; }
  std::size_t size() const;
  std::size_t bytes() const;
  std::size_t index_bytes() const;
  double load() const;
  std::uint64_t seq() const;
  std::uint32_t clock() const;
  Counters counters() const;
  std::uint64_t lookups() const { return lookups_.load(std::memory_order_relaxed); }
  std::uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }

 private:
  friend class MissingRows;
  friend class NewRows;

  // One thread's share of a writing call.
  struct Part {
    std::vector<std::uint32_t> missing;            // occurrences without a row
    std::vector<std::size_t> again;                // units to read once more
    std::vector<std::uint32_t> rows, first, last;  // of the distinct rows of a gradient call
    std::size_t distinct = 0;
    std::vector<float> scratch;
  };

  TableView view() const;
  std::uint32_t find(std::int64_t id) const;
  void find_all(ThreadPool&, std::span<const std::int64_t> ids, std::uint32_t* candidates) const;
  // Verifies candidates; returns the occurrences without a row.
  std::vector<std::uint32_t> missing_of(std::span<const std::int64_t> ids, std::uint32_t* rows) const;
  void refuse_missing(std::span<const std::int64_t> ids, std::uint32_t* rows) const;

  Evicted begin_training(std::uint32_t now);
  template <class Units>
  Evicted train(const Batch&, const Units&, const Missing&);
  template <class Units>
  void read_units(const Batch&, const Units&, std::size_t first, std::size_t last, bool alone, Part&);
  Touch touch_of(const Batch&, std::uint16_t feature, bool writes);
  void touch_all(ThreadPool&, const Batch&, std::size_t parts);
  void admit_missing(const Batch&, Evicted& evicted);
  std::uint32_t insert(std::int64_t id, std::uint16_t feature, std::uint32_t now, std::uint32_t count);
  void initialize_new(ThreadPool&);
  void resize_index(std::uint64_t ids);

  void step(std::span<const std::int64_t> ids, const std::uint32_t* rows, std::uint64_t moves,
            std::span<const float> lr);
  void chain(std::span<const std::uint32_t> rows, std::size_t part, std::size_t parts, std::uint32_t base);

  void preserve(std::uint32_t row) {
    if (!cuts_.empty()) [[unlikely]]
      preserve_in_cuts(row);
  }
  void preserve_in_cuts(std::uint32_t row);
  Facts facts(bool admission) const;  // the caller holds the gate
  void refuse_since(std::uint64_t since) const;
  std::vector<Tombstone> lost_after(ThreadPool&, std::uint64_t since);
  void refuse_unfit(std::size_t n, const RowColumns& in, const Moment& moment) const;
  void write_rows(ThreadPool&, std::size_t n, const RowColumns& in);
  void remove(std::uint32_t row, Reason reason);
  void expire_row(std::uint32_t row, Evicted& out);
  void sweep(std::uint32_t now, std::size_t limit, Evicted& out);
  void trim_to_budget(Evicted& out);
  std::size_t move_rows(std::size_t limit);
  bool is_expired(const RowHeader& header, std::uint32_t now) const;

  TableOptions options_;
  RowLayout layout_;
  RowStorage storage_;
  IdIndex index_;
  AdmissionFilter filter_;
  bool expires_ = false;
  std::vector<std::uint32_t> ttls_;  // by feature
  std::uint32_t counts_ttl_ = 0;     // the longest ttl, or 0 if some feature has none
  std::uint64_t seq_ = 0;
  std::uint64_t moves_ = 0;  // grows whenever a row is freed or moved: handles then find their rows anew
  std::uint32_t clock_ = 0;
  std::uint32_t sweep_cursor_ = 0;
  std::uint32_t stamp_ = 0;
  Counters counters_;
  mutable std::atomic<std::uint64_t> lookups_{0}, hits_{0};
  std::vector<std::shared_ptr<Cut>> cuts_;  // those that are open
  bool is_tracking_ = false;
  std::uint64_t tracked_from_ = 0;  // removals after it are among the tombstones
  Tombstones tombstones_;
  mutable AccessGate gate_;

  // Working memory of the one writer, kept from call to call.
  std::vector<Part> parts_;
  Owned owned_;
  std::vector<std::uint32_t> new_rows_, found_, next_;
  std::vector<const float*> source_;
  std::vector<float> scale_;
};

// The ids that a lookup with MissingPolicy::kError did not find, a few of them.
class MissingIds : public std::runtime_error {
 public:
  MissingIds(std::vector<std::int64_t> some, std::size_t count)
      : std::runtime_error("ids without a row"), ids(std::move(some)), total(count) {}
  std::vector<std::int64_t> ids;
  std::size_t total;
};

}  // namespace recsys_embed
