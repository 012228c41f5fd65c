// Products of bytes: compiled once for each set of instructions that makes them faster.
#include <algorithm>

#include "stored.h"

#define PEEPHOLE_TEXT_OF(x) #x
#define PEEPHOLE_TEXT(x) PEEPHOLE_TEXT_OF(x)

namespace peephole::PEEPHOLE_ISA {
namespace {

using Ints = Vector<int32_t>;

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define PEEPHOLE_VNNI 1
#else
#define PEEPHOLE_VNNI 0
#endif

// Four successive numbers of a row side by side: as unsigned bytes, 128 more than they are, where the processor
// multiplies such by signed ones; else as 16 bits in the order 0 2 1 3, for weights whose even and odd bytes are widened.
using Stored8 = std::conditional_t<PEEPHOLE_VNNI, uint8_t, int16_t>;
constexpr int32_t OFFSET = PEEPHOLE_VNNI ? 128 : 0;

void convert_to_bytes(const float* from, const long* blocks, long size, void* to, float* scale) {
  constexpr int V = BLOCK<Stored>;
  constexpr int32_t infinite = 0x7f800000;
  constexpr float least = 1e-30f;  // 127 / that is still finite
  Ints most{};
  for (long k = 0; k < size; k += V) {
    const auto bits = (Ints)load_external<float>(from + blocks[k / V], int(std::min<long>(V, size - k))) & 0x7fffffff;
    most = bits > most ? bits : most;  // as whole numbers, of which a NaN is larger than infinity
  }
  int32_t largest = 0;
  for (int lane = 0; lane < V; lane++) largest = std::max(largest, most[lane]);
  float magnitude;
  std::memcpy(&magnitude, &largest, sizeof magnitude);
  if (largest >= infinite) {  // nothing finite comes of this row
    *scale = __builtin_nanf("");
    magnitude = 0;
  } else {
    if (magnitude < least) magnitude = 0;
    *scale = magnitude / 127;
  }
  const float inverse = magnitude > 0 ? 127 / magnitude : 0;
  auto* stored = static_cast<Stored8*>(to);
  for (long k = 0; k < size; k += V) {
    const int count = int(std::min<long>(V, size - k));
    Vector<float> value = load_external<float>(from + blocks[k / V], count) * inverse;
    value = largest >= infinite ? Vector<float>{} : value;
    // Rounded to whole: they stand in the lowest bits of this sum.
    const Ints whole = (Ints)(value + 12582912.0f) - 0x4b400000 + OFFSET;
    typedef Stored8 Narrow __attribute__((vector_size(V * sizeof(Stored8))));
    const Narrow narrow = __builtin_convertvector(whole, Narrow);
    if constexpr (PEEPHOLE_VNNI) {
      std::memcpy(stored + k, &narrow, sizeof narrow);
    } else {
      for (int i = 0; i < V; i += 4) {
        stored[k + i] = narrow[i];
        stored[k + i + 1] = narrow[i + 2];
        stored[k + i + 2] = narrow[i + 1];
        stored[k + i + 3] = narrow[i + 3];
      }
    }
  }
}

#if !PEEPHOLE_VNNI
// In each 32 bits the sum of the products of both halves. No sum of two products of 8-bit numbers leaves 32 bits.
PEEPHOLE_INLINE Ints add_pairs(Ints a, Ints b) {
#if defined(__AVX512BW__) && PEEPHOLE_BYTES == 64
  return (Ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__) && PEEPHOLE_BYTES == 32
  return (Ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__) && PEEPHOLE_BYTES == 16
  return (Ints)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  return ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}
#endif

struct ByteTile {
  const Stored8* rows;
  long row_stride;
  const int8_t* weights;
  long weight_stride;
  long groups;  // of four numbers
  const float *row_scales, *scales;
  const int32_t* sums;
  float* target[MOST_COLUMNS];
  const float* start;
};

// Column blocks that a tile of so many rows takes; without VNNI a block needs two more registers.
#if PEEPHOLE_BYTES == 64 || defined(__aarch64__)
constexpr int BYTE_COLUMNS[TILE_ROWS + 1] = {0, 8, 8, 4, 4, 4, 4};
#else
constexpr int BYTE_COLUMNS[TILE_ROWS + 1] = {0, 4, 4, 2, 2, 1, 1};
#endif

template <int ROWS, int COLUMNS>
__attribute__((noinline)) void byte_tile(const ByteTile& arguments) {
  constexpr int V = BLOCK<Stored>;
  const ByteTile a = arguments;
  Ints sums[ROWS][COLUMNS];
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) sums[r][n] = Ints{};
  }
  const int8_t* weights[COLUMNS];
  const Stored8* rows[ROWS];
  for (int n = 0; n < COLUMNS; n++) weights[n] = a.weights + n * a.weight_stride;
  for (int r = 0; r < ROWS; r++) rows[r] = a.rows + r * a.row_stride;
#pragma GCC unroll 4
  for (long g = 0; g < a.groups; g++) {
    Ints columns[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) columns[n] = load_bits<int32_t>(weights[n] + g * V * 4);
#if PEEPHOLE_VNNI
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      int32_t four;
      std::memcpy(&four, rows[r] + g * 4, sizeof four);
      const Ints row = four - Ints{};
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) {
#if PEEPHOLE_BYTES == 64
        sums[r][n] = (Ints)_mm512_dpbusd_epi32((__m512i)sums[r][n], (__m512i)row, (__m512i)columns[n]);
#else
        sums[r][n] = (Ints)_mm256_dpbusd_avx_epi32((__m256i)sums[r][n], (__m256i)row, (__m256i)columns[n]);
#endif
      }
    }
#else
    typedef int16_t Shorts __attribute__((vector_size(PEEPHOLE_BYTES)));
    Ints even[COLUMNS], odd[COLUMNS];
#pragma GCC unroll 8
    for (int n = 0; n < COLUMNS; n++) {
      even[n] = (Ints)(((Shorts)columns[n] << 8) >> 8);
      odd[n] = (Ints)((Shorts)columns[n] >> 8);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      int32_t pairs[2];
      std::memcpy(pairs, rows[r] + g * 4, sizeof pairs);
      const Ints first = pairs[0] - Ints{}, second = pairs[1] - Ints{};
#pragma GCC unroll 8
      for (int n = 0; n < COLUMNS; n++) sums[r][n] += add_pairs(even[n], first) + add_pairs(odd[n], second);
    }
#endif
  }
#pragma GCC unroll 8
  for (int n = 0; n < COLUMNS; n++) {
    const Vector<float> scale = load(a.scales + n * V);
    const Ints offset = load_bits<int32_t>(a.sums + n * V) * OFFSET;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
      const Vector<float> product = __builtin_convertvector(sums[r][n] - offset, Vector<float>);
      float* to = a.target[n] + r * V;
      const Vector<float> before = load(a.start ? a.start + n * V : to);
      store(to, before + product * (scale * a.row_scales[r]));
    }
  }
}

using ByteTileFunction = void (*)(const ByteTile&);

template <int ROWS, int... N>
constexpr std::array<ByteTileFunction, MOST_COLUMNS> byte_tiles_of(std::integer_sequence<int, N...>) {
  return {(N < BYTE_COLUMNS[ROWS] ? byte_tile<ROWS, std::min(N + 1, BYTE_COLUMNS[ROWS])> : nullptr)...};
}

template <int... R>
constexpr std::array<std::array<ByteTileFunction, MOST_COLUMNS>, TILE_ROWS> all_byte_tiles(
    std::integer_sequence<int, R...>) {
  return {byte_tiles_of<R + 1>(std::make_integer_sequence<int, MOST_COLUMNS>{})...};
}

constexpr auto BYTE_TILES = all_byte_tiles(std::make_integer_sequence<int, TILE_ROWS>{});

void multiply_bytes(const ByteProduct& p) {
  constexpr int V = BLOCK<Stored>;
  const long tiles = tiles_of(p.row_count);
  const int width = BYTE_COLUMNS[(p.row_count + tiles - 1) / tiles];
  ByteTile a;
  a.row_stride = p.row_bytes / long(sizeof(Stored8));
  a.weight_stride = p.block_bytes;
  a.groups = (p.size + BYTES_TOGETHER - 1) / BYTES_TOGETHER;
  for (int column = p.first; column < p.last; column += width) {
    const int together = std::min(width, p.last - column);
    a.weights = p.weights + column * p.block_bytes;
    a.scales = p.scales + column * V;
    a.sums = p.sums + column * V;
    a.start = p.start ? p.start + column * V : nullptr;
    long row = 0;
    for (long i = 0; i < tiles; i++) {
      const long height = (p.row_count - row + tiles - i - 1) / (tiles - i);
      a.rows = reinterpret_cast<const Stored8*>(static_cast<const char*>(p.rows) + row * p.row_bytes);
      a.row_scales = p.row_scales + row;
      for (int n = 0; n < together; n++) a.target[n] = p.target + p.columns[column + n] * p.target_stride + row * V;
      BYTE_TILES[height - 1][together - 1](a);
      row += height;
    }
  }
}

}  // namespace

extern const ByteProducts BYTE_PRODUCTS;
const ByteProducts BYTE_PRODUCTS = {PEEPHOLE_TEXT(PEEPHOLE_ISA), convert_to_bytes, multiply_bytes};

}  // namespace peephole::PEEPHOLE_ISA
