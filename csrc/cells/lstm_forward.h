// The LSTM's step; equations and what is saved stand in lstm.h.
#pragma once

#include "../forward.h"
#include "lstm.h"

namespace peephole::PEEPHOLE_ISA {

template <class P>
class LstmForward : public ForwardSequence<P> {
 public:
  using Base = ForwardSequence<P>;
  using Self = LstmForward<P>;
  using typename Base::Operand;
  using typename Base::Real;
  using typename Base::V;
  using Phase = typename Base::template Phase<Self>;

  explicit LstmForward(const Layer& layer) : Base(layer), shape_(layer.cell) {
    this->gates_ = this->slots_ = shape_.gates;
    this->input_slots_ = this->gate_of_input_ = Base::counted(shape_.gates);
    this->normal_saved_ = shape_.gates + 1;
    this->saved_slots_ = this->normal_saved_ + (layer.cell.layer_norm ? shape_.gates : 0);
    this->saved_rows_ = this->normalised_ = layer.cell.layer_norm ? shape_.gates : 0;
    this->add_state(this->output_, true, true);
    this->add_state(this->hidden_, shape_.full, false);
    if (layer.cell.gate_recurrence) {
      for (size_t k = 0; k < shape_.sigmoid_slots.size(); k++) this->add_state(this->hidden_, true, false);
    }
  }

  std::vector<Phase> plan(Allocator& room) {
    this->plan_forward(room);
    const bool norm = this->cell_.layer_norm;
    if (shape_.diagonal) {
      this->weights_.unpack_vector(room, peephole_, this->weights_.of(CH), Base::counted(shape_.peepholes), this->hidden_);
    }
    std::vector<Phase> phases;
    Phase gates;
    const bool plain = shape_.plain && this->undisturbed() && !this->layer_.projection;
    gates.point = plain && shape_.diagonal ? &Self::template plain_step<true>
                  : plain                  ? &Self::template plain_step<false>
                  : norm                   ? &Self::gather
                                           : (shape_.output_sees_cell && shape_.full ? &Self::cell_only : &Self::cell_and_output);
    gates.products = first_products(room);
    phases.push_back(gates);
    if (norm) {
      Phase cell;
      cell.before = &Self::find_early;
      cell.point = shape_.output_sees_cell ? &Self::normalised_cell : &Self::normalised_cell_and_output;
      phases.push_back(cell);
    }
    if (shape_.output_sees_cell && (shape_.full || norm)) {
      Phase output;
      if (shape_.full) {
        now_ = this->step_buffer(room, this->hidden_);
        output.products.push_back(this->onto_slots(
            now_, this->weights_.pack_forward(room, CH, {shape_.peephole[3]}, this->hidden_, this->hidden_, 0, this->hidden_),
            {shape_.slot[3]}));
      }
      output.point = norm ? &Self::gather_output : &Self::output_only;
      if (shape_.full || !norm) phases.push_back(output);
      if (norm) {
        Phase last;
        last.before = &Self::find_output;
        last.point = &Self::normalised_output;
        phases.push_back(last);
      }
    }
    if (this->layer_.projection) {
      shown_ = this->step_buffer(room, this->hidden_);
      room(projected_, size_t(this->output_units_) * this->batch_ * this->LANE);
      Phase projection;
      projection.output_units = true;
      Product<P> product = this->onto_slots(
          shown_, this->weights_.pack_forward(room, HR, {0}, this->output_, this->hidden_, 0, this->hidden_), {0});
      product.columns = Base::counted(this->output_units_);
      product.target = {projected_, this->batch_ * this->LANE};
      product.by_chunk = false;
      product.fresh = true;
      projection.products.push_back(product);
      projection.point = &Self::project;
      phases.push_back(projection);
    }
    return phases;
  }

 private:
  LstmShape shape_;
  Real* peephole_ = nullptr;   // [peepholes][units][V]
  Operands<P> now_;            // c_t, for a full peephole of the output gate
  Operands<P> shown_;          // o ∘ tanh(c_t), for the projection
  Real* projected_ = nullptr;

  std::vector<Product<P>> first_products(Allocator& room) {
    std::vector<Product<P>> products;
    const auto all = Base::counted(shape_.gates);
    products.push_back(this->onto_slots(
        this->states_[HIDDEN].entering,
        this->weights_.pack_forward(room, HH, all, this->hidden_, this->output_, 0, this->output_), all));
    if (shape_.full && !shape_.early_slots().empty()) {
      products.push_back(this->onto_slots(this->states_[CELL].entering,
                                            this->weights_.pack_forward(room, CH, shape_.early_peepholes(), this->hidden_,
                                                               this->hidden_, 0, this->hidden_),
                                            shape_.early_slots()));
    }
    if (this->cell_.gate_recurrence) {
      const int count = int(shape_.sigmoid_slots.size());
      for (int k = 0; k < count; k++) {
        products.push_back(this->onto_slots(
            this->states_[FED_BACK + k].entering,
            this->weights_.pack_forward(room, GH, Base::counted(count), this->hidden_, this->hidden_ * count, k * this->hidden_,
                               this->hidden_),
            shape_.sigmoid_slots));
      }
    }
    return products;
  }

  PEEPHOLE_INLINE V peephole(int gate, int block) const { return this->parameter(peephole_, shape_.peephole[gate], block); }

  // The pre-activation of a gate; `cell` is what its diagonal peephole sees.
  PEEPHOLE_INLINE V seeing(const Step& s, int gate, int block, long row, V cell) const {
    V z = load(this->z(s, block, shape_.slot[gate], row));
    if (shape_.diagonal && shape_.peephole[gate] >= 0) z = z + peephole(gate, block) * cell;
    return z;
  }

  PEEPHOLE_INLINE void show(const Step& s, int gate, int block, long row, V z) const {
    this->show_gate(this->layer_.preactivations, s, shape_.slot[gate], block, row, z);
  }

  PEEPHOLE_INLINE void feed_back(const Step& s, int gate, int block, long row, V value) {
    if (!this->cell_.gate_recurrence) return;
    for (size_t k = 0; k < shape_.sigmoid_slots.size(); k++) {
      if (shape_.sigmoid_slots[k] == shape_.slot[gate]) this->commit(s, FED_BACK + int(k), block, row, value);
    }
  }

  // From the pre-activations of i, f, g the new cell state; c before it is committed.
  PEEPHOLE_INLINE V renew(const Step& s, int block, long row, V before, const V (&z)[4]) {
    const Switches& cell = this->cell_;
    V input = splat(Real(1)), forget = splat(Real(1));
    for (int gate = 0; gate < 3; gate++) {
      if (shape_.slot[gate] >= 0) show(s, gate, block, row, z[gate]);
    }
    if (shape_.slot[0] >= 0) {
      input = sigmoid<Real>(z[0]);
      this->keep(s, shape_.slot[0], block, row, input);
      feed_back(s, 0, block, row, input);
    }
    if (shape_.slot[1] >= 0) {
      forget = sigmoid<Real>(z[1]);
      this->keep(s, shape_.slot[1], block, row, forget);
      feed_back(s, 1, block, row, forget);
    } else if (cell.coupled) {
      forget = Real(1) - input;
    }
    const V candidate = cell.input_activation ? tanh<Real>(z[2]) : z[2];
    this->keep(s, shape_.slot[2], block, row, candidate);
    this->keep(s, shape_.gates, block, row, before);
    return forget * before + input * candidate;
  }

  PEEPHOLE_INLINE void finish(const Step& s, int block, long row, V cell, V z) {
    V shown = this->cell_.output_activation ? tanh<Real>(cell) : cell;
    if (shape_.slot[3] >= 0) {
      show(s, 3, block, row, z);
      const V output = sigmoid<Real>(z);
      this->keep(s, shape_.slot[3], block, row, output);
      feed_back(s, 3, block, row, output);
      shown = output * shown;
    }
    if (this->layer_.projection) {
      store_operand<P>(shown_.at(s.n) + this->at(block, row), shown);
    } else {
      this->commit(s, HIDDEN, block, row, shown);
    }
  }

  PEEPHOLE_INLINE V read_gates(const Step& s, int block, long row, V (&z)[4]) const {
    const V before = load(this->states_[CELL].value + this->at(block, row));
    for (int gate = 0; gate < 3; gate++) {
      if (shape_.slot[gate] >= 0) z[gate] = seeing(s, gate, block, row, before);
    }
    return before;
  }

  // What `cell_and_output` does, where nothing but diagonal peepholes is special.
  template <bool DIAGONAL>
  void plain_step(const Step& s, int block, long first, long last) {
    const auto at = this->rows_of(s, block);
    Real* cell_state = this->states_[CELL].value + this->at(block, 0);
    V of_input{}, of_forget{}, of_output{};
    if constexpr (DIAGONAL) {
      of_input = peephole(0, block);
      of_forget = peephole(1, block);
      of_output = peephole(3, block);
    }
    for (long row = first; row < last; row++) {
      const Real* z = at.z + row * this->LANE;
      const V before = load(cell_state + row * this->LANE);
      V zi = load(z), zf = load(z + at.z_slot), zo = load(z + 3 * at.z_slot);
      const V zg = load(z + 2 * at.z_slot);
      if constexpr (DIAGONAL) {
        zi = zi + of_input * before;
        zf = zf + of_forget * before;
      }
      const V input = sigmoid<Real>(zi), forget = sigmoid<Real>(zf), candidate = tanh<Real>(zg);
      const V cell = forget * before + input * candidate;
      if constexpr (DIAGONAL) zo = zo + of_output * cell;
      const V output = sigmoid<Real>(zo);
      store(cell_state + row * this->LANE, cell);
      this->put_hidden(at, row, output * tanh<Real>(cell));
      if (this->layer_.preactivations) {
        show(s, 0, block, row, zi);
        show(s, 1, block, row, zf);
        show(s, 2, block, row, zg);
        show(s, 3, block, row, zo);
      }
      if (!at.saved) continue;
      Real* saved = at.saved + row * this->LANE;
      store(saved, input);
      store(saved + at.saved_slot, forget);
      store(saved + 2 * at.saved_slot, candidate);
      store(saved + 3 * at.saved_slot, output);
      store(saved + 4 * at.saved_slot, before);
    }
  }

  void cell_and_output(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V z[4] = {};
      const V before = read_gates(s, block, row, z);
      const V cell = renew(s, block, row, before, z);
      this->commit(s, CELL, block, row, cell);
      if (shape_.slot[3] >= 0) z[3] = seeing(s, 3, block, row, cell);
      finish(s, block, row, cell, z[3]);
    }
  }

  // The output gate's full peephole waits for every unit's c_t; it stays in the place of the candidate's pre-activation.
  void cell_only(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V z[4] = {};
      const V before = read_gates(s, block, row, z);
      show_cell(s, block, row, renew(s, block, row, before, z));
    }
  }

  PEEPHOLE_INLINE void show_cell(const Step& s, int block, long row, V cell) {
    store_operand<P>(now_.at(s.n) + this->at(block, row), cell);
    store(this->z(s, block, shape_.slot[2], row), cell);
    this->commit(s, CELL, block, row, cell);
  }

  void output_only(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V cell = load(this->z(s, block, shape_.slot[2], row));
      finish(s, block, row, cell, load(this->z(s, block, shape_.slot[3], row)));
    }
  }

  void project(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) this->commit(s, HIDDEN, block, row, load(projected_ + this->at(block, row)));
  }

  // --- with layer norm ---

  void gather(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V z[4] = {};
      read_gates(s, block, row, z);
      for (int gate = 0; gate < 3; gate++) {
        if (shape_.slot[gate] >= 0) gathered(s, gate, block, row, z[gate]);
      }
      if (shape_.slot[3] >= 0 && !shape_.output_sees_cell) {
        gathered(s, 3, block, row, load(this->z(s, block, shape_.slot[3], row)));
      }
    }
  }

  PEEPHOLE_INLINE void gathered(const Step& s, int gate, int block, long row, V z) {
    this->gather_normal(s, shape_.slot[gate], shape_.slot[gate], block, row, z);
  }

  void find_early(const Step& s, long first, long last) { find(s, first, last, 0, shape_.output_sees_cell ? 3 : 4); }
  void find_output(const Step& s, long first, long last) { find(s, first, last, 3, 4); }

  void find(const Step& s, long first, long last, int from, int to) {
    for (long row = first; row < last; row++) {
      for (int gate = from; gate < to; gate++) {
        if (shape_.slot[gate] >= 0) this->find_spread(s, shape_.slot[gate], row);
      }
    }
  }

  PEEPHOLE_INLINE V normalised(const Step& s, int gate, int block, long row) {
    const int slot = shape_.slot[gate];
    return this->normalise(s, slot, block, row, load(this->z(s, block, slot, row)));
  }

  PEEPHOLE_INLINE V renew_normalised(const Step& s, int block, long row) {
    V z[4] = {};
    for (int gate = 0; gate < 3; gate++) {
      if (shape_.slot[gate] >= 0) z[gate] = normalised(s, gate, block, row);
    }
    return renew(s, block, row, load(this->states_[CELL].value + this->at(block, row)), z);
  }

  void normalised_cell_and_output(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V cell = renew_normalised(s, block, row);
      this->commit(s, CELL, block, row, cell);
      finish(s, block, row, cell, shape_.slot[3] >= 0 ? normalised(s, 3, block, row) : V{});
    }
  }

  void normalised_cell(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V cell = renew_normalised(s, block, row);
      if (shape_.full) {
        show_cell(s, block, row, cell);
      } else {
        store(this->z(s, block, shape_.slot[2], row), cell);
        gathered(s, 3, block, row, seeing(s, 3, block, row, cell));
        this->commit(s, CELL, block, row, cell);
      }
    }
  }

  void gather_output(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) gathered(s, 3, block, row, load(this->z(s, block, shape_.slot[3], row)));
  }

  void normalised_output(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      finish(s, block, row, load(this->z(s, block, shape_.slot[2], row)), normalised(s, 3, block, row));
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
