// Which instruction sets this processor has.
#include <stdexcept>

#include "decode/storage.h"
#include "kernels.h"

#if defined(PEEPHOLE_AVX2)
#include <cpuid.h>
#endif

namespace peephole {

#if defined(PEEPHOLE_AVX2)
// VNNI with registers of 32 bytes, which GCC 12 has no name for: leaf 7, subleaf 1, bit 4 of EAX.
static bool has_avx_vnni() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4)) && __builtin_cpu_supports("avx2");
}
#endif

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

// The products of decoding, besides those of the sets above.
namespace avx512vnni { extern const ByteProducts BYTE_PRODUCTS; }
namespace avx512 { extern const ByteProducts BYTE_PRODUCTS; }
namespace avx2vnni { extern const ByteProducts BYTE_PRODUCTS; }
namespace avx2 { extern const ByteProducts BYTE_PRODUCTS; }
namespace portable { extern const ByteProducts BYTE_PRODUCTS; }

const ByteProducts& byte_products_for([[maybe_unused]] const std::string& kernels, [[maybe_unused]] bool best) {
#if defined(PEEPHOLE_AVX2) || defined(PEEPHOLE_AVX512) || defined(PEEPHOLE_AVX512BF16)
  __builtin_cpu_init();
#endif
#if defined(PEEPHOLE_AVX512)
  if (kernels == "avx512" || kernels == "avx512bf16") {
    return best && __builtin_cpu_supports("avx512vnni") ? avx512vnni::BYTE_PRODUCTS : avx512::BYTE_PRODUCTS;
  }
#endif
#if defined(PEEPHOLE_AVX2)
  if (kernels == "avx2") return best && has_avx_vnni() ? avx2vnni::BYTE_PRODUCTS : avx2::BYTE_PRODUCTS;
#endif
  return portable::BYTE_PRODUCTS;
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
