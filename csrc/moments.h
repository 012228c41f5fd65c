// Moments over the units of a row, put together from those of its unit blocks in one order, whoever computed them.
#pragma once

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
    room(parts_, size_t(rows) * count * blocks_ * 2);
    room(whole_, size_t(members) * rows * count * 2);
  }

  // Two numbers of a unit block, and of a row.
  Real* part(int which, int block, long row) const { return parts_ + ((row * count_ + which) * blocks_ + block) * 2; }
  Real* whole(int member, int which, long row) const { return whole_ + ((member * rows_ + row) * count_ + which) * 2; }

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
    Real* to = part(which, block, row);
    to[0] = mean;
    to[1] = spread;
  }

  // Mean and 1 / standard deviation of a row.
  const Real* find_spread(int member, int which, long row) {
    const Real epsilon = Real(1e-5);  // torch.nn.LayerNorm's
    const Real* from = part(which, 0, row);
    Real mean = 0, spread = 0;
    for (int b = 0; b < blocks_; b++) mean += from[2 * b] * lanes_of<P>(units_, b);
    mean /= units_;
    for (int b = 0; b < blocks_; b++) {
      const Real difference = from[2 * b] - mean;
      spread += from[2 * b + 1] + difference * difference * lanes_of<P>(units_, b);
    }
    Real* to = whole(member, which, row);
    to[0] = mean;
    to[1] = Real(1) / std::sqrt(spread / units_ + epsilon);
    return to;
  }

  PEEPHOLE_INLINE void note_sums(int which, int block, long row, V first, V second) {
    Real* to = part(which, block, row);
    to[0] = sum<Real>(first);
    to[1] = sum<Real>(second);
  }

  void find_sums(int member, int which, long row) {
    const Real* from = part(which, 0, row);
    Real first = 0, second = 0;
    for (int b = 0; b < blocks_; b++) {
      first += from[2 * b];
      second += from[2 * b + 1];
    }
    Real* to = whole(member, which, row);
    to[0] = first;
    to[1] = second;
  }

 private:
  int count_ = 0, blocks_ = 0;
  long rows_ = 0, units_ = 0;
  Real* parts_ = nullptr;  // [rows][count][blocks][2]
  Real* whole_ = nullptr;  // [members][rows][count][2]
};

}  // namespace peephole::PEEPHOLE_ISA
