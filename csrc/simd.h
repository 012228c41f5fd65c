// Vectors and the functions on them: one source, compiled once per instruction set.
//
// A file that includes this is compiled with PEEPHOLE_ISA (the namespace of the instruction set) and PEEPHOLE_BYTES (the
// size of its registers) defined, so that code made for one processor can never be linked into another's path.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PEEPHOLE_INLINE inline __attribute__((always_inline))

namespace peephole {

struct BFloat16 {  // the upper half of a float
  uint16_t bits;
};

namespace PEEPHOLE_ISA {

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(PEEPHOLE_BYTES)));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
constexpr int LANES = PEEPHOLE_BYTES / sizeof(T);

template <class T>
using Integer = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

typedef uint16_t HalfVector __attribute__((vector_size(PEEPHOLE_BYTES / 2)));  // as many as floats in a vector

template <class T>
PEEPHOLE_INLINE Vector<T> splat(T value) {
  return value - Vector<T>{};
}

// Anywhere in an array of T. Not memcpy, after which a compiler takes every pointer of ours to have changed.
template <class T>
struct Anywhere {
  typedef T type __attribute__((vector_size(PEEPHOLE_BYTES), aligned(alignof(T))));
};

template <class T>
PEEPHOLE_INLINE Vector<T> load(const T* from) {
  return *reinterpret_cast<const typename Anywhere<T>::type*>(from);
}

template <class T>
PEEPHOLE_INLINE void store(T* to, Vector<T> value) {
  *reinterpret_cast<typename Anywhere<T>::type*>(to) = value;
}

// Numbers of another type than T that are looked at as such.
template <class T>
PEEPHOLE_INLINE Vector<T> load_bits(const void* from) {
  Vector<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
PEEPHOLE_INLINE void store_bits(void* to, Vector<T> value) {
  std::memcpy(to, &value, sizeof value);
}

// --- bfloat16: rounded to nearest, ties to even ---

typedef uint16_t HalfAnywhere __attribute__((vector_size(PEEPHOLE_BYTES / 2), aligned(alignof(uint16_t))));

PEEPHOLE_INLINE HalfVector load_half(const BFloat16* from) { return *reinterpret_cast<const HalfAnywhere*>(from); }

PEEPHOLE_INLINE void store_half(BFloat16* to, HalfVector value) { *reinterpret_cast<HalfAnywhere*>(to) = value; }

PEEPHOLE_INLINE Vector<float> widen(HalfVector half) {
  auto bits = __builtin_convertvector(half, Vector<uint32_t>) << 16;
  return (Vector<float>)bits;
}

PEEPHOLE_INLINE HalfVector narrow(Vector<float> value) {
#if defined(__AVX512BF16__) && PEEPHOLE_BYTES == 64
  return (HalfVector)_mm512_cvtneps_pbh((__m512)value);
#else
  auto bits = (Vector<uint32_t>)value;
  auto rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  auto quiet = (bits >> 16) | 0x40;  // rounding could carry a NaN into infinity
  rounded = value == value ? rounded : quiet;
  return __builtin_convertvector(rounded, HalfVector);
#endif
}

PEEPHOLE_INLINE Vector<float> rounded_to_bfloat16(Vector<float> value) { return widen(narrow(value)); }

// --- tensors of the caller: any of the three types, rows whose last vector may be partial ---

template <class Real, class External>
PEEPHOLE_INLINE Vector<Real> load_external(const External* from, int lanes) {
  constexpr int full = LANES<Real>;
  if constexpr (std::is_same_v<External, BFloat16>) {
    if (lanes == full) return widen(load_half(from));
    HalfVector half{};
    std::memcpy(&half, from, lanes * sizeof(BFloat16));
    return widen(half);
  } else {
    if (lanes == full) return load(from);
    Vector<Real> value{};
    std::memcpy(&value, from, lanes * sizeof(Real));
    return value;
  }
}

template <class Real, class External>
PEEPHOLE_INLINE void store_external(External* to, Vector<Real> value, int lanes) {
  constexpr int full = LANES<Real>;
  if constexpr (std::is_same_v<External, BFloat16>) {
    const HalfVector half = narrow(value);
    if (lanes == full) {
      store_half(to, half);
    } else {
      for (int lane = 0; lane < lanes; lane++) to[lane].bits = half[lane];
    }
  } else {
    if (lanes == full) {
      store(to, value);
    } else {
      for (int lane = 0; lane < lanes; lane++) to[lane] = value[lane];
    }
  }
}

// The first `lanes` of a vector, 1 to all but one; nothing behind them is read or written.
PEEPHOLE_INLINE Vector<float> load_part(const float* from, int lanes) {
#if defined(__AVX512F__) && PEEPHOLE_BYTES == 64
  return (Vector<float>)_mm512_maskz_loadu_ps(__mmask16((1u << lanes) - 1), from);
#else
  Vector<float> value{};
  for (int lane = 0; lane < lanes; lane++) value[lane] = from[lane];
  return value;
#endif
}

PEEPHOLE_INLINE void store_part(float* to, Vector<float> value, int lanes) {
#if defined(__AVX512F__) && PEEPHOLE_BYTES == 64
  _mm512_mask_storeu_ps(to, __mmask16((1u << lanes) - 1), (__m512)value);
#else
  for (int lane = 0; lane < lanes; lane++) to[lane] = value[lane];
#endif
}

// --- functions; NaN in gives NaN out ---

template <class Real>
PEEPHOLE_INLINE Vector<Real> clamp(Vector<Real> x, Real low, Real high) {
#if defined(__AVX512F__) && PEEPHOLE_BYTES == 64
  // Where one of two numbers is NaN these instructions give the second.
  if constexpr (sizeof(Real) == 4) {
    return (Vector<Real>)_mm512_min_ps(_mm512_set1_ps(high), _mm512_max_ps(_mm512_set1_ps(low), (__m512)x));
  } else {
    return (Vector<Real>)_mm512_min_pd(_mm512_set1_pd(high), _mm512_max_pd(_mm512_set1_pd(low), (__m512d)x));
  }
#else
  x = x < splat(low) ? splat(low) : x;  // a comparison with NaN is false, and keeps it
  return x > splat(high) ? splat(high) : x;
#endif
}

// exp(x) = 2^n (1 + q): n whole, q = exp(r) - 1 with |r| <= ln(2) / 2.
template <class Real>
struct Exponential {
  Vector<Real> power, q;
};

// |x| must not exceed what Limits says.
template <class Real>
PEEPHOLE_INLINE Exponential<Real> exponential(Vector<Real> x) {
  using Bits = Vector<Integer<Real>>;
  constexpr bool single = sizeof(Real) == 4;
  // Adding this leaves a whole number in the lowest bits.
  constexpr Real shifter = single ? Real(12582912.0) : Real(6755399441055744.0);
  constexpr int mantissa = single ? 23 : 52;
  constexpr Integer<Real> one = single ? 0x3f800000 : 0x3ff0000000000000;
  const Vector<Real> shifted = x * Real(1.4426950408889634) + shifter;
  const Vector<Real> n = shifted - shifter;
  const Bits power = (Bits)((Vector<std::make_unsigned_t<Integer<Real>>>)shifted << mantissa) + one;
  Vector<Real> r, tail;
  if constexpr (single) {
    r = x - n * 0.693147182f;  // a part of 3e-8 of n is lost, and n is below 28 wherever the result is not yet 0 or 1
    // The polynomial of this degree whose largest error, relative to exp(r), is smallest: 3e-9.
    tail = r * 1.38145394e-3f + 8.36874545e-3f;
    tail = tail * r + 4.16683890e-2f;
    tail = tail * r + 1.66665211e-1f;
    tail = tail * r + 4.99999940e-1f;
  } else {
    r = x - n * 6.93145751953125e-1;
    r = r - n * 1.42860682030941723212e-6;
    tail = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
    tail = tail * r + 1.0 / 39916800.0;
    tail = tail * r + 1.0 / 3628800.0;
    tail = tail * r + 1.0 / 362880.0;
    tail = tail * r + 1.0 / 40320.0;
    tail = tail * r + 1.0 / 5040.0;
    tail = tail * r + 1.0 / 720.0;
    tail = tail * r + 1.0 / 120.0;
    tail = tail * r + 1.0 / 24.0;
    tail = tail * r + 1.0 / 6.0;
    tail = tail * r + 0.5;
  }
  return {(Vector<Real>)power, tail * r * r + r};
}

template <class Real>
constexpr Real LARGEST_EXPONENT = sizeof(Real) == 4 ? Real(87.0) : Real(708.0);

// a / b for b from 1 to exp(LARGEST_EXPONENT) and a little more.
template <class Real>
PEEPHOLE_INLINE Vector<Real> quotient(Vector<Real> a, Vector<Real> b) {
#if defined(__AVX512F__) && PEEPHOLE_BYTES == 64
  if constexpr (sizeof(Real) == 4) {  // an estimate and one step of Newton's: the divider is slower
    const Vector<Real> estimate = (Vector<Real>)_mm512_rcp14_ps((__m512)b);
    const Vector<Real> error = Real(1) - b * estimate;
    const Vector<Real> scaled = a * estimate;
    return scaled + scaled * error;
  }
#endif
  return a / b;
}

template <class Real>
PEEPHOLE_INLINE Vector<Real> exp(Vector<Real> x) {
  const auto e = exponential<Real>(clamp(x, -LARGEST_EXPONENT<Real>, LARGEST_EXPONENT<Real>));
  return e.power * e.q + e.power;
}

template <class Real>
PEEPHOLE_INLINE Vector<Real> sigmoid(Vector<Real> x) {
  return quotient<Real>(splat(Real(1)), Real(1) + exp<Real>(-x));
}

// (exp(2x) - 1) / (exp(2x) + 1) with exp(2x) - 1 computed as such: exact near zero.
template <class Real>
PEEPHOLE_INLINE Vector<Real> tanh(Vector<Real> x) {
  constexpr Real saturated = sizeof(Real) == 4 ? Real(18.5) : Real(38.5);
  const auto e = exponential<Real>(clamp(x + x, -saturated, saturated));
  const Vector<Real> minus_one = e.power * e.q + (e.power - Real(1));
  return quotient<Real>(minus_one, minus_one + Real(2));
}

// The upper half is added to the lower, and so on.
template <int HALF, class T, int... LANE>
PEEPHOLE_INLINE T folded(Vector<T> value, std::integer_sequence<int, LANE...> lanes) {
  value = value + __builtin_shufflevector(value, value, ((LANE + HALF) % LANES<T>)...);
  if constexpr (HALF > 1) {
    return folded<HALF / 2, T>(value, lanes);
  } else {
    return value[0];
  }
}

template <class Real>
PEEPHOLE_INLINE Real sum(Vector<Real> value) {
  return folded<LANES<Real> / 2, Real>(value, std::make_integer_sequence<int, LANES<Real>>{});
}

// Denormal numbers are zero while this lives: they cost a hundred cycles each, and carry nothing.
class DenormalsAreZero {
 public:
#if defined(__x86_64__)
  DenormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~DenormalsAreZero() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  DenormalsAreZero() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (1ull << 24)));
  }
  ~DenormalsAreZero() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  uint64_t before_;
#else
  ~DenormalsAreZero() {}
#endif
};

}  // namespace PEEPHOLE_ISA
}  // namespace peephole
