// Random words for drawing windows and negatives: SplitMix64 (Steele et al. 2014), a sequence for each part of a text.
#pragma once

#include <cstdint>

namespace peephole {

class Draws {
 public:
  // As `reference/word_vectors.py` counts them.
  Draws(uint64_t seed, uint64_t part) : state_(mixed(seed + GOLDEN) ^ mixed((part + 1) * GOLDEN)) {}

  uint64_t next() { return mixed(state_ += GOLDEN); }
  uint32_t word() { return uint32_t(next() >> 32); }
  // 0 … count - 1.
  uint32_t below(uint32_t count) { return uint32_t(uint64_t(word()) * count >> 32); }

 private:
  static constexpr uint64_t GOLDEN = 0x9E3779B97F4A7C15ull;

  static uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace peephole
