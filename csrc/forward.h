// The walk forward: chunks of input products, then step after step the phases of the cell.
#pragma once

#include "sequence.h"

namespace peephole::PEEPHOLE_ISA {

constexpr long ROWS_OF_FORWARD_CHUNK = 384;

template <class P>
class ForwardSequence : public Sequence<P> {
 public:
  using Base = Sequence<P>;
  using typename Base::External;
  using typename Base::Operand;
  using typename Base::Real;
  using typename Base::Share2D;
  using typename Base::V;
  static constexpr int LANE = Base::LANE;
  using Base::Base;

  template <class Cell>
  using Phases = std::vector<typename Base::template Phase<Cell>>;

  template <class Cell>
  void walk(Cell& cell, const Phases<Cell>& phases, const Share2D& share, Barrier& barrier) {
    this->weights_.pack(share.member, share.members);
    begin(share);
    barrier.wait();
    const long steps = this->layer_.steps;
    for (long start = 0, chunk = 0; start < steps; start += this->chunk_steps_, chunk++) {
      const long end = std::min(start + this->chunk_steps_, steps);
      feed(start, end, chunk, share, barrier);
      for (long n = start; n < end; n++) {
        const Step s = this->step_at(n, n - start, share);
        if (this->layer_.checkpoints && n % this->layer_.checkpoint_every == 0) checkpoint(n, share);
        for (const auto& phase : phases) {
          this->run_phase(cell, phase, s, n, share);
          this->meet(share, barrier);
        }
      }
    }
    for (size_t k = 0; k < this->states_.size(); k++) {
      export_state(int(k), static_cast<Real*>(this->layer_.finals[k]), share);
    }
  }

 protected:
  Operand* input_[2] = {};
  Packed<P> input_weights_;
  std::vector<long> input_offsets_;
  std::vector<int> input_columns_;

  // What every cell needs; called before the cell's own buffers are planned.
  void plan_forward(Allocator& room) {
    const Layer& layer = this->layer_;
    this->chunk_steps_ = std::clamp<long>(ROWS_OF_FORWARD_CHUNK / std::max<long>(this->batch_, 1), 1, layer.steps);
    this->chunk_rows_ = this->chunk_steps_ * this->batch_;
    this->allocate_common(room);
    for (auto& state : this->states_) {
      room(state.value, size_t(state.blocks) * this->batch_ * LANE);
      if (!state.is_operand) continue;
      state.entering.slots = 2;
      state.entering.slot_size = long(state.blocks) * this->batch_ * LANE;
      state.entering.block_stride = this->batch_ * LANE;
      room(state.entering.data, size_t(2) * state.entering.slot_size);
    }
    room(this->z_, size_t(this->units_) * this->slots_ * this->chunk_rows_ * LANE);
    const int per_unit = int(this->input_slots_.size());
    input_columns_ = Base::slots_of(this->units_, this->input_slots_, this->slots_);
    room(this->bias_, size_t(this->units_) * per_unit * LANE);
    fill_bias();
    room(this->other_bias_, this->only_bias_.size() * this->units_ * LANE);
    fill_other_bias();
    if (!layer.x) return;
    const int blocks = Base::blocks_of(layer.input);
    if (!layer.shelf) {
      for (auto& buffer : input_) room(buffer, size_t(blocks) * this->chunk_rows_ * LANE);
    }
    input_offsets_ = Base::offsets(Base::counted(blocks), this->chunk_rows_ * LANE);
    input_weights_ = this->weights_.pack_forward(room, IH, this->gate_of_input_, this->hidden_, layer.input, 0, layer.input);
  }

  // One step's operand, used within the step.
  Operands<P> step_buffer(Allocator& room, long size) {
    Operands<P> made;
    made.block_stride = this->batch_ * LANE;
    made.slot_size = Base::blocks_of(size) * made.block_stride;
    room(made.data, size_t(made.slot_size));
    return made;
  }

  // A product of a step's operand, added to the pre-activations in `slots`.
  Product<P> onto_slots(const Operands<P>& operands, const Packed<P>& weights, std::vector<int> slots) {
    Product<P> product;
    product.operands = &operands;
    product.shift = 0;
    product.blocks = Base::offsets(Base::counted(Base::blocks_of(weights.size)), operands.block_stride);
    product.weights = weights;
    product.columns = Base::slots_of(this->units_, slots, this->slots_);
    product.columns_per_unit = int(slots.size());
    product.target = {this->z_, this->chunk_rows_ * LANE};
    product.by_chunk = true;
    product.fresh = false;
    return product;
  }

  // Pre-activations of a step, as far as one symbol a row makes them.
  void look_up_step(const Step& s, const Share2D& share, const int64_t* symbols) {
    const int per_unit = int(this->input_slots_.size());
    const long width = long(this->gates_) * this->hidden_;
    const Real* table = static_cast<const Real*>(this->layer_.table);
    for (long row = share.first_row; row < share.last_row; row++) {
      const Real* from = table + symbols[row] * width;
      for (int block = share.first_unit; block < share.last_unit; block++) {
        const int lanes = Base::lanes_of(this->hidden_, block);
        for (int i = 0; i < per_unit; i++) {
          const V value = load_external<Real>(from + this->gate_of_input_[i] * this->hidden_ + long(block) * LANE, lanes);
          store(this->z(s, block, this->input_slots_[i], row),
                value + load(this->bias_ + (long(block) * per_unit + i) * LANE));
        }
      }
    }
  }

  // Those that x does not feed.
  void start_from_bias(const Step& s, const Share2D& share) {
    for (size_t i = 0; i < this->only_bias_.size(); i++) {
      for (int block = share.first_unit; block < share.last_unit; block++) {
        const V value = load(this->other_bias_ + (long(i) * this->units_ + block) * LANE);
        for (long row = share.first_row; row < share.last_row; row++) {
          store(this->z(s, block, this->only_bias_[i].first, row), value);
        }
      }
    }
  }

  std::pair<int, int> blocks_in(const typename Base::State& state, const Share2D& share) const {
    if (state.size == this->hidden_) return {share.first_unit, share.last_unit};
    return {share.first_output, share.last_output};
  }

  PEEPHOLE_INLINE void keep(const Step& s, int slot, int block, long row, V value) {
    if (this->layer_.saved) store(this->saved(s.n, block, slot, row), value);
  }

  // Mean and 1 / standard deviation of a row, which the backward wants to know.
  void find_spread(const Step& s, int which, long row) {
    const Real* found = this->moments_.find_spread(s.member, which, row);
    if (this->layer_.saved && s.first_units) this->saved_row(s.n, row)[which] = found[1];
  }

  // A pre-activation normalised over the units of its row, scaled and shifted.
  PEEPHOLE_INLINE V normalise(const Step& s, int gate, int block, long row, V z) {
    const Real* moment = this->moments_.whole(s.member, gate, row);
    const V normal = (z - moment[0]) * moment[1];
    keep(s, this->normal_saved_ + gate, block, row, normal);
    return normal * this->parameter(this->scale_, gate, block) + this->parameter(this->shift_, gate, block);
  }

  // A complete pre-activation that is to be normalised.
  PEEPHOLE_INLINE void gather_normal(const Step& s, int gate, int slot, int block, long row, V z) {
    store(this->z(s, block, slot, row), z);
    this->moments_.note_spread(gate, block, row, z);
  }

 private:
  // Biases of the pre-activations that x feeds, in the order of the product's columns.
  void fill_bias() {
    if (!this->bias_) return;
    const int per_unit = int(this->input_slots_.size());
    const auto* input = this->weights_.of(BIAS_IH);
    const auto* recurrent = this->weights_.of(BIAS_HH);
    for (int block = 0; block < this->units_; block++) {
      for (int i = 0; i < per_unit; i++) {
        const int gate = this->gate_of_input_[i], lanes = Base::lanes_of(this->hidden_, block);
        const long place = gate * this->hidden_ + long(block) * LANE;
        V value = input ? load_external<Real>(input + place, lanes) : V{};
        const bool apart = this->separate_bias_ && i + 1 == per_unit;
        if (recurrent && !apart) value = value + load_external<Real>(recurrent + place, lanes);
        store(this->bias_ + (long(block) * per_unit + i) * LANE, value);
      }
    }
  }

  void fill_other_bias() {
    if (!this->other_bias_) return;
    const auto* recurrent = this->weights_.of(BIAS_HH);
    for (size_t i = 0; i < this->only_bias_.size(); i++) {
      for (int block = 0; block < this->units_; block++) {
        const long place = this->only_bias_[i].second * this->hidden_ + long(block) * LANE;
        const V value = recurrent ? load_external<Real>(recurrent + place, Base::lanes_of(this->hidden_, block)) : V{};
        store(this->other_bias_ + (long(i) * this->units_ + block) * LANE, value);
      }
    }
  }

  // The states before the first step.
  void begin(const Share2D& share) {
    for (size_t k = 0; k < this->states_.size(); k++) {
      auto& state = this->states_[k];
      const auto [first, last] = blocks_in(state, share);
      for (int block = first; block < last; block++) {
        for (long row = share.first_row; row < share.last_row; row++) {
          const Real* from = static_cast<const Real*>(this->layer_.states[k]) + row * state.size + long(block) * LANE;
          V value = load_external<Real>(from, Base::lanes_of(state.size, block));
          if (this->cut_ && this->cut_[row]) value = V{};
          store(state.value + this->at(block, row), value);
          if (!state.is_operand) continue;
          if (state.masked && this->mask_) value = value * load(this->mask_ + this->at(block, row));
          store_operand<P>(state.entering.at(0) + this->at(block, row), value);
        }
      }
    }
  }

  void export_state(int k, Real* to, const Share2D& share) const {
    const auto& state = this->states_[k];
    const auto [first, last] = blocks_in(state, share);
    for (int block = first; block < last; block++) {
      for (long row = share.first_row; row < share.last_row; row++) {
        store_external<Real>(to + row * state.size + long(block) * LANE, load(state.value + this->at(block, row)),
                             Base::lanes_of(state.size, block));
      }
    }
  }

  void checkpoint(long n, const Share2D& share) const {
    long all = 0;
    for (const auto& state : this->states_) all += state.size;
    Real* to = static_cast<Real*>(this->layer_.checkpoints) + n / this->layer_.checkpoint_every * this->batch_ * all;
    for (size_t k = 0; k < this->states_.size(); k++) {
      export_state(int(k), to, share);
      to += this->batch_ * this->states_[k].size;
    }
  }

  // Pre-activations of a chunk as far as the input makes them.
  void feed(long start, long end, long chunk, const Share2D& share, Barrier& barrier) {
    const int per_unit = int(this->input_slots_.size());
    if (!this->layer_.x) {
      look_up(start, end, share);
    } else if (share.by_rows) {
      const long first = share.first_row * this->chunk_steps_, batch = share.last_row - share.first_row;
      const long rows = (end - start) * batch;
      this->pack_input(input_[0] + first * LANE, this->chunk_rows_, start, 0, rows, false, batch, share.first_row);
      multiply_input(input_[0], first, rows, 0, this->units_ * per_unit);
    } else {
      const long rows = (end - start) * this->batch_;
      Operand* input = input_[chunk % 2];
      this->pack_input(input, this->chunk_rows_, start, rows * share.member / share.members,
                       rows * (share.member + 1) / share.members, false, this->batch_, 0);
      barrier.wait();
      multiply_input(input, 0, rows, share.first_unit * per_unit, share.last_unit * per_unit);
    }
    for (long n = start; n < end; n++) start_from_bias(this->step_at(n, n - start, share), share);
  }

  void multiply_input(const Operand* input, long row, long rows, int first, int last) {
    multiply<P>(input + row * LANE, LANE, input_offsets_.data(), rows, input_weights_, input_columns_.data(), first, last,
                {this->z_ + row * LANE, this->chunk_rows_ * LANE}, this->bias_, last);
  }

  // Input products that were made beforehand, one row for each symbol.
  void look_up(long start, long end, const Share2D& share) {
    for (long n = start; n < end; n++) {
      const Step s = this->step_at(n, n - start, share);
      look_up_step(s, share, this->layer_.symbols + s.t * this->batch_);
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
