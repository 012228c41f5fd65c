// Weights and sequences of the caller, brought into the order in which products read them.
#pragma once

#include "product.h"

namespace peephole::PEEPHOLE_ISA {

// Space between packed column blocks beyond their size, so that blocks side by side do not share cache sets.
template <class P>
constexpr long PACK_PADDING = 64 / sizeof(typename P::Operand);

template <class P>
long packed_stride(long size) {  // of one column block, for K = size
  constexpr int V = BLOCK<P>;
  return (size + V - 1) / V * V * V + PACK_PADDING<P>;
}

template <class P>
long packed_size(long size, long column_blocks) {
  return packed_stride<P>(size) * column_blocks;
}

template <class P>
PEEPHOLE_INLINE typename P::Operand as_operand(typename P::External value) {
  if constexpr (std::is_same_v<typename P::External, typename P::Operand>) {
    return value;
  } else {  // bfloat16 on a processor that multiplies floats only
    const uint32_t bits = uint32_t(value.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
}

// The transpose of a square of numbers, by interleaving halves: after each round a row is twice as long as it was.
template <class T, int... LOW>
PEEPHOLE_INLINE void transpose(Vector<T> (&rows)[LANES<T>], std::integer_sequence<int, LOW...>) {
  constexpr int N = LANES<T>;
  for (int length = 1; length < N; length *= 2) {
    Vector<T> next[N];
#pragma GCC unroll 16
    for (int i = 0; i < N / 2; i++) {
      next[2 * i] = __builtin_shufflevector(rows[i], rows[i + N / 2], (LOW / 2 + LOW % 2 * N)...);
      next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + N / 2], (LOW / 2 + N / 2 + LOW % 2 * N)...);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; i++) rows[i] = next[i];
  }
}

// Two rows of bfloat16, number by number.
PEEPHOLE_INLINE Vector<uint32_t> side_by_side(HalfVector first, HalfVector second) {
  return __builtin_convertvector(first, Vector<uint32_t>) | (__builtin_convertvector(second, Vector<uint32_t>) << 16);
}

// One column block: weights[k][lane] = matrix[lane][k], zero where lane >= lanes; k < size. The matrix [.., row_stride] is
// external.
template <class P>
void pack_transposed(typename P::Operand* to, const typename P::External* matrix, long row_stride, int lanes, long size) {
  constexpr int V = BLOCK<P>, pair = PAIR<P>;
  using Operand = typename P::Operand;
  using External = typename P::External;
  using Word = std::conditional_t<sizeof(typename P::Real) == 4, uint32_t, uint64_t>;  // a number, or a pair
  const long padded = (size + pair - 1) / pair * pair;
  long k = 0;
  if constexpr (std::is_same_v<typename P::External, Operand>) {
    for (; k + V * pair <= size; k += V * pair) {
      Vector<Word> rows[V];
      for (int lane = 0; lane < V; lane++) {
        const External* from = matrix + lane * row_stride + k;
        rows[lane] = lane < lanes ? load_bits<Word>(from) : Vector<Word>{};
        if (lane < lanes) __builtin_prefetch(from + 4 * V * pair);  // so many rows at once are no stream to the hardware
      }
      transpose<Word>(rows, std::make_integer_sequence<int, V>{});
      for (int i = 0; i < V; i++) store_bits<Word>(to + (k + i * pair) * V, rows[i]);
    }
  }
  for (; k < padded; k += pair) {
    for (int lane = 0; lane < V; lane++) {
      for (int p = 0; p < pair; p++) {
        const bool inside = lane < lanes && k + p < size;
        to[k * V + lane * pair + p] = inside ? as_operand<P>(matrix[lane * row_stride + k + p]) : Operand{};
      }
    }
  }
}

// V rows of one column block: weights[k][lane] = matrix[k][lane] for k < size, lane < lanes, zero elsewhere up to V.
template <class P>
void pack_rows(typename P::Operand* to, const typename P::External* matrix, long row_stride, int lanes, long size) {
  constexpr int V = BLOCK<P>, pair = PAIR<P>;
  using Operand = typename P::Operand;
  if (lanes == V && size == V) {
    for (int k = 0; k < V; k += pair) {
      if constexpr (pair == 2) {
        store_bits<uint32_t>(to + k * V,
                             side_by_side(load_half(matrix + k * row_stride), load_half(matrix + (k + 1) * row_stride)));
      } else {
        for (int lane = 0; lane < V; lane++) to[k * V + lane] = as_operand<P>(matrix[k * row_stride + lane]);
      }
    }
    return;
  }
  for (int k = 0; k < V; k += pair) {
    for (int lane = 0; lane < V; lane++) {
      for (int p = 0; p < pair; p++) {
        const bool inside = lane < lanes && k + p < size;
        to[k * V + lane * pair + p] = inside ? as_operand<P>(matrix[(k + p) * row_stride + lane]) : Operand{};
      }
    }
  }
}

// [count rows of V numbers] in the order for `outer_tile`: with bfloat16 two rows are interleaved, and `count` is made
// even by a row of zeros.
template <class P>
void interleave(typename P::Operand* to, const typename P::Operand* from, long count) {
  constexpr int V = BLOCK<P>;
  static_assert(PAIR<P> == 2);
  for (long row = 0; row < count; row += 2) {
    const HalfVector second = row + 1 < count ? load_half(from + (row + 1) * V) : HalfVector{};
    store_bits<uint32_t>(to + row * V, side_by_side(load_half(from + row * V), second));
  }
}

}  // namespace peephole::PEEPHOLE_ISA
