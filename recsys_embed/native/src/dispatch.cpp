// Chooses the kernels for this processor, once.
#include <cstdlib>
#include <cstring>

#include "recsys_embed/kernels.hpp"

namespace recsys_embed {

namespace baseline {
extern const Kernels kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
#endif

namespace {

#if defined(__x86_64__)
// What CMakeLists.txt compiles the wider kernels with: a virtual machine may hide one and show another.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("popcnt");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

const Kernels& choose() {
#if defined(__x86_64__)
  const char* wish = std::getenv("RECSYS_EMBED_ISA");
  const auto allowed = [wish](const char* name) { return wish == nullptr || std::strcmp(wish, name) == 0; };
  __builtin_cpu_init();
  if (allowed("avx512") && has_avx512()) return avx512::kKernels;
  if ((allowed("avx2") || allowed("avx512")) && has_avx2()) return avx2::kKernels;
#endif
  return baseline::kKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace recsys_embed
