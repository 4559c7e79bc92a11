// The thread pool: every part once, from several threads at once, while its size changes, after a fork.
#include "recsys_embed/parallel.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

#include "check.hpp"
#include "recsys_embed/spread.hpp"

using namespace recsys_embed;

namespace {

void check_every_part_runs_once(ThreadPool& pool, std::size_t parts) {
  std::vector<std::atomic<int>> ran(parts);
  pool.run(parts, [&](std::size_t part) { ++ran[part]; });
  CHECK(std::all_of(ran.begin(), ran.end(), [](const auto& n) { return n == 1; }), parts, pool.size());
}

void every_part_runs_once() {
  for (const std::size_t workers : {0, 1, 3}) {
    ThreadPool pool(workers);
    CHECK(pool.size() == workers + 1);
    for (int round = 0; round < 50; ++round) {
      for (const std::size_t parts : {0, 1, 2, 3, 17}) check_every_part_runs_once(pool, parts);
    }
  }
}

// What the parts wrote is there when run() returns: plain memory, so that a race would show.
void the_caller_sees_what_the_parts_wrote() {
  ThreadPool pool(2);
  std::vector<int> written(3);
  for (int round = 1; round < 500; ++round) {
    pool.run(3, [&](std::size_t part) { written[part] = round; });
    CHECK(written == std::vector<int>(3, round), round);
  }
}

void several_threads_use_one_pool() {
  ThreadPool pool(2);
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) check_every_part_runs_once(pool, 4);
    });
  }
  for (std::thread& t : callers) t.join();
}

void the_count_changes_while_others_run() {
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) check_every_part_runs_once(*Threads::pool(), 3);
    });
  }
  for (std::size_t round = 0; round < 60; ++round) {
    Threads::set_count(1 + round % 3);
    CHECK(Threads::count() == 1 + round % 3);
  }
  for (std::thread& t : callers) t.join();
  Threads::set_count(2);
  CHECK(Threads::pool()->size() == 2);
}

void stretches_cover_everything_in_order() {
  ThreadPool pool(2);
  for (const std::size_t n : {0, 1, 1023, 1024, 2047, 2048, 10000}) {
    std::vector<int> seen(n);
    spread(pool, n, [&](std::size_t, std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) ++seen[i];
    });
    CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }), n);
  }
}

void stretches_of_bags_cover_every_bag() {
  ThreadPool pool(2);
  const std::vector<std::vector<std::int64_t>> cases = {{0},
                                                        {0, 0},
                                                        {0, 9000},
                                                        {0, 0, 0, 9000, 9000},
                                                        {0, 4000, 4000, 4001, 9000},
                                                        std::vector<std::int64_t>(5000)};
  for (const auto& offsets : cases) {
    std::vector<int> seen(offsets.size() - 1);
    spread_bags(pool, offsets.data(), seen.size(), [&](std::size_t, std::size_t first, std::size_t last) {
      for (std::size_t bag = first; bag < last; ++bag) ++seen[bag];
    });
    CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }), offsets.size());
  }
}

void every_row_has_one_owner() {
  for (const std::size_t parts : {1, 2, 3, 16}) {
    std::vector<double> owned(parts);
    for (std::uint32_t row = 0; row < 30000; ++row) ++owned.at(owner_of(row, parts));
    const double fair = 30000.0 / static_cast<double>(parts);
    for (const double n : owned) CHECK(n > 0.9 * fair && n < 1.1 * fair, parts, n);
  }
  CHECK(owner_of(0xfffffffe, 16) < 16);
}

// A child that hangs is killed by its alarm.
bool child_succeeds(void (*body)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    body();
    ::_exit(0);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

void use_pool() { check_every_part_runs_once(*Threads::pool(), 5); }

void a_forked_child_has_a_pool_of_its_own() {
  Threads::set_count(3);
  use_pool();
  CHECK(child_succeeds(use_pool));
  CHECK(child_succeeds([] {
    Threads::set_count(2);
    use_pool();
    CHECK(child_succeeds(use_pool));
  }));
  use_pool();
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitizerForks = false;  // its allocator may be left locked in a child
#else
constexpr bool kSanitizerForks = true;
#endif

// The other thread holds the lock of the process's pool most of the time.
void a_fork_amid_the_work_of_other_threads_leaves_no_lock_held() {
  std::atomic<bool> done = !kSanitizerForks;
  std::thread busy([&] {
    for (std::size_t round = 0; !done; ++round) {
      Threads::set_count(1 + round % 2);
      use_pool();
    }
  });
  for (int round = 0; kSanitizerForks && round < 20; ++round) CHECK(child_succeeds(use_pool), round);
  done = true;
  busy.join();
}

}  // namespace

int main() {
  return check::run({
      TEST(every_part_runs_once),
      TEST(the_caller_sees_what_the_parts_wrote),
      TEST(several_threads_use_one_pool),
      TEST(the_count_changes_while_others_run),
      TEST(stretches_cover_everything_in_order),
      TEST(stretches_of_bags_cover_every_bag),
      TEST(every_row_has_one_owner),
      TEST(a_forked_child_has_a_pool_of_its_own),
      TEST(a_fork_amid_the_work_of_other_threads_leaves_no_lock_held),
  });
}
