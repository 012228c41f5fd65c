// Matrix products of blocked operands. A row vector of K numbers is kept as blocks of V lanes, V the lanes of a vector of
// Reals: "blocked" [K / V][rows][V]. Weights are packed by column block: [columns / V][K][V].
//
// Every sum runs over k in order, in one accumulator: neither tiles nor threads change a bit of a result.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "simd.h"

namespace peephole::PEEPHOLE_ISA {

// What operands are kept as: bfloat16 where the processor multiplies it, else floats with bfloat16's values.
#if defined(__AVX512BF16__) && PEEPHOLE_BYTES == 64
constexpr bool BFLOAT16_PRODUCTS = true;
#else
constexpr bool BFLOAT16_PRODUCTS = false;
#endif

struct Single {
  using External = float;
  using Operand = float;
  using Real = float;
};
struct Double {
  using External = double;
  using Operand = double;
  using Real = double;
};
struct Half {
  using External = BFloat16;
  using Operand = std::conditional_t<BFLOAT16_PRODUCTS, BFloat16, float>;
  using Real = float;
};

template <class P>
constexpr int BLOCK = LANES<typename P::Real>;  // V

// Blocks of V numbers that hold `size`, and how many of the numbers of one are in use.
template <class P>
constexpr int blocks_of(long size) {
  return int((size + BLOCK<P> - 1) / BLOCK<P>);
}
template <class P>
constexpr int lanes_of(long size, int block) {
  return int(std::min<long>(BLOCK<P>, size - long(block) * BLOCK<P>));
}

// Weights in bfloat16, whatever the processor multiplies, and rows that stay floats.
struct HalfWeights {
  using External = float;
  using Operand = BFloat16;
  using Real = float;
};

// What the rows of a product are kept as.
template <class P>
using RowOperand = std::conditional_t<std::is_same_v<P, HalfWeights>, float, typename P::Operand>;

// How many successive k lie side by side for one multiplication.
template <class P>
constexpr int PAIR = std::is_same_v<typename P::Operand, BFloat16> ? 2 : 1;

template <class P>
PEEPHOLE_INLINE void store_operand(typename P::Operand* to, Vector<typename P::Real> value) {
  if constexpr (std::is_same_v<typename P::Operand, BFloat16>) {
    store_half(to, narrow(value));
  } else if constexpr (std::is_same_v<P, Half>) {
    store(to, rounded_to_bfloat16(value));
  } else {
    store(to, value);
  }
}

template <class P>
PEEPHOLE_INLINE Vector<typename P::Real> load_operand(const typename P::Operand* from) {
  if constexpr (std::is_same_v<typename P::Operand, BFloat16>) {
    return widen(load_half(from));
  } else {
    return load(from);
  }
}

// --- tiles: the product of a few rows by a few column blocks, in registers ---

// As many accumulators (rows times column blocks) as fit into the registers beside their operands.
constexpr int TILE_ROWS = 6;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int TILE_COLUMNS[TILE_ROWS + 1] = {0, 8, 8, 4, 4, 4, 4};
constexpr int OUTER_COLUMNS = 4;
#else  // sixteen registers
constexpr int TILE_COLUMNS[TILE_ROWS + 1] = {0, 8, 4, 3, 3, 2, 2};
constexpr int OUTER_COLUMNS = 3;  // of at most four rows
#endif
constexpr int MOST_COLUMNS = 8;

constexpr long tiles_of(long rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

// Column blocks that tiles of so many rows take at once: rows are shared out evenly, the tallest tile decides.
constexpr int columns_together(long rows) { return TILE_COLUMNS[(rows + tiles_of(rows) - 1) / tiles_of(rows)]; }

template <class P>
struct TileArguments {
  using Operand = typename P::Operand;
  using Real = typename P::Real;
  const RowOperand<P>* rows;  // of row 0
  long row_stride;          // between rows
  const long* blocks;       // offset of each block of V numbers of a row
  long size;                // K, or for `outer_tile` the number of pairs of steps
  const Operand* weights;   // column block 0
  long weight_stride;       // between column blocks
  Real* target[MOST_COLUMNS];
  long target_stride;       // between rows
  const Real* start;        // what the sums start from, V numbers a column block; null: what the target holds
  const Operand* ahead;     // what later tiles read: with each block of V numbers so many cache lines of it are fetched
  long ahead_lines;
};

template <class P>
constexpr long LINE = 64 / sizeof(typename P::Operand);  // numbers in a cache line

// A pointer of which the compiler knows nothing, so that it keeps this one and adds constants to it, rather than many.
template <class T>
PEEPHOLE_INLINE const T* opaque(const T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// `whole`: the second of a pair of numbers is there; else it lies behind the row, and counts for nothing.
template <class P, int ROWS, int COLUMNS>
PEEPHOLE_INLINE void multiply_add(Vector<typename P::Real> (&sums)[ROWS][COLUMNS],
                                  const RowOperand<P>* const (&rows)[ROWS], long lane,
                                  const typename P::Operand* const (&weights)[COLUMNS], long at, bool whole = true) {
  using Operand = typename P::Operand;
  if constexpr (std::is_same_v<P, HalfWeights>) {  // a bfloat16 is the upper half of a float
    using Bits = Vector<uint32_t>;
    Vector<float> first[COLUMNS], second[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) {
      const Bits both = load_bits<uint32_t>(weights[n] + at);
      first[n] = (Vector<float>)(both << 16);
      second[n] = (Vector<float>)(both & 0xffff0000);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      const float one = rows[r][lane], other = whole ? rows[r][lane + 1] : 0.0f;
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sums[r][n] = sums[r][n] + one * first[n] + other * second[n];
    }
  } else if constexpr (std::is_same_v<Operand, BFloat16>) {
#if defined(__AVX512BF16__) && PEEPHOLE_BYTES == 64
    __m512bh columns[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) columns[n] = (__m512bh)_mm512_loadu_si512(weights[n] + at);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      int32_t pair;
      std::memcpy(&pair, rows[r] + lane, sizeof pair);
      const __m512bh row = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) {
        sums[r][n] = (Vector<float>)_mm512_dpbf16_ps((__m512)sums[r][n], row, columns[n]);
      }
    }
#endif
  } else {
    Vector<Operand> columns[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) columns[n] = load(weights[n] + at);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      const Operand row = rows[r][lane];
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sums[r][n] += row * columns[n];
    }
  }
}

// Loops over sums are unrolled: an array that is indexed by a variable lies in memory rather than in registers.
template <class P, int ROWS, int COLUMNS>
PEEPHOLE_INLINE void open_sums(const TileArguments<P>& a, Vector<typename P::Real> (&sums)[ROWS][COLUMNS]) {
  const long stride = a.start ? 0 : a.target_stride;
#pragma GCC unroll 8
  for (int n = 0; n < COLUMNS; n++) {
    const typename P::Real* from = a.start ? a.start + n * BLOCK<P> : a.target[n];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) sums[r][n] = load(from + r * stride);
  }
}

template <class P, int ROWS, int COLUMNS>
PEEPHOLE_INLINE void close_sums(const TileArguments<P>& a, const Vector<typename P::Real> (&sums)[ROWS][COLUMNS]) {
#pragma GCC unroll 8
  for (int n = 0; n < COLUMNS; n++) {
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) store(a.target[n] + r * a.target_stride, sums[r][n]);
  }
}

// target[n][r] += sum over k of row r's k-th number times the weights [k][V] of column block n; K > 0.
template <class P, int ROWS, int COLUMNS>
__attribute__((noinline)) void tile(const TileArguments<P>& arguments) {
  constexpr int V = BLOCK<P>, pair = PAIR<P>;
  const TileArguments<P> a = arguments;  // which nothing that is stored can change
  Vector<typename P::Real> sums[ROWS][COLUMNS];
  open_sums<P>(a, sums);
  const RowOperand<P>* rows[ROWS];
  const typename P::Operand *weights[COLUMNS], *ahead = a.ahead;
  for (int n = 0; n < COLUMNS; n++) weights[n] = a.weights + n * a.weight_stride;
  const long* block = a.blocks;
  long left = a.size;
  for (; left >= V; left -= V, block++) {
    for (long line = 0; line < a.ahead_lines; line++, ahead += LINE<P>) __builtin_prefetch(ahead, 0, 2);
    for (int r = 0; r < ROWS; r++) rows[r] = a.rows + *block + r * a.row_stride;
#pragma GCC unroll 16
    for (int lane = 0; lane < V; lane += pair) {
      multiply_add<P, ROWS, COLUMNS>(sums, rows, lane, weights, lane * V);
    }
    for (int n = 0; n < COLUMNS; n++) weights[n] = opaque(weights[n] + V * V);
  }
  if (left > 0) {
    for (int r = 0; r < ROWS; r++) rows[r] = a.rows + *block + r * a.row_stride;
    for (int lane = 0; lane < left; lane += pair) {
      multiply_add<P, ROWS, COLUMNS>(sums, rows, lane, weights, lane * V, lane + pair <= left);
    }
  }
  close_sums<P>(a, sums);
}

// target[n][r] += sum over steps k of rows[k][r] times weights[n][k][V]: both operands are [steps][V] per block, and with
// bfloat16 [steps / 2][V][2]. There is a step.
template <class P, int ROWS, int COLUMNS>
__attribute__((noinline)) void outer_tile(const TileArguments<P>& arguments) {
  constexpr int V = BLOCK<P>, pair = PAIR<P>;
  const TileArguments<P> a = arguments;
  Vector<typename P::Real> sums[ROWS][COLUMNS];
#pragma GCC unroll 8
  for (int n = 0; n < COLUMNS; n++) {
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) sums[r][n] = Vector<typename P::Real>{};
  }
  const RowOperand<P>* rows[ROWS];
  const typename P::Operand* weights[COLUMNS];
  for (int n = 0; n < COLUMNS; n++) weights[n] = a.weights + n * a.weight_stride;
  for (int r = 0; r < ROWS; r++) rows[r] = a.rows + r * pair;
  long k = 0;
  do {
    multiply_add<P, ROWS, COLUMNS>(sums, rows, k, weights, k);
    k += V * pair;
  } while (k < a.size * V * pair);
  // Added to what earlier chunks left, rather than started from it: a long sum loses less in parts.
#pragma GCC unroll 8
  for (int n = 0; n < COLUMNS; n++) {
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      typename P::Real* to = a.target[n] + r * a.target_stride;
      store(to, load(to) + sums[r][n]);
    }
  }
}

template <class P>
using Tile = void (*)(const TileArguments<P>&);

template <class P, bool OUTER, int ROWS, int COLUMNS>
constexpr Tile<P> tile_or_none() {
  if constexpr (COLUMNS > (OUTER ? OUTER_COLUMNS : TILE_COLUMNS[ROWS])) {
    return nullptr;
  } else if constexpr (OUTER) {
    return outer_tile<P, ROWS, COLUMNS>;
  } else {
    return tile<P, ROWS, COLUMNS>;
  }
}

template <class P, bool OUTER, int ROWS, int... N>
constexpr std::array<Tile<P>, MOST_COLUMNS> tiles_of_rows(std::integer_sequence<int, N...>) {
  return {tile_or_none<P, OUTER, ROWS, N + 1>()...};
}

template <class P, bool OUTER, int... R>
constexpr std::array<std::array<Tile<P>, MOST_COLUMNS>, TILE_ROWS> all_tiles(std::integer_sequence<int, R...>) {
  return {tiles_of_rows<P, OUTER, R + 1>(std::make_integer_sequence<int, MOST_COLUMNS>{})...};
}

template <class P>
inline constexpr auto TILES = all_tiles<P, false>(std::make_integer_sequence<int, TILE_ROWS>{});
template <class P>
inline constexpr auto OUTER_TILES = all_tiles<P, true>(std::make_integer_sequence<int, TILE_ROWS>{});

// --- products ---

// A matrix packed for `multiply`: column blocks of [K][V], `stride` apart.
template <class P>
struct Packed {
  const typename P::Operand* data = nullptr;
  long stride = 0;
  long size = 0;  // K
};

// A part of a blocked matrix of Reals: block b, row r begins at data + b * stride + r * V.
template <class Real>
struct Blocked {
  Real* data = nullptr;
  long stride = 0;
};

constexpr long MOST_STEPS_AT_ONCE = 1024;  // so many rows of a few column blocks of weights stay in the level-2 cache
constexpr long AHEAD_FROM = 384;  // shorter products have weights that stay in the cache from step to step

// Column block j of the product is added to block `columns[j]` of the target (or starts from `start`, V numbers for each
// j, where that is given), for j from `first` to `last`. The rows begin at `rows`, `row_stride` apart; their k-th number
// lies in block k / V at `blocks[k / V]`. The caller goes on with column `next`.
template <class P>
void multiply(const RowOperand<P>* rows, long row_stride, const long* blocks, long row_count,
              const Packed<P>& weights, const int* columns, int first, int last, Blocked<typename P::Real> target,
              const typename P::Real* start, int next) {
  constexpr int V = BLOCK<P>;
  if (row_count <= 0) return;
  const long tiles = tiles_of(row_count);
  const int width = columns_together(row_count);
  TileArguments<P> a;
  a.row_stride = row_stride;
  a.target_stride = V;
  a.weight_stride = weights.stride;
  // While tiles multiply by some columns, each fetches its share of the next.
  const long share = weights.stride * width / tiles;
  a.ahead_lines = weights.size < AHEAD_FROM || tiles == 1 ? 0 : (V * share / weights.size + LINE<P> - 1) / LINE<P>;
  for (int column = first; column < last; column += width) {
    const int together = std::min(width, last - column), following = column + width < last ? column + width : next;
    for (long k = 0; k < weights.size; k += MOST_STEPS_AT_ONCE) {
      a.size = std::min(MOST_STEPS_AT_ONCE, weights.size - k);
      a.blocks = blocks + k / V;
      a.weights = weights.data + column * weights.stride + k * V;
      a.start = start && k == 0 ? start + column * V : nullptr;
      long row = 0;
      for (long i = 0; i < tiles; i++) {  // of nearly equal size
        const long height = (row_count - row + tiles - i - 1) / (tiles - i);
        a.rows = rows + row * row_stride;
        a.ahead = weights.data + following * weights.stride + i * share + k / V * a.ahead_lines * LINE<P>;
        for (int n = 0; n < together; n++) a.target[n] = target.data + columns[column + n] * target.stride + row * V;
        TILES<P>[height - 1][together - 1](a);
        row += height;
      }
    }
  }
}

// target [V rows for each left block][right] += sum over steps of left[step][row] * right[step][column], for the left
// blocks from `first` to `last`, whose numbers `left_blocks` gives. Both operands are [blocks][steps][V] (with bfloat16
// [blocks][steps / 2][V][2], and `steps` counts pairs), their blocks `left_stride` and `right_stride` apart.
template <class P>
void add_outer(const typename P::Operand* left, long left_stride, const int* left_blocks, int first, int last,
               const typename P::Operand* right, long right_stride, int right_count, long steps,
               typename P::Real* target, long target_stride) {
  constexpr int V = BLOCK<P>;
  constexpr int tiles = tiles_of(V), width = OUTER_COLUMNS;
  TileArguments<P> a;
  a.size = steps;
  a.weight_stride = right_stride;
  a.target_stride = target_stride;
  a.start = nullptr;
  for (int column = 0; column < right_count; column += width) {
    const int together = std::min(width, right_count - column);
    a.weights = right + column * right_stride;
    for (int block = first; block < last; block++) {
      int row = 0;
      for (int i = 0; i < tiles; i++) {
        const int height = (V - row + tiles - i - 1) / (tiles - i);
        a.rows = left + left_blocks[block] * left_stride + row * PAIR<P>;
        for (int n = 0; n < together; n++) {
          a.target[n] = target + (block * V + row) * target_stride + (column + n) * V;
        }
        OUTER_TILES<P>[height - 1][together - 1](a);
        row += height;
      }
    }
  }
}

}  // namespace peephole::PEEPHOLE_ISA
