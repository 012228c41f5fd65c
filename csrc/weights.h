// The weights of a layer in the order in which products read them.
#pragma once

#include <functional>
#include <vector>

#include "decode/stored.h"
#include "layer.h"

namespace peephole::PEEPHOLE_ISA {

template <class P>
class Weights {
 public:
  using Operand = typename P::Operand;
  using Real = typename P::Real;
  using External = typename P::External;
  using V = Vector<Real>;
  static constexpr int LANE = BLOCK<P>;

  explicit Weights(const Layer& layer) : layer_(layer) {}

  // As the caller has it; null where the cell lacks it.
  const External* of(int which) const { return static_cast<const External*>(layer_.weights[which]); }

  // One member's part of the packing that was asked for below, before the first step.
  void pack(int member, int members) const {
    for (const auto& job : jobs_) job(member, members);
  }

  // Room for a packed matrix, filled by the team before the first step. Column block j * gates + i holds rows
  // `gates[i]` * H + unit block j of the weight, from column `first_column` on, K = size.
  Packed<P> pack_forward(Allocator& room, int which, std::vector<int> gates, long rows_per_gate, long row_stride,
                         long first_column, long size) {
    if constexpr (std::is_same_v<P, Stored>) {
      const MatrixPart part{of(which), std::move(gates), rows_per_gate, row_stride, first_column, size};
      return take_matrix(*layer_.shelf, room, part, layer_.batch, layer_.threads);
    } else {
      Operand* to = nullptr;
      const long stride = packed_stride<P>(size);
      const int per_unit = int(gates.size()), blocks = blocks_of<P>(rows_per_gate);
      room(to, size_t(stride) * per_unit * blocks);
      if (to) {
        jobs_.push_back([=, this](int member, int members) {
          const long all = long(per_unit) * blocks;
          for (long j = all * member / members; j < all * (member + 1) / members; j++) {
            const int block = int(j / per_unit), gate = gates[j % per_unit];
            pack_transposed<P>(to + j * stride,
                               of(which) + (gate * rows_per_gate + long(block) * LANE) * row_stride + first_column,
                               row_stride, lanes_of<P>(rows_per_gate, block), size);
          }
        });
      }
      return {to, stride, size};
    }
  }

  // The transpose of that: column block j holds columns first_column + j * V … of the weight; k runs over the blocks of
  // units and, for each, over `gates`.
  Packed<P> pack_backward(Allocator& room, int which, std::vector<int> gates, long rows_per_gate, long row_stride,
                          long first_column, long columns) {
    Operand* to = nullptr;
    const int per_unit = int(gates.size()), row_blocks = blocks_of<P>(rows_per_gate);
    const long size = long(per_unit) * row_blocks * LANE, stride = packed_stride<P>(size);
    room(to, size_t(stride) * blocks_of<P>(columns));
    if (to) {
      jobs_.push_back([=, this](int member, int members) {
        const long rows = long(per_unit) * row_blocks;
        for (long r = rows * member / members; r < rows * (member + 1) / members; r++) {
          const int block = int(r / per_unit), gate = gates[r % per_unit];
          for (int j = 0; j < blocks_of<P>(columns); j++) {
            pack_rows<P>(to + j * stride + r * LANE * LANE,
                         of(which) + (gate * rows_per_gate + long(block) * LANE) * row_stride + first_column +
                             long(j) * LANE,
                         row_stride, lanes_of<P>(columns, j), lanes_of<P>(rows_per_gate, block));
          }
        }
      });
    }
    return {to, stride, size};
  }

  // A vector parameter of [count][H] as [count][units][V] Reals, zero beyond H; `more` is added where it is not null.
  void unpack_vector(Allocator& room, Real*& to, const External* from, std::vector<int> gates, long size,
                     const External* more = nullptr) {
    const int blocks = blocks_of<P>(size);
    room(to, gates.size() * blocks * LANE);
    if (!to) return;
    for (size_t i = 0; i < gates.size(); i++) {
      for (int block = 0; block < blocks; block++) {
        const long place = gates[i] * size + long(block) * LANE;
        V value = from ? load_external<Real>(from + place, lanes_of<P>(size, block)) : V{};
        if (more) value = value + load_external<Real>(more + place, lanes_of<P>(size, block));
        store(to + (long(i) * blocks + block) * LANE, value);
      }
    }
  }

 private:
  const Layer& layer_;
  std::vector<std::function<void(int, int)>> jobs_;
};

}  // namespace peephole::PEEPHOLE_ISA
