// Many readers or one writer, and neither can starve the other.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace recsys_embed {

// A writer waits at the door, so that readers who come later wait behind it; std::shared_mutex
// alone lets a steady stream of readers keep a writer out for ever.
class AccessGate {
 public:
  class Reader {
   public:
    explicit Reader(AccessGate& gate) {
      const std::lock_guard door(gate.door_);
      lock_ = std::shared_lock(gate.room_);
    }

   private:
    std::shared_lock<std::shared_mutex> lock_;
  };

  class Writer {
   public:
    explicit Writer(AccessGate& gate) {
      const std::lock_guard door(gate.door_);
      lock_ = std::unique_lock(gate.room_);
    }

   private:
    std::unique_lock<std::shared_mutex> lock_;
  };

 private:
  std::mutex door_;
  std::shared_mutex room_;
};

}  // namespace recsys_embed
