// Moments over the units of a row, put together from those of its unit blocks in one order, whoever computed them.
#pragma once

#include <algorithm>
#include <cmath>

#include "product.h"
#include "workspace.h"

namespace peephole::PEEPHOLE_ISA {

template <class P>
class Moments {
 public:
  using Real = typename P::Real;
  using V = Vector<Real>;
  static constexpr int LANE = BLOCK<P>;

  // Of `count` quantities of rows of `units` numbers; each member of the team puts its rows together by itself.
  void plan(Allocator& room, int count, long rows, long units, int members) {
    count_ = count;
    rows_ = rows;
    units_ = units;
    blocks_ = blocks_of<P>(units);
    padded_ = blocks_of<P>(blocks_) * LANE;
    const size_t parts = size_t(rows) * count * 2 * padded_;
    room(parts_, parts);
    room(whole_, size_t(members) * rows * count * 2);
    room(sizes_, padded_);
    if (!sizes_) return;
    std::fill(parts_, parts_ + parts, Real(0));  // what lies behind the last block counts for nothing, but is read
    for (int b = 0; b < padded_; b++) sizes_[b] = b < blocks_ ? Real(lanes_of<P>(units, b)) : Real(0);
  }

  // Two numbers of each unit block, [blocks] of the first and of the second; two of a whole row.
  Real* first(int which, long row) const { return parts_ + (row * count_ + which) * 2 * padded_; }
  Real* second(int which, long row) const { return first(which, row) + padded_; }
  Real* whole(int member, int which, long row) const { return whole_ + ((member * rows_ + row) * count_ + which) * 2; }

  PEEPHOLE_INLINE void note(int which, int block, long row, Real one, Real two) {
    Real* to = first(which, row) + block;
    to[0] = one;
    to[padded_] = two;
  }

  // Mean and sum of squared differences of one block (Chan, Golub & LeVeque 1979).
  PEEPHOLE_INLINE void note_spread(int which, int block, long row, V value) {
    const int lanes = lanes_of<P>(units_, block);
    Real mean = 0, spread = 0;
    if (lanes == LANE) {
      mean = sum<Real>(value) / LANE;
      const V difference = value - mean;
      spread = sum<Real>(difference * difference);
    } else {
      for (int i = 0; i < lanes; i++) mean += value[i];
      mean /= lanes;
      for (int i = 0; i < lanes; i++) spread += (value[i] - mean) * (value[i] - mean);
    }
    note(which, block, row, mean, spread);
  }

  // Mean and 1 / standard deviation of a row.
  const Real* find_spread(int member, int which, long row) {
    const Real epsilon = Real(1e-5);  // torch.nn.LayerNorm's
    const Real *means = first(which, row), *spreads = second(which, row);
    V total{};
    for (int b = 0; b < padded_; b += LANE) total = total + load(means + b) * load(sizes_ + b);
    const Real mean = sum<Real>(total) / units_;
    total = V{};
    for (int b = 0; b < padded_; b += LANE) {
      const V difference = load(means + b) - mean;
      total = total + (load(spreads + b) + difference * difference * load(sizes_ + b));
    }
    Real* to = whole(member, which, row);
    to[0] = mean;
    to[1] = Real(1) / std::sqrt(sum<Real>(total) / units_ + epsilon);
    return to;
  }

  PEEPHOLE_INLINE void note_sums(int which, int block, long row, V one, V two) {
    note(which, block, row, sum<Real>(one), sum<Real>(two));
  }

  void find_sums(int member, int which, long row) {
    const Real *ones = first(which, row), *twos = second(which, row);
    V one{}, two{};
    for (int b = 0; b < padded_; b += LANE) {
      one = one + load(ones + b);
      two = two + load(twos + b);
    }
    Real* to = whole(member, which, row);
    to[0] = sum<Real>(one);
    to[1] = sum<Real>(two);
  }

 private:
  int count_ = 0, blocks_ = 0, padded_ = 0;
  long rows_ = 0, units_ = 0;
  Real* parts_ = nullptr;  // [rows][count][2][blocks, to whole vectors]
  Real* whole_ = nullptr;  // [members][rows][count][2]
  Real* sizes_ = nullptr;  // units in each block
};

}  // namespace peephole::PEEPHOLE_ISA
