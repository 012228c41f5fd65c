// Distributions over symbols: their logarithms, surprisals, and drawing from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "../noise.h"
#include "model.h"

namespace peephole::PEEPHOLE_ISA {

// log of the sum of exponentials of `count` numbers; they are followed by room to a whole vector.
inline double log_sum(const float* logits, long count) {
  constexpr int V = LANES<float>;
  float largest = logits[0];
  for (long i = 1; i < count; i++) largest = logits[i] > largest ? logits[i] : largest;
  constexpr long PART = 64 * V;  // longer sums of floats lose more than a vocabulary can bear
  double total = 0;
  long i = 0;
  while (i + V <= count) {
    Vector<float> sums{};
    for (const long end = std::min(i + PART, count); i + V <= end; i += V) {
      sums = sums + exp<float>(load(logits + i) - largest);
    }
    total += sum<float>(sums);
  }
  if (i < count) {
    const Vector<float> rest = exp<float>(load(logits + i) - largest);
    for (int lane = 0; lane < count - i; lane++) total += rest[lane];
  }
  return largest + std::log(total);
}

// A number from 0 to 1, of 53 random bits: the next of a stream's.
inline double uniform(Generator& generator) {
  uint32_t words[4][PHILOX_TOGETHER];
  const Stream stream{generator.seed, uint32_t(generator.number >> 32) | 0x80000000u, 1, 1, 1};
  philox(stream, uint32_t(generator.drawn), uint32_t(generator.drawn >> 32), uint32_t(generator.number), words);
  generator.drawn++;
  const uint64_t bits = (uint64_t(words[0][0]) << 21) ^ (uint64_t(words[1][0]) >> 11);
  return double(bits) * 0x1p-53;
}

// Draws from logits, which it overwrites.
class Sampler {
 public:
  int64_t draw(float* logits, long count, const Drawing& how, Generator& generator) {
    for (int64_t symbol : how.never) logits[symbol] = -INFINITY;
    const long likeliest = std::max_element(logits, logits + count) - logits;
    if (how.temperature == 0) return likeliest;
    // Below the largest, so that no temperature, however low, makes every one of them infinite.
    const double largest = logits[likeliest], coldness = 1 / std::max(how.temperature, 1e-300);
    weights_.resize(count);
    for (long i = 0; i < count; i++) {
      weights_[i] = std::exp((logits[i] - largest) * coldness);
      if (!(weights_[i] >= 0)) weights_[i] = 0;  // of -infinity below -infinity nothing is left
    }
    if (how.top_k || how.top_p < 1) keep_likeliest(count, how);
    const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    double left = uniform(generator) * total;
    long last = likeliest;
    for (long i = 0; i < count; i++) {
      if (weights_[i] <= 0) continue;
      last = i;
      left -= weights_[i];
      if (left < 0) break;
    }
    return last;
  }

 private:
  std::vector<double> weights_;
  std::vector<long> order_;

  void keep_likeliest(long count, const Drawing& how) {
    order_.resize(count);
    std::iota(order_.begin(), order_.end(), 0L);
    const auto likelier = [this](long a, long b) {  // of equals the first
      return weights_[a] != weights_[b] ? weights_[a] > weights_[b] : a < b;
    };
    long kept = how.top_k ? std::min(how.top_k, count) : count;
    std::partial_sort(order_.begin(), order_.begin() + kept, order_.end(), likelier);
    if (how.top_p < 1) {
      double total = 0, before = 0;
      for (long i = 0; i < kept; i++) total += weights_[order_[i]];
      long enough = 0;
      while (enough < kept && (enough == 0 || before < how.top_p * total)) before += weights_[order_[enough++]];
      kept = enough;
    }
    for (long i = kept; i < count; i++) weights_[order_[i]] = 0;
  }
};

}  // namespace peephole::PEEPHOLE_ISA
