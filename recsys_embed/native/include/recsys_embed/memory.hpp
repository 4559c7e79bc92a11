// Large blocks straight from the system: zeroed, on huge pages where there are any, and really
// given back when released (malloc would keep them).
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace recsys_embed {

class Pages {
 public:
  static constexpr std::size_t kHuge = std::size_t{1} << 21;

  Pages() = default;
  explicit Pages(std::size_t bytes, bool huge = true) : bytes_(bytes) {
    if (bytes == 0) return;
    const std::size_t slack = bytes >= kHuge ? kHuge : 0;
    void* raw = ::mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(raw);
    if (slack != 0) align(slack);
    if (huge) use_huge_pages();
  }
  Pages(Pages&& other) noexcept { swap(other); }
  Pages& operator=(Pages&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Pages() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }

  // Gives the whole pages in [from, to) back; they read as zeros afterwards.
  void give_back(std::size_t from, std::size_t to) const {
    constexpr std::size_t kPage = 4096;
    from = (from + kPage - 1) / kPage * kPage;
    if (from < to) ::madvise(data_ + from, to - from, MADV_DONTNEED);
  }

  void use_huge_pages() const {
#ifdef MADV_HUGEPAGE
    if (bytes_ >= kHuge) ::madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
  }

 private:
  // A huge page begins at a multiple of its size: cut the mapping down to an aligned stretch.
  void align(std::size_t slack) {
    const auto start = reinterpret_cast<std::uintptr_t>(data_);
    const std::size_t head = (kHuge - start % kHuge) % kHuge;
    const std::size_t page = 4096, tail = slack - head;
    if (head != 0) ::munmap(data_, head);
    data_ += head;
    const std::size_t kept = (bytes_ + page - 1) / page * page;
    if (bytes_ + tail > kept) ::munmap(data_ + kept, bytes_ + tail - kept);
  }
  void swap(Pages& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace recsys_embed
