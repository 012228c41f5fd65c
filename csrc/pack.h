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

// One column block: weights[k][lane] = matrix[row + lane][column + k], zero where lane >= lanes; k < size.
// The matrix [.., row_stride] is external.
template <class P>
void pack_transposed(typename P::Operand* to, const typename P::External* matrix, long row_stride, int lanes, long size) {
  constexpr int V = BLOCK<P>, pair = PAIR<P>;
  using Operand = typename P::Operand;
  constexpr int STEPS = 64 / sizeof(Operand);  // a cache line of each row at a time
  const long padded = (size + pair - 1) / pair * pair;
  long k = 0;
  for (; k < padded; k += STEPS) {
    const int count = std::min<long>(STEPS, padded - k);
    Operand lines[V][STEPS];
    for (int lane = 0; lane < V; lane++) {
      for (int i = 0; i < count; i++) {
        lines[lane][i] = lane < lanes && k + i < size ? as_operand<P>(matrix[lane * row_stride + k + i]) : Operand{};
      }
    }
    for (int i = 0; i < count; i += pair) {
      for (int lane = 0; lane < V; lane++) {
        for (int p = 0; p < pair; p++) to[(k + i) * V + lane * pair + p] = lines[lane][i + p];
      }
    }
  }
}

// V rows of one column block: weights[k][lane] = matrix[k][lane] for k < size, lane < lanes, zero elsewhere up to V.
template <class P>
void pack_rows(typename P::Operand* to, const typename P::External* matrix, long row_stride, int lanes, long size) {
  constexpr int V = BLOCK<P>, pair = PAIR<P>;
  using Operand = typename P::Operand;
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
    const auto* first = from + row * V;
    const bool second = row + 1 < count;
    for (int lane = 0; lane < V; lane++) {
      to[row * V + 2 * lane] = first[lane];
      to[row * V + 2 * lane + 1] = second ? first[V + lane] : BFloat16{0};
    }
  }
}

}  // namespace peephole::PEEPHOLE_ISA
