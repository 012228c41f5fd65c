// The walk back: step after step the phases of the cell, which leave the gradients of the pre-activations (dz); after a
// chunk of them, the gradients of the input and of the weights in large products.
#pragma once

#include "sequence.h"

namespace peephole::PEEPHOLE_ISA {

constexpr long ROWS_OF_BACKWARD_CHUNK = 384;

template <class P>
class BackwardSequence : public Sequence<P> {
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
    for (long start = 0; start < steps; start += this->chunk_steps_) {  // along the walk back
      const long end = std::min(start + this->chunk_steps_, steps);
      for (long m = start; m < end; m++) {
        const Step s = this->step_at(steps - 1 - m, m - start, share);
        for (const auto& phase : phases) {
          this->run_phase(cell, phase, s, m, share);
          this->meet(share, barrier);
        }
      }
      if (share.by_rows) barrier.wait();
      collect(start, end, share, barrier);
    }
    // The products that a next step would have begun with reach the initial states.
    Step last = this->step_at(0, 0, share);
    last.cut_after = this->cut_;
    for (size_t k = 0; k < this->states_.size(); k++) finish_state(phases, int(k), last, share);
    barrier.wait();
    export_gradients(share);
  }

 protected:
  // A buffer of operands for the steps of a chunk, and its copy in the order for outer products where that is another.
  // Two slots where phases fill it: a member walks on into the next chunk while others still sum up this one.
  struct ChunkBuffer {
    Operands<P> rows;
    Operand* steps = nullptr;
    int blocks = 0;
  };

  // One number of a parameter for each unit, summed over rows and steps, such as a diagonal peephole.
  struct RowSums {
    Real* rows = nullptr;  // [units][B][V]
    int weight;
    int gate;              // its block of H in the parameter
  };

  // A gradient by outer products. `left` are blocks of dz (or of another buffer), rows of the weight as `gates` says.
  struct Gradient {
    const ChunkBuffer* left;
    std::vector<int> left_blocks;
    const ChunkBuffer* right;
    int weight;
    std::vector<int> gates;  // of each left block within a unit block
    long rows_per_gate;
    long first_column, columns, row_stride;
    Real* sums = nullptr;
  };

  int dz_slots_ = 0;
  std::vector<int> input_dz_;      // slots that weight_ih's gates have, in the order of its gates
  std::vector<int> recurrent_dz_;  // slots that weight_hh's gates have; empty without one
  ChunkBuffer dz_, x_;
  std::vector<ChunkBuffer> seen_;  // h as the recurrent product saw it; one a tap
  std::vector<Gradient> gradients_;
  std::vector<RowSums> row_sums_;
  Real* bias_sums_ = nullptr;      // [blocks of dz][V]
  Packed<P> input_weights_;
  std::vector<long> dz_input_offsets_;
  std::vector<int> input_columns_;
  Real* dx_ = nullptr;             // [blocks][rows of a chunk][V]
  const bool plain_ = this->undisturbed();

  // What the steps fill needs two slots: one member may begin the next chunk while another still collects the last.
  ChunkBuffer buffer(Allocator& room, int blocks, int slots) {
    ChunkBuffer made;
    const long rows = (this->chunk_rows_ + 1) / 2 * 2;
    made.blocks = blocks;
    made.rows.block_stride = rows * LANE;
    made.rows.step_size = this->batch_ * LANE;
    made.rows.steps = this->chunk_steps_;
    made.rows.slots = slots;
    made.rows.slot_size = blocks * rows * LANE;
    room(made.rows.data, size_t(made.rows.slot_size) * slots);
    if constexpr (PAIR<P> == 2) room(made.steps, size_t(made.rows.slot_size));
    return made;
  }

  void plan_backward(Allocator& room) {
    const Layer& layer = this->layer_;
    this->chunk_steps_ = std::clamp<long>(ROWS_OF_BACKWARD_CHUNK / std::max<long>(this->batch_, 1), 1, layer.steps);
    this->chunk_rows_ = this->chunk_steps_ * this->batch_;
    this->allocate_common(room);
    for (auto& state : this->states_) {
      room(state.direct, size_t(state.blocks) * this->batch_ * LANE);
      if (state.is_operand) room(state.through_product, size_t(state.blocks) * this->batch_ * LANE);
    }
    dz_ = buffer(room, this->units_ * dz_slots_, 2);
    room(bias_sums_, size_t(dz_.blocks) * LANE);
    gradients_.clear();
    row_sums_.clear();
    if (layer.dx) {
      const int blocks = Base::blocks_of(layer.input);
      room(dx_, size_t(blocks) * this->chunk_rows_ * LANE);
      input_weights_ = this->weights_.pack_backward(room, IH, this->gate_of_input_, this->hidden_, layer.input, 0, layer.input);
      dz_input_offsets_ =
          Base::offsets(Base::slots_of(this->units_, input_dz_, dz_slots_), dz_.rows.block_stride);
      input_columns_ = Base::counted(blocks);
    }
    if (layer.x && layer.dweights[IH]) {
      x_ = buffer(room, Base::blocks_of(layer.input), 1);
      add_gradient(room, &dz_, input_dz_, dz_slots_, &x_, IH, this->gate_of_input_, 0, layer.input, layer.input);
    }
    if (!recurrent_dz_.empty() && layer.dweights[HH]) {
      const int taps = this->cell_.taps;
      seen_.resize(taps);
      for (int tap = 0; tap < taps; tap++) {
        seen_[tap] = buffer(room, this->output_units_, 1);
        add_recurrent(room, tap);
      }
    }
  }

  // dW_hh; a cell whose gates see something else than h adds its own.
  virtual void add_recurrent(Allocator& room, int tap) {
    add_gradient(room, &dz_, recurrent_dz_, dz_slots_, &seen_[tap], HH, Base::counted(int(recurrent_dz_.size())),
                 tap * this->output_, this->output_, this->output_ * this->cell_.taps);
  }

  void add_gradient(Allocator& room, const ChunkBuffer* left, std::vector<int> slots, int slots_per_unit,
                    const ChunkBuffer* right, int weight, std::vector<int> gates, long first_column, long columns,
                    long row_stride, long rows_per_gate = 0) {
    Gradient made;
    made.left = left;
    made.left_blocks = Base::slots_of(left->blocks / slots_per_unit, slots, slots_per_unit);
    made.right = right;
    made.weight = weight;
    made.gates = gates;
    made.rows_per_gate = rows_per_gate ? rows_per_gate : this->hidden_;
    made.first_column = first_column;
    made.columns = columns;
    made.row_stride = row_stride;
    room(made.sums, made.left_blocks.size() * LANE * size_t(right->blocks) * LANE);
    gradients_.push_back(made);
  }

  int add_row_sums(Allocator& room, int weight, int gate) {
    RowSums made;
    made.weight = weight;
    made.gate = gate;
    room(made.rows, size_t(this->units_) * this->batch_ * LANE);
    row_sums_.push_back(made);
    return int(row_sums_.size()) - 1;
  }

  PEEPHOLE_INLINE void add_to_sum(int which, int block, long row, V value) {
    Real* place = row_sums_[which].rows + this->at(block, row);
    store(place, load(place) + value);
  }

  // Where step s leaves the gradient of pre-activation `slot`.
  PEEPHOLE_INLINE Operand* dz(const Step& s, int block, int slot, long row) const {
    const long m = this->layer_.steps - 1 - s.n;
    return dz_.rows.at(m) + (block * dz_slots_ + slot) * dz_.rows.block_stride + row * LANE;
  }

  PEEPHOLE_INLINE void put_dz(const Step& s, int block, int slot, long row, V value) {
    store_operand<P>(dz(s, block, slot, row), value);
    if (slot < this->gates_) this->show_gate(this->layer_.dz, s, slot, block, row, value);
  }

  // dz of the step after times the transposed weights: what reaches state k through a product.
  Product<P> back_through(const Packed<P>& weights, std::vector<int> slots, int shift, Real* target, int target_blocks) {
    Product<P> product;
    product.operands = &dz_.rows;
    product.shift = shift;
    product.blocks = Base::offsets(Base::slots_of(this->units_, slots, dz_slots_), dz_.rows.block_stride);
    product.weights = weights;
    product.columns = Base::counted(target_blocks);
    product.columns_per_unit = 1;
    product.target = {target, this->batch_ * LANE};
    product.by_chunk = false;
    product.fresh = true;
    return product;
  }

  // Where the rows of one unit block lie in an undisturbed step, found once for all of them; a row is V numbers on.
  struct BackRows {
    const Real* saved;
    const External* dy;  // rows are dy_row apart
    Operand* dz;
    long saved_slot, dy_row, dz_slot;
    int lanes;
  };

  PEEPHOLE_INLINE BackRows back_rows_of(const Step& s, int block) const {
    BackRows rows;
    rows.saved = this->saved(s.n, block, 0, 0);
    rows.saved_slot = this->batch_ * LANE;
    rows.dy = this->external(this->layer_.dy, s.t, 0, block, this->states_[0].size);
    rows.dy_row = this->states_[0].size;
    rows.dz = dz(s, block, 0, 0);
    rows.dz_slot = dz_.rows.block_stride;
    rows.lanes = Base::lanes_of(this->states_[0].size, block);
    return rows;
  }

  PEEPHOLE_INLINE bool dead(const Step& s, long row) const { return s.alive && !s.alive[row]; }

  // Where step s leaves a vector in a buffer of the chunk.
  PEEPHOLE_INLINE Operand* in_chunk(const ChunkBuffer& buffer, const Step& s, int block, long row) const {
    return buffer.rows.at(this->layer_.steps - 1 - s.n) + block * buffer.rows.block_stride + row * LANE;
  }

  PEEPHOLE_INLINE V saved_vector(const Step& s, int slot, int block, long row) const {
    return load(this->saved(s.n, block, slot, row));
  }

  // --- layer norm ---

  Real* normal_ = nullptr;  // gradients of the normalised pre-activations, [units * gates][B][V]
  std::vector<int> scale_sums_, shift_sums_;

  void plan_normal(Allocator& room) {
    if (!this->cell_.layer_norm) return;
    room(normal_, size_t(this->units_) * this->gates_ * this->batch_ * LANE);
    scale_sums_.clear();
    shift_sums_.clear();
    for (int gate = 0; gate < this->gates_; gate++) {
      scale_sums_.push_back(add_row_sums(room, LN, gate));
      shift_sums_.push_back(add_row_sums(room, BIAS_LN, gate));
    }
  }

  PEEPHOLE_INLINE Real* normal(int gate, int block, long row) const {
    return normal_ + (long(block * this->gates_ + gate) * this->batch_ + row) * LANE;
  }

  // From the gradient of a scaled and shifted pre-activation: its parameters', and what the row has to know.
  PEEPHOLE_INLINE void enter_normal(const Step& s, int gate, int block, long row, V dz) {
    const V value = saved_vector(s, this->normal_saved_ + gate, block, row);
    add_to_sum(scale_sums_[gate], block, row, dz * value);
    add_to_sum(shift_sums_[gate], block, row, dz);
    const V scaled = dz * this->parameter(this->scale_, gate, block);
    store(normal(gate, block, row), scaled);
    this->moments_.note_sums(gate, block, row, scaled, scaled * value);
  }

  // The gradient of the pre-activation before it was normalised.
  PEEPHOLE_INLINE V leave_normal(const Step& s, int gate, int block, long row) const {
    const Real* sums = this->moments_.whole(s.member, gate, row);
    const V value = saved_vector(s, this->normal_saved_ + gate, block, row);
    const Real deviation = this->saved_row(s.n, row)[gate];
    return (load(normal(gate, block, row)) - sums[0] / this->hidden_ - value * (sums[1] / this->hidden_)) * deviation;
  }



 private:
  std::pair<int, int> blocks_in(const typename Base::State& state, const Share2D& share) const {
    if (state.size == this->hidden_) return {share.first_unit, share.last_unit};
    return {share.first_output, share.last_output};
  }

  void begin(const Share2D& share) {
    for (size_t k = 0; k < this->states_.size(); k++) {
      auto& state = this->states_[k];
      const auto [first, last] = blocks_in(state, share);
      for (int block = first; block < last; block++) {
        for (long row = share.first_row; row < share.last_row; row++) {
          const Real* from = static_cast<const Real*>(this->layer_.dfinals[k]) + row * state.size + long(block) * LANE;
          store(state.direct + this->at(block, row), load_external<Real>(from, Base::lanes_of(state.size, block)));
          if (state.is_operand) store(state.through_product + this->at(block, row), V{});
        }
      }
    }
    for (auto& sums : row_sums_) {
      for (int block = share.first_unit; block < share.last_unit; block++) {
        for (long row = share.first_row; row < share.last_row; row++) store(sums.rows + this->at(block, row), V{});
      }
    }
    for (auto& gradient : gradients_) {
      const auto [first, last] = part(gradient.left_blocks.size(), share);
      const long width = long(gradient.right->blocks) * LANE * LANE;
      std::memset(gradient.sums + first * width, 0, sizeof(Real) * (last - first) * width);
    }
    const auto [first, last] = part(dz_.blocks, share);
    std::memset(bias_sums_ + first * LANE, 0, sizeof(Real) * (last - first) * LANE);
  }

  static std::pair<int, int> part(long count, const Share2D& share) {
    return {int(count * share.member / share.members), int(count * (share.member + 1) / share.members)};
  }

  template <class Cell>
  void finish_state(const Phases<Cell>& phases, int k, const Step& last, const Share2D& share) {
    auto& state = this->states_[k];
    const auto [first, last_block] = blocks_in(state, share);
    if (state.is_operand) {
      for (const auto& phase : phases) {
        for (const auto& product : phase.products) {
          if (product.shift == 0 || product.target.data != state.through_product) continue;
          Blocked<Real> target = product.target;
          target.data += share.first_row * LANE;
          multiply<P>(product.operands->at(this->layer_.steps - 1) + share.first_row * LANE, LANE, product.blocks.data(),
                      share.last_row - share.first_row, product.weights, product.columns.data(), first, last_block,
                      target, product.fresh ? this->zeros_ : nullptr, last_block);
        }
      }
    }
    Real* to = static_cast<Real*>(this->layer_.dstates[k]);
    for (int block = first; block < last_block; block++) {
      for (long row = share.first_row; row < share.last_row; row++) {
        store_external<Real>(to + row * state.size + long(block) * LANE, this->carried(last, k, block, row),
                             Base::lanes_of(state.size, block));
      }
    }
  }

  // --- after a chunk ---

  void collect(long start, long end, const Share2D& share, Barrier& barrier) {
    const long rows = (end - start) * this->batch_, first_step = this->layer_.steps - 1 - start;
    const long first_row = rows * share.member / share.members, last_row = rows * (share.member + 1) / share.members;
    if (x_.rows.data) this->pack_input(x_.rows.data, rows_in(x_), first_step, first_row, last_row, true, this->batch_, 0);
    for (size_t tap = 0; tap < seen_.size(); tap++) pack_seen(int(tap), first_step, first_row, last_row);
    if constexpr (PAIR<P> == 2) {
      barrier.wait();
      for (ChunkBuffer* buffer : buffers()) {
        const auto [first, last] = part(buffer->blocks, share);
        for (int block = first; block < last; block++) {
          const long offset = block * buffer->rows.block_stride;
          interleave<P>(buffer->steps + offset, buffer->rows.at(start) + offset, rows);
        }
      }
    }
    if (this->layer_.dx) input_gradient(start, first_step, first_row, last_row);
    if (this->layer_.dtable) table_gradient(start, end, share);
    sum_biases(start, rows, share);
    barrier.wait();
    for (auto& gradient : gradients_) {
      if (!this->layer_.dweights[gradient.weight]) continue;
      const auto [first, last] = part(gradient.left_blocks.size(), share);
      add_outer<P>(in_steps(*gradient.left, start), gradient.left->rows.block_stride, gradient.left_blocks.data(), first,
                   last, in_steps(*gradient.right, start), gradient.right->rows.block_stride, gradient.right->blocks,
                   (rows + PAIR<P> - 1) / PAIR<P>, gradient.sums, long(gradient.right->blocks) * LANE);
    }
  }

  static long rows_in(const ChunkBuffer& buffer) { return buffer.rows.block_stride / LANE; }

  static const Operand* in_steps(const ChunkBuffer& buffer, long start) {
    return PAIR<P> == 2 ? buffer.steps : buffer.rows.at(start);
  }

  std::vector<ChunkBuffer*> buffers() {
    std::vector<ChunkBuffer*> all;
    for (auto& gradient : gradients_) {
      for (const ChunkBuffer* one : {gradient.left, gradient.right}) {
        auto* buffer = const_cast<ChunkBuffer*>(one);
        if (std::find(all.begin(), all.end(), buffer) == all.end()) all.push_back(buffer);
      }
    }
    return all;
  }

  // h of tap `tap` as step n of the walk saw it, for rows of a chunk that begins with step `first_step` and goes back.
  void pack_seen(int tap, long first_step, long first_row, long last_row) {
    const ChunkBuffer& to = seen_[tap];
    const long size = this->output_;
    for (long i = first_row; i < last_row; i++) {
      const long n = first_step - i / this->batch_, row = i % this->batch_;
      if (plain_ && tap == 0 && n > 0) {  // all rows of the step at once
        const long rows = std::min(last_row - i, this->batch_ - row);
        const External* from = this->external(this->layer_.y, this->time_of(n - 1), row, 0, size);
        for (int block = 0; block < to.blocks; block++) {
          this->copy_rows(to.rows.data + block * to.rows.block_stride + i * LANE, from + long(block) * LANE, size, rows,
                          Base::lanes_of(size, block));
        }
        i += rows - 1;
        continue;
      }
      const Real* initial = nullptr;
      const External* before = find_seen(tap, n, row, initial);
      for (int block = 0; block < to.blocks; block++) {
        const int lanes = Base::lanes_of(size, block);
        V value{};
        if (initial) value = load_external<Real>(initial + long(block) * LANE, lanes);
        if (before) value = load_external<Real>(before + long(block) * LANE, lanes);
        if (this->mask_) value = value * load(this->mask_ + this->at(block, row));
        store_operand<P>(to.rows.data + block * to.rows.block_stride + i * LANE, value);
      }
    }
  }

  // The row of y, or of an initial state, that tap `tap` showed step n; neither where a border cut it off.
  const External* find_seen(int tap, long n, long row, const Real*& initial) const {
    const Layer& layer = this->layer_;
    const long length = layer.lengths ? std::min<long>(layer.lengths[row], layer.steps) : layer.steps;
    const long first = layer.reverse ? layer.steps - length : 0;  // the first step at which the row is alive
    if (this->alive_ && !this->alive_[n * this->batch_ + row]) return nullptr;  // dz is zero there
    for (long back = 0; back <= tap; back++) {
      const long at = n - back;
      if (this->cut_ && this->cut_[at * this->batch_ + row]) return nullptr;
      if (at == first) {
        initial = static_cast<const Real*>(layer.states[tap - back]) + row * this->output_;
        return nullptr;
      }
    }
    return this->external(layer.y, this->time_of(n - 1 - tap), row, 0, this->output_);
  }

  void input_gradient(long start, long first_step, long first_row, long last_row) {
    const long size = this->layer_.input;
    multiply<P>(dz_.rows.at(start) + first_row * LANE, LANE, dz_input_offsets_.data(), last_row - first_row,
                input_weights_, input_columns_.data(), 0, int(input_columns_.size()),
                {dx_ + first_row * LANE, this->chunk_rows_ * LANE}, this->zeros_, 0);
    for (long i = first_row; i < last_row;) {  // the rows of one step
      const long n = first_step - i / this->batch_, row = i % this->batch_;
      const long rows = std::min(last_row - i, this->batch_ - row);
      for (int block = 0; block < int(input_columns_.size()); block++) {
        External* to = this->external(this->layer_.dx, this->time_of(n), row, block, size);
        const Real* from = dx_ + (block * this->chunk_rows_ + i) * LANE;
        const int lanes = Base::lanes_of(size, block);
        for (long k = 0; k < rows; k++) store_external<Real>(to + k * size, load(from + k * LANE), lanes);
      }
      i += rows;
    }
  }

  // Rows of the table by symbol; units are split, so that the order of the sums is that of the walk.
  void table_gradient(long start, long end, const Share2D& share) {
    const long width = long(this->gates_) * this->hidden_;
    const auto [first, last] = part(this->units_, share);
    Real* table = static_cast<Real*>(this->layer_.dtable);
    for (long m = start; m < end; m++) {
      const Step s = this->step_at(this->layer_.steps - 1 - m, m - start, share);
      for (long row = 0; row < this->batch_; row++) {
        if (s.alive && !s.alive[row]) continue;
        Real* to = table + this->layer_.symbols[s.t * this->batch_ + row] * width;
        for (int block = first; block < last; block++) {
          const int lanes = Base::lanes_of(this->hidden_, block);
          for (size_t i = 0; i < input_dz_.size(); i++) {
            Real* place = to + this->gate_of_input_[i] * this->hidden_ + long(block) * LANE;
            const V value = load_operand<P>(dz(s, block, input_dz_[i], row));
            store_external<Real>(place, load_external<Real>(place, lanes) + value, lanes);
          }
        }
      }
    }
  }

  void sum_biases(long start, long rows, const Share2D& share) {
    if (!this->layer_.dweights[BIAS_IH]) return;
    const auto [first, last] = part(dz_.blocks, share);
    for (int block = first; block < last; block++) {
      const Operand* from = dz_.rows.at(start) + block * dz_.rows.block_stride;
      V parts[4] = {};  // a long sum loses less in parts
      for (long i = 0; i < rows; i++) parts[i % 4] = parts[i % 4] + load_operand<P>(from + i * LANE);
      const V total = (parts[0] + parts[1]) + (parts[2] + parts[3]);
      store(bias_sums_ + block * LANE, load(bias_sums_ + block * LANE) + total);
    }
  }

  // --- at the end ---

  void export_gradients(const Share2D& share) {
    for (const auto& gradient : gradients_) {
      const auto [first, last] = part(gradient.left_blocks.size(), share);
      const long width = long(gradient.right->blocks) * LANE;
      const int per_unit = int(gradient.gates.size());
      Real* to = static_cast<Real*>(this->layer_.dweights[gradient.weight]);
      if (!to) continue;
      for (int block = first; block < last; block++) {
        const int unit = block / per_unit, gate = gradient.gates[block % per_unit];
        const int lanes = Base::lanes_of(gradient.rows_per_gate, unit);
        for (int lane = 0; lane < lanes; lane++) {
          const Real* from = gradient.sums + (long(block) * LANE + lane) * width;
          Real* row = to + (gate * gradient.rows_per_gate + long(unit) * LANE + lane) * gradient.row_stride +
                      gradient.first_column;
          for (long column = 0; column < gradient.columns; column++) row[column] += from[column];
        }
      }
    }
    if (share.member) return;
    export_bias(BIAS_IH, input_dz_, this->gate_of_input_);
    export_bias(BIAS_HH, recurrent_dz_, Base::counted(int(recurrent_dz_.size())));
    for (const auto& sums : row_sums_) {
      if (!this->layer_.dweights[sums.weight]) continue;
      Real* to = static_cast<Real*>(this->layer_.dweights[sums.weight]) + sums.gate * this->hidden_;
      for (int block = 0; block < this->units_; block++) {
        V total{};
        for (long row = 0; row < this->batch_; row++) total = total + load(sums.rows + this->at(block, row));
        add_to(to + long(block) * LANE, total, Base::lanes_of(this->hidden_, block));
      }
    }
  }

  void export_bias(int which, const std::vector<int>& slots, const std::vector<int>& gates) {
    Real* to = static_cast<Real*>(this->layer_.dweights[which]);
    if (!to) return;
    for (size_t i = 0; i < slots.size(); i++) {
      for (int block = 0; block < this->units_; block++) {
        add_to(to + gates[i] * this->hidden_ + long(block) * LANE,
               load(bias_sums_ + (long(block) * dz_slots_ + slots[i]) * LANE), Base::lanes_of(this->hidden_, block));
      }
    }
  }

  static void add_to(Real* to, V value, int lanes) {
    store_external<Real>(to, load_external<Real>(to, lanes) + value, lanes);
  }
};

}  // namespace peephole::PEEPHOLE_ISA
