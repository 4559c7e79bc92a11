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
    const std::function<void(std::size_t)> job = [&work](std::size_t part) { work(part); };
    start(parts, job);
    take_parts(job, parts);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    job_ = nullptr;
  }

 private:
  void start(std::size_t parts, const std::function<void(std::size_t)>& job) {
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      parts_ = parts;
      next_ = 0;
      busy_ = threads_.size();
      ++generation_;
    }
    announced_.store(generation_, std::memory_order_release);
    wake_.notify_all();
  }

  // noexcept: an exception would unwind a job that other threads are still at.
  void take_parts(const std::function<void(std::size_t)>& job, std::size_t parts) noexcept {
    for (std::size_t part = next_++; part < parts; part = next_++) job(part);
  }

  // A worker looks out for the next job for some microseconds before it sleeps: the loops of one
  // call follow each other closely, and waking a sleeper costs more than a short loop.
  void look_out(std::size_t seen) const {
    for (int i = 0; i < 4000 && announced_.load(std::memory_order_acquire) == seen; ++i) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

  void serve() {
    std::size_t seen = 0;
    for (;;) {
      look_out(seen);
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      const auto* job = job_;
      const std::size_t parts = parts_;
      lock.unlock();
      take_parts(*job, parts);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> threads_;
  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(std::size_t)>* job_ = nullptr;
  std::size_t parts_ = 0, busy_ = 0, generation_ = 0;
  std::atomic<std::size_t> next_{0}, announced_{0};
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
