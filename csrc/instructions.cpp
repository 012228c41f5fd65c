// Which instruction sets this processor has.
#include <stdexcept>

#include "kernels.h"

namespace peephole {

// Those that the build left out are declared, and not used.
namespace avx512bf16 { extern const Kernels KERNELS; }
namespace avx512 { extern const Kernels KERNELS; }
namespace avx2 { extern const Kernels KERNELS; }
namespace portable { extern const Kernels KERNELS; }

const std::vector<const Kernels*>& supported_kernels() {
  static const std::vector<const Kernels*> supported = [] {
    std::vector<const Kernels*> found;
#if defined(PEEPHOLE_AVX2) || defined(PEEPHOLE_AVX512) || defined(PEEPHOLE_AVX512BF16)
    __builtin_cpu_init();
    [[maybe_unused]] const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
#if defined(PEEPHOLE_AVX512BF16)
    if (wide && __builtin_cpu_supports("avx512bf16")) found.push_back(&avx512bf16::KERNELS);
#endif
#if defined(PEEPHOLE_AVX512)
    if (wide) found.push_back(&avx512::KERNELS);
#endif
#if defined(PEEPHOLE_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(&avx2::KERNELS);
#endif
    found.push_back(&portable::KERNELS);
    return found;
  }();
  return supported;
}

const Kernels& kernels_called(const std::string& name) {
  std::string known;
  for (const Kernels* one : supported_kernels()) {
    if (one->name == name) return *one;
    known += (known.empty() ? "" : ", ") + std::string(one->name);
  }
  throw std::invalid_argument("unknown instruction set '" + name + "'; this processor has " + known);
}

}  // namespace peephole
