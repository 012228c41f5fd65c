// Weights that are packed once and stored as Storage says, and the products with them. Operands are floats; where weights
// are bytes, each member of the team converts the rows that it multiplies.
#pragma once

#include <cmath>
#include <vector>

#include "../pack.h"
#include "../workspace.h"
#include "shelf.h"

namespace peephole::PEEPHOLE_ISA {

// Precision of a decoder: the cells see floats.
struct Stored {
  using External = float;
  using Operand = float;
  using Real = float;
};

template <>
struct Packed<Stored> {
  Storage storage = Storage::float32;
  const char* data = nullptr;
  long stride = 0;  // bytes between column blocks
  long size = 0;    // K
  const float* scales = nullptr;
  const int32_t* sums = nullptr;
  const ByteProducts* products = nullptr;
  // int8: rows as the product reads them, those of each member of the team apart.
  char* converted = nullptr;
  float* row_scales = nullptr;
  long rows = 0, row_bytes = 0;

  char* rows_of(int member) const { return converted + member * rows * row_bytes; }
  float* scales_of(int member) const { return row_scales + member * rows; }
};

constexpr int BYTES_TOGETHER = 4;

// Rows (columns of the product) of a matrix of the caller: [gate][row] from column `first` on, `stride` apart.
struct MatrixPart {
  const float* data;
  std::vector<int> gates;
  long rows_per_gate, stride, first, size;

  const float* row(int column_block, int lane) const {
    const int per_unit = int(gates.size()), block = column_block / per_unit, gate = gates[column_block % per_unit];
    const long unit = long(block) * BLOCK<Stored> + lane;
    return unit < rows_per_gate ? data + (gate * rows_per_gate + unit) * stride + first : nullptr;
  }
  int column_blocks() const { return int(gates.size()) * blocks_of<Stored>(rows_per_gate); }
};

inline void fill_floats(float* to, long stride, const MatrixPart& part) {
  const int count = int(part.gates.size());
  for (int j = 0; j < part.column_blocks(); j++) {
    pack_transposed<Single>(to + j * stride, part.row(j, 0), part.stride, lanes_of<Single>(part.rows_per_gate, j / count),
                            part.size);
  }
}

inline void fill_halves(BFloat16* to, long stride, const MatrixPart& part) {
  constexpr int V = BLOCK<Stored>;
  for (int j = 0; j < part.column_blocks(); j++) {
    for (int lane = 0; lane < V; lane++) {
      const float* row = part.row(j, lane);
      for (long k = 0; k < (part.size + 1) / 2 * 2; k += V) {
        const int count = int(std::min<long>(V, part.size - k));
        const HalfVector half = narrow(row && count > 0 ? load_external<float>(row + k, count) : Vector<float>{});
        for (int i = 0; i < V && k + i < (part.size + 1) / 2 * 2; i++) {
          to[j * stride + (k + i) / 2 * 2 * V + lane * 2 + (k + i) % 2].bits = half[i];
        }
      }
    }
  }
}

inline void fill_bytes(int8_t* to, long stride, float* scales, int32_t* sums, const MatrixPart& part) {
  constexpr int V = BLOCK<Stored>;
  const long padded = (part.size + BYTES_TOGETHER - 1) / BYTES_TOGETHER * BYTES_TOGETHER;
  for (int j = 0; j < part.column_blocks(); j++) {
    for (int lane = 0; lane < V; lane++) {
      const float* row = part.row(j, lane);
      float most = 0;
      for (long k = 0; row && k < part.size; k++) most = std::max(most, std::abs(row[k]));
      const double inverse = most > 0 ? 127.0 / most : 0.0;
      int32_t sum = 0;
      for (long k = 0; k < padded; k++) {
        const int value = row && k < part.size ? int(std::nearbyint(row[k] * inverse)) : 0;
        to[j * stride + (k / BYTES_TOGETHER * V + lane) * BYTES_TOGETHER + k % BYTES_TOGETHER] = int8_t(value);
        sum += value;
      }
      scales[j * V + lane] = most / 127;
      sums[j * V + lane] = sum;
    }
  }
}

// The next matrix of the shelf, for products of at most `rows` rows by each of `members`.
inline Packed<Stored> take_matrix(Shelf& shelf, Allocator& room, const MatrixPart& part, long rows, int members) {
  constexpr int V = BLOCK<Stored>;
  const int columns = part.column_blocks();
  Packed<Stored> packed;
  packed.storage = shelf.storage();
  packed.size = part.size;
  if (shelf.storage() == Storage::float32) {
    const long stride = packed_stride<Single>(part.size);
    packed.stride = stride * sizeof(float);
    float* to = shelf.next<float>(size_t(stride) * columns);
    if (shelf.fills()) fill_floats(to, stride, part);
    packed.data = reinterpret_cast<const char*>(to);
    return packed;
  }
  if (shelf.storage() == Storage::bfloat16) {
    const long stride = packed_stride<HalfWeights>(part.size);
    packed.stride = stride * sizeof(BFloat16);
    BFloat16* to = shelf.next<BFloat16>(size_t(stride) * columns);
    if (shelf.fills()) {
      std::memset(static_cast<void*>(to), 0, size_t(stride) * columns * sizeof(BFloat16));
      fill_halves(to, stride, part);
    }
    packed.data = reinterpret_cast<const char*>(to);
    return packed;
  }
  packed.stride = (part.size + BYTES_TOGETHER - 1) / BYTES_TOGETHER * BYTES_TOGETHER * V + 64;
  int8_t* to = shelf.next<int8_t>(size_t(packed.stride) * columns);
  float* scales = shelf.next<float>(size_t(columns) * V);
  int32_t* sums = shelf.next<int32_t>(size_t(columns) * V);
  if (shelf.fills()) {
    std::memset(to, 0, size_t(packed.stride) * columns);
    fill_bytes(to, packed.stride, scales, sums, part);
  }
  packed.data = reinterpret_cast<const char*>(to);
  packed.scales = scales;
  packed.sums = sums;
  packed.products = &shelf.products();
  packed.rows = rows;
  packed.row_bytes = (blocks_of<Stored>(part.size) * V * CONVERTED_BYTES + 63) / 64 * 64 + 64;
  room(packed.converted, size_t(members) * rows * packed.row_bytes);
  room(packed.row_scales, size_t(members) * rows);
  return packed;
}

// Before a member multiplies `count` rows, of which row r's block b lies at rows + r * stride + blocks[b].
PEEPHOLE_INLINE void convert_rows(const Packed<Stored>& weights, int member, const float* rows, long stride,
                                  const long* blocks, long count) {
  if (weights.storage != Storage::int8) return;
  char* to = weights.rows_of(member);
  float* scales = weights.scales_of(member);
  for (long row = 0; row < count; row++) {
    weights.products->convert(rows + row * stride, blocks, weights.size, to + row * weights.row_bytes, scales + row);
  }
}

template <class P>
PEEPHOLE_INLINE void convert_rows(const Packed<P>&, int, const typename P::Operand*, long, const long*, long) {}

// `multiply`, of rows that the member has converted.
PEEPHOLE_INLINE void multiply_by(const Packed<Stored>& weights, int member, const float* rows, long stride,
                                 const long* blocks, long count, const int* columns, int first, int last,
                                 Blocked<float> target, const float* start, int next) {
  const auto whole = [&]<class P>(P) {
    using Operand = typename P::Operand;
    const Packed<P> packed{reinterpret_cast<const Operand*>(weights.data), long(weights.stride / sizeof(Operand)),
                           weights.size};
    multiply<P>(rows, stride, blocks, count, packed, columns, first, last, target, start, next);
  };
  if (weights.storage == Storage::float32) return whole(Single{});
  if (weights.storage == Storage::bfloat16) return whole(HalfWeights{});
  if (count <= 0) return;
  weights.products->multiply({weights.rows_of(member), weights.row_bytes, weights.scales_of(member), count,
                              reinterpret_cast<const int8_t*>(weights.data), weights.stride, weights.size, weights.scales,
                              weights.sums, columns, first, last, target.data, target.stride, start});
}

template <class P>
PEEPHOLE_INLINE void multiply_by(const Packed<P>& weights, int, const typename P::Operand* rows, long stride,
                                 const long* blocks, long count, const int* columns, int first, int last,
                                 Blocked<typename P::Real> target, const typename P::Real* start, int next) {
  multiply<P>(rows, stride, blocks, count, weights, columns, first, last, target, start, next);
}

}  // namespace peephole::PEEPHOLE_ISA
