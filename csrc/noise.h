// Random words from a counter (reference/noise.py): Philox 4x32 with ten rounds, Salmon et al. 2011.
#pragma once

#include <cstdint>

#include "simd.h"

namespace peephole {

// A block of numbers [steps, rows, units]; what each is used for is the caller's.
struct Stream {
  uint64_t seed;
  uint32_t purpose;  // purpose << 24 | layer
  long steps, rows, units;
};

namespace PEEPHOLE_ISA {

constexpr int PHILOX_TOGETHER = 32;  // counters

// Words of the blocks first … first + PHILOX_TOGETHER - 1 of a row: words[i][j] is that of unit 4 * (first + j) + i.
inline void philox(const Stream& stream, uint32_t first, uint32_t step, uint32_t row,
                   uint32_t (&words)[4][PHILOX_TOGETHER]) {
  constexpr int N = PHILOX_TOGETHER;
  for (int j = 0; j < N; j++) {
    words[0][j] = first + j;
    words[1][j] = step;
    words[2][j] = row;
    words[3][j] = stream.purpose;
  }
  uint32_t key = uint32_t(stream.seed), other_key = uint32_t(stream.seed >> 32);
  for (int round = 0; round < 10; round++) {
    for (int j = 0; j < N; j++) {
      const uint64_t a = uint64_t(0xD2511F53u) * words[0][j], c = uint64_t(0xCD9E8D57u) * words[2][j];
      words[0][j] = uint32_t(c >> 32) ^ words[1][j] ^ key;
      words[1][j] = uint32_t(c);
      words[2][j] = uint32_t(a >> 32) ^ words[3][j] ^ other_key;
      words[3][j] = uint32_t(a);
    }
    key += 0x9E3779B9u;
    other_key += 0xBB67AE85u;
  }
}

// Rows first … last - 1 of steps * rows: value(word) for each unit.
template <class Out, class Value>
void draw(const Stream& stream, long first, long last, Out* out, Value value) {
  constexpr int AT_ONCE = 4 * PHILOX_TOGETHER;
  uint32_t words[4][PHILOX_TOGETHER];
  Out values[AT_ONCE];
  for (long i = first; i < last; i++) {
    for (long unit = 0; unit < stream.units; unit += AT_ONCE) {
      philox(stream, uint32_t(unit / 4), uint32_t(i / stream.rows), uint32_t(i % stream.rows), words);
      for (int j = 0; j < PHILOX_TOGETHER; j++) {
        for (int k = 0; k < 4; k++) values[4 * j + k] = value(words[k][j]);
      }
      const long count = stream.units - unit < AT_ONCE ? stream.units - unit : AT_ONCE;
      std::memcpy(out + i * stream.units + unit, values, count * sizeof(Out));
    }
  }
}

}  // namespace PEEPHOLE_ISA
}  // namespace peephole
