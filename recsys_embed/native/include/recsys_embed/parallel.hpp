// A small pool of threads: run(parts, work) calls work(0) .. work(parts - 1), in any order.
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace recsys_embed {

// Any number of threads may call run at once: one uses the workers, the others do their parts
// themselves. Results never depend on which.
class ThreadPool {
 public:
  explicit ThreadPool(std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { serve(); });
  }
  ~ThreadPool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t size() const { return threads_.size() + 1; }

  // work must not throw.
  template <class Work>
  void run(std::size_t parts, Work&& work) {
    std::unique_lock turn(turn_, std::defer_lock);
    if (parts <= 1 || threads_.empty() || !turn.try_lock()) {
      for (std::size_t part = 0; part < parts; ++part) work(part);
      return;
    }
    const std::function<void(std::size_t)> each = [&work](std::size_t part) { work(part); };
    const auto job = std::make_shared<Job>(each, parts);
    publish(job);
    take_parts(*job);
    await(*job);
  }

 private:
  // A worker that wakes late finds no part left and leaves `work` alone: nobody waits for it, be it
  // that another program's threads hold its core.
  struct Job {
    Job(const std::function<void(std::size_t)>& each, std::size_t count) : work(each), parts(count) {}
    const std::function<void(std::size_t)>& work;
    const std::size_t parts;
    std::atomic<std::size_t> next{0}, done{0};
  };

  void publish(std::shared_ptr<Job> job) {
    {
      const std::lock_guard lock(mutex_);
      job_ = std::move(job);
      announced_.store(++generation_, std::memory_order_release);
    }
    wake_.notify_all();
  }

  // noexcept: an exception would unwind a job that other threads are still at.
  void take_parts(Job& job) noexcept {
    for (std::size_t part = job.next++; part < job.parts; part = job.next++) {
      job.work(part);
      if (++job.done < job.parts) continue;
      const std::lock_guard lock(mutex_);
      done_.notify_all();
    }
  }

  // The loops of one call follow each other closely, and waking a sleeper costs more than a short
  // loop: look out for some microseconds before sleeping.
  template <class Ready>
  static void look_out(Ready&& ready) {
    for (int i = 0; i < 4000 && !ready(); ++i) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

  void await(const Job& job) {
    const auto is_done = [&job] { return job.done.load() == job.parts; };
    look_out(is_done);
    std::unique_lock lock(mutex_);
    done_.wait(lock, is_done);
    job_.reset();
  }

  void serve() {
    std::size_t seen = 0;
    for (;;) {
      look_out([&] { return announced_.load(std::memory_order_acquire) != seen; });
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      const std::shared_ptr<Job> job = job_;
      lock.unlock();
      if (job != nullptr) take_parts(*job);
    }
  }

  std::vector<std::thread> threads_;
  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::shared_ptr<Job> job_;
  std::size_t generation_ = 0;
  std::atomic<std::size_t> announced_{0};
  bool stopping_ = false;
};

// The process's pool. After a fork the child has none of the threads: it gets a pool of its own and
// leaves the parent's alone.
class Threads {
 public:
  // While one lives, the calls of its thread get a pool without workers: they are parts of a larger
  // call, which has dealt the workers out already.
  class Alone {
   public:
    Alone() : before_(is_alone()) { is_alone() = true; }
    ~Alone() { is_alone() = before_; }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;

   private:
    bool before_;
  };

  static std::shared_ptr<ThreadPool> pool() {
    Threads& self = instance();
    if (is_alone()) return self.no_workers_;
    const std::lock_guard lock(self.mutex_);
    if (self.pool_ == nullptr || self.owner_ != ::getpid()) {
      if (self.pool_ != nullptr) new std::shared_ptr<ThreadPool>(std::move(self.pool_));
      self.pool_ = std::make_shared<ThreadPool>(self.count_ - 1);
      self.owner_ = ::getpid();
    }
    return self.pool_;
  }
  static void set_count(std::size_t count) {
    Threads& self = instance();
    const std::lock_guard lock(self.mutex_);
    if (count == self.count_) return;
    self.count_ = count;
    if (self.owner_ == ::getpid()) self.pool_.reset();
  }
  static std::size_t count() {
    Threads& self = instance();
    const std::lock_guard lock(self.mutex_);
    return self.count_;
  }

 private:
  // A fork while another thread is in here would leave the child a lock that nobody gives back.
  Threads() {
    ::pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                     [] { instance().mutex_.unlock(); });
  }
  // Never destroyed: at exit other threads may still be looking up.
  static Threads& instance() {
    static auto* threads = new Threads;
    return *threads;
  }
  static bool& is_alone() {
    thread_local bool alone = false;
    return alone;
  }
  static std::size_t default_count() {
    const std::size_t cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : cores;
  }

  const std::shared_ptr<ThreadPool> no_workers_ = std::make_shared<ThreadPool>(0);
  std::mutex mutex_;
  std::shared_ptr<ThreadPool> pool_;
  pid_t owner_ = 0;
  std::size_t count_ = default_count();
};

}  // namespace recsys_embed
