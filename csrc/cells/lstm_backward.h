// The LSTM's step back, phase by phase the reverse of lstm_forward.h.
#pragma once

#include "../backward.h"
#include "lstm.h"

namespace peephole::PEEPHOLE_ISA {

template <class P>
class LstmBackward : public BackwardSequence<P> {
 public:
  using Base = BackwardSequence<P>;
  using Self = LstmBackward<P>;
  using typename Base::Operand;
  using typename Base::Real;
  using typename Base::V;
  using Phase = typename Base::template Phase<Self>;
  using Buffer = typename Base::ChunkBuffer;

  explicit LstmBackward(const Layer& layer) : Base(layer), shape_(layer.cell) {
    this->gates_ = this->dz_slots_ = shape_.gates;
    this->gate_of_input_ = this->input_dz_ = this->recurrent_dz_ = Base::counted(shape_.gates);
    this->normal_saved_ = shape_.gates + 1;
    this->saved_slots_ = this->normal_saved_ + (layer.cell.layer_norm ? shape_.gates : 0);
    this->saved_rows_ = this->normalised_ = layer.cell.layer_norm ? shape_.gates : 0;
    this->add_state(this->output_, true, true);
    this->add_state(this->hidden_, shape_.full && !shape_.early_slots().empty(), false);
    if (layer.cell.gate_recurrence) {
      for (size_t k = 0; k < shape_.sigmoid_slots.size(); k++) this->add_state(this->hidden_, true, false);
    }
  }

  std::vector<Phase> plan(Allocator& room) {
    this->plan_backward(room);
    const bool norm = this->cell_.layer_norm, waits = shape_.output_sees_cell && shape_.full;
    const auto all = Base::counted(shape_.gates);
    if (shape_.diagonal) {
      this->weights_.unpack_vector(room, peephole_, this->weights_.of(CH), Base::counted(shape_.peepholes), this->hidden_);
      for (int k = 0; k < shape_.peepholes; k++) peephole_sums_[k] = this->add_row_sums(room, CH, k);
    }
    this->plan_normal(room);
    if (norm || waits) room(dcell_, size_t(this->units_) * this->batch_ * this->LANE);
    plan_full_peepholes(room);
    plan_fed_back_gates(room);

    Phase arrival;  // what reaches the states through products
    auto& hidden = this->states_[HIDDEN];
    arrival.products.push_back(
        this->back_through(this->weights_.pack_backward(room, HH, all, this->hidden_, this->output_, 0, this->output_), all, -1,
                           hidden.through_product, this->output_units_));
    std::vector<Product<P>> others;
    if (this->states_[CELL].is_operand) {
      others.push_back(this->back_through(
          this->weights_.pack_backward(room, CH, shape_.early_peepholes(), this->hidden_, this->hidden_, 0, this->hidden_),
          shape_.early_slots(), -1, this->states_[CELL].through_product, this->units_));
    }
    if (this->cell_.gate_recurrence) {
      const int count = int(shape_.sigmoid_slots.size());
      for (int k = 0; k < count; k++) {
        others.push_back(this->back_through(
            this->weights_.pack_backward(room, GH, Base::counted(count), this->hidden_, this->hidden_ * count, k * this->hidden_,
                                this->hidden_),
            shape_.sigmoid_slots, -1, this->states_[FED_BACK + k].through_product, this->units_));
      }
    }
    std::vector<Phase> phases;
    Phase output;
    if (this->layer_.projection) {
      plan_projection(room, arrival, output);
      phases.push_back(arrival);
    } else {
      output.products = arrival.products;
    }
    output.products.insert(output.products.end(), others.begin(), others.end());
    const bool plain = shape_.plain && this->undisturbed() && !this->layer_.projection;
    const bool norm_at_once = norm && !shape_.output_sees_cell;
    output.point = plain && shape_.diagonal ? &Self::template plain_step<true>
                   : plain                  ? &Self::template plain_step<false>
                   : norm_at_once           ? &Self::all_normal
                   : norm                   ? &Self::output_normal
                   : waits                  ? &Self::output_gate
                                            : &Self::output_and_gates;
    phases.push_back(output);
    if (norm_at_once) {
      Phase phase;
      phase.before = &Self::find_all;
      phase.point = &Self::all_unnormal;
      phases.push_back(phase);
      return phases;
    }
    if (norm) {
      Phase phase;
      phase.before = &Self::find_output;
      phase.point = &Self::output_unnormal;
      if (!waits) phase.point = &Self::output_unnormal_and_gates;
      phases.push_back(phase);
    }
    if (waits) {
      Phase phase;
      auto product = this->back_through(
          this->weights_.pack_backward(room, CH, {shape_.peephole[3]}, this->hidden_, this->hidden_, 0, this->hidden_),
          {shape_.slot[3]}, 0, dcell_, this->units_);
      product.fresh = false;
      phase.products.push_back(product);
      phase.point = norm ? &Self::gates_normal : &Self::gates_only;
      phases.push_back(phase);
    }
    if (norm) {
      Phase phase;
      phase.before = &Self::find_early;
      phase.point = &Self::gates_unnormal;
      phases.push_back(phase);
    }
    return phases;
  }

 private:
  LstmShape shape_;
  Real* peephole_ = nullptr;
  int peephole_sums_[4];
  Real* dcell_ = nullptr;      // gradient of c_t, [units][B][V]
  Buffer before_, now_, shown_, dhidden_, fed_back_[3];
  Real* dshown_ = nullptr;     // gradient of o ∘ tanh(c_t) with a projection

  void plan_full_peepholes(Allocator& room) {
    if (!shape_.full || !this->layer_.dweights[CH]) return;
    if (!shape_.early_slots().empty()) {
      before_ = this->buffer(room, this->units_, 2);
      this->add_gradient(room, &this->dz_, shape_.early_slots(), shape_.gates, &before_, CH, shape_.early_peepholes(), 0,
                         this->hidden_, this->hidden_);
    }
    if (shape_.output_sees_cell) {
      now_ = this->buffer(room, this->units_, 2);
      this->add_gradient(room, &this->dz_, {shape_.slot[3]}, shape_.gates, &now_, CH, {shape_.peephole[3]}, 0,
                         this->hidden_, this->hidden_);
    }
  }

  void plan_fed_back_gates(Allocator& room) {
    if (!this->cell_.gate_recurrence) return;
    const int count = int(shape_.sigmoid_slots.size());
    for (int k = 0; k < count; k++) {
      fed_back_[k] = this->buffer(room, this->units_, 2);
      this->add_gradient(room, &this->dz_, shape_.sigmoid_slots, shape_.gates, &fed_back_[k], GH, Base::counted(count),
                         k * this->hidden_, this->hidden_, this->hidden_ * count);
    }
  }

  void plan_projection(Allocator& room, Phase& arrival, Phase& output) {
    dhidden_ = this->buffer(room, this->output_units_, 2);
    shown_ = this->buffer(room, this->units_, 2);
    room(dshown_, size_t(this->units_) * this->batch_ * this->LANE);
    this->add_gradient(room, &dhidden_, {0}, 1, &shown_, HR, {0}, 0, this->hidden_, this->hidden_, this->output_);
    arrival.output_units = true;
    arrival.point = &Self::project_back;
    Product<P> product = this->back_through(
        this->weights_.pack_backward(room, HR, {0}, this->output_, this->hidden_, 0, this->hidden_), {0}, 0, dshown_, this->units_);
    product.operands = &dhidden_.rows;
    product.blocks = Base::offsets(Base::counted(this->output_units_), dhidden_.rows.block_stride);
    output.products.push_back(product);
  }

  PEEPHOLE_INLINE V gate(const Step& s, int which, int block, long row) const {
    return this->saved_vector(s, shape_.slot[which], block, row);
  }

  struct Gates {
    V input, forget, candidate, before, cell;
  };

  PEEPHOLE_INLINE Gates read(const Step& s, int block, long row) const {
    Gates g;
    g.input = shape_.slot[0] >= 0 ? gate(s, 0, block, row) : splat(Real(1));
    g.forget = shape_.slot[1] >= 0 ? gate(s, 1, block, row) : (this->cell_.coupled ? Real(1) - g.input : splat(Real(1)));
    g.candidate = gate(s, 2, block, row);
    g.before = this->saved_vector(s, shape_.gates, block, row);
    g.cell = g.forget * g.before + g.input * g.candidate;
    return g;
  }

  void project_back(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const auto dh = this->arrived(s, HIDDEN, block, row);
      this->hand_on(HIDDEN, block, row, dh.kept);
      store_operand<P>(this->in_chunk(dhidden_, s, block, row), dh.value);
    }
  }

  // The gradient of h_t before the projection.
  PEEPHOLE_INLINE V hidden_gradient(const Step& s, int block, long row) {
    if (dshown_) return load(dshown_ + this->at(block, row));
    const auto dh = this->arrived(s, HIDDEN, block, row);
    this->hand_on(HIDDEN, block, row, dh.kept);
    return dh.value;
  }

  PEEPHOLE_INLINE V fed_back_gradient(const Step& s, int which, int block, long row) {
    V total{};
    if (!this->cell_.gate_recurrence) return total;
    for (size_t k = 0; k < shape_.sigmoid_slots.size(); k++) {
      if (shape_.sigmoid_slots[k] != shape_.slot[which]) continue;
      const auto arrived = this->arrived(s, FED_BACK + int(k), block, row);
      this->hand_on(FED_BACK + int(k), block, row, arrived.kept);
      total = arrived.value;
      store_operand<P>(this->in_chunk(fed_back_[k], s, block, row), fed_back_before(s, int(k), block, row));
    }
    return total;
  }

  // A gate of the step before, as step s found it.
  PEEPHOLE_INLINE V fed_back_before(const Step& s, int k, int block, long row) const {
    if (this->cut_ && this->cut_[s.n * this->batch_ + row]) return V{};
    if (s.n > 0 && (!this->alive_ || this->alive_[(s.n - 1) * this->batch_ + row])) {
      return load(this->saved(s.n - 1, block, shape_.sigmoid_slots[k], row));
    }
    const Real* from =
        static_cast<const Real*>(this->layer_.states[FED_BACK + k]) + row * this->hidden_ + long(block) * this->LANE;
    return load_external<Real>(from, Base::lanes_of(this->hidden_, block));
  }

  // From the gradient of h_t those of the output gate's pre-activation (returned) and of c_t, which is added to `dcell`.
  PEEPHOLE_INLINE V output_gradient(const Step& s, int block, long row, const Gates& g, V& dcell) {
    const V dh = hidden_gradient(s, block, row);
    const V squashed = this->cell_.output_activation ? tanh<Real>(g.cell) : g.cell;
    const V slope = this->cell_.output_activation ? Real(1) - squashed * squashed : splat(Real(1));
    if (shape_.slot[3] < 0) {
      if (dshown_) store_operand<P>(this->in_chunk(shown_, s, block, row), squashed);
      dcell = dcell + dh * slope;
      return V{};
    }
    const V output = gate(s, 3, block, row);
    if (dshown_) store_operand<P>(this->in_chunk(shown_, s, block, row), output * squashed);
    dcell = dcell + dh * output * slope;
    return (dh * squashed + fed_back_gradient(s, 3, block, row)) * output * (Real(1) - output);
  }

  // From the gradient of c_t those of the pre-activations of i, f, g.
  PEEPHOLE_INLINE void gate_gradients(const Step& s, int block, long row, const Gates& g, V dcell, V (&dz)[4]) {
    V dinput = dcell * g.candidate;
    const V dforget = dcell * g.before;
    if (this->cell_.coupled) dinput = dinput - dforget;
    if (shape_.slot[0] >= 0) {
      dz[0] = (dinput + fed_back_gradient(s, 0, block, row)) * g.input * (Real(1) - g.input);
    }
    if (shape_.slot[1] >= 0) {
      dz[1] = (dforget + fed_back_gradient(s, 1, block, row)) * g.forget * (Real(1) - g.forget);
    }
    dz[2] = dcell * g.input;
    if (this->cell_.input_activation) dz[2] = dz[2] * (Real(1) - g.candidate * g.candidate);
  }

  // A row past its end hands on what it got.
  void pass(const Step& s, int block, long row) {
    for (size_t k = 0; k < this->states_.size(); k++) {
      if (k == HIDDEN && dshown_) continue;  // project_back did
      this->hand_on(int(k), block, row, this->carried(s, int(k), block, row));
    }
    for (int slot = 0; slot < shape_.gates; slot++) this->put_dz(s, block, slot, row, V{});
    for (const Buffer* buffer : {&before_, &now_, &shown_, &fed_back_[0], &fed_back_[1], &fed_back_[2]}) {
      if (buffer->rows.data) store_operand<P>(this->in_chunk(*buffer, s, block, row), V{});
    }
  }

  // dz of i, f, g is final: put it in its place, and hand c_{t-1} its gradient.
  PEEPHOLE_INLINE void close(const Step& s, int block, long row, const Gates& g, V dcell, V kept, const V (&dz)[4]) {
    V dbefore = dcell * g.forget + kept;
    if (!this->layer_.zoneout[CELL].data) this->show_state(this->layer_.dcell, s, this->hidden_, block, row, dcell);
    for (int gate = 0; gate < 3; gate++) {
      if (shape_.slot[gate] < 0) continue;
      this->put_dz(s, block, shape_.slot[gate], row, dz[gate]);
      const int k = shape_.peephole[gate];
      if (shape_.diagonal && k >= 0) {
        dbefore = dbefore + this->parameter(peephole_, k, block) * dz[gate];
        this->add_to_sum(peephole_sums_[k], block, row, dz[gate] * g.before);
      }
    }
    if (before_.rows.data) store_operand<P>(this->in_chunk(before_, s, block, row), g.before);
    this->hand_on(CELL, block, row, dbefore);
  }

  // dz of o is final; its diagonal peephole hands c_t a gradient.
  PEEPHOLE_INLINE void close_output(const Step& s, int block, long row, const Gates& g, V dz, V& dcell) {
    if (shape_.slot[3] < 0) return;
    this->put_dz(s, block, shape_.slot[3], row, dz);
    const int k = shape_.peephole[3];
    if (shape_.diagonal && k >= 0) {
      dcell = dcell + this->parameter(peephole_, k, block) * dz;
      this->add_to_sum(peephole_sums_[k], block, row, dz * g.cell);
    }
    if (now_.rows.data) store_operand<P>(this->in_chunk(now_, s, block, row), g.cell);
  }

  // What `output_and_gates` does, where nothing but diagonal peepholes is special.
  template <bool DIAGONAL>
  void plain_step(const Step& s, int block, long first, long last) {
    const auto at = this->back_rows_of(s, block);
    const Real* through_product = this->states_[HIDDEN].through_product + this->at(block, 0);
    Real* direct = this->states_[HIDDEN].direct + this->at(block, 0);
    Real* dcell_state = this->states_[CELL].direct + this->at(block, 0);
    V peepholes[3];
    Real* sums[3] = {};
    if constexpr (DIAGONAL) {
      for (int k = 0; k < 3; k++) {
        peepholes[k] = this->parameter(peephole_, k, block);
        sums[k] = this->row_sums_[peephole_sums_[k]].rows + this->at(block, 0);
      }
    }
    for (long row = first; row < last; row++) {
      const long here = row * this->LANE;
      const Real* saved = at.saved + here;
      V dh = load(through_product + here) + load_external<Real>(at.dy + row * at.dy_row, at.lanes);
      if (s.n + 1 == this->layer_.steps) {  // the final state's gradient; none comes to h directly before
        dh = dh + load(direct + here);
        store(direct + here, V{});
      }
      const V input = load(saved), forget = load(saved + at.saved_slot), candidate = load(saved + 2 * at.saved_slot);
      const V output = load(saved + 3 * at.saved_slot), before = load(saved + 4 * at.saved_slot);
      const V cell = forget * before + input * candidate;
      const V squashed = tanh<Real>(cell);
      V dcell = load(dcell_state + here) + dh * output * (Real(1) - squashed * squashed);
      const V dzo = dh * squashed * output * (Real(1) - output);
      if constexpr (DIAGONAL) dcell = dcell + peepholes[2] * dzo;
      const V dzi = dcell * candidate * input * (Real(1) - input);
      const V dzf = dcell * before * forget * (Real(1) - forget);
      const V dzg = dcell * input * (Real(1) - candidate * candidate);
      V dbefore = dcell * forget;
      if constexpr (DIAGONAL) {
        dbefore = dbefore + peepholes[0] * dzi + peepholes[1] * dzf;
        store(sums[0] + here, load(sums[0] + here) + dzi * before);
        store(sums[1] + here, load(sums[1] + here) + dzf * before);
        store(sums[2] + here, load(sums[2] + here) + dzo * cell);
      }
      store(dcell_state + here, dbefore);
      store_operand<P>(at.dz + here, dzi);
      store_operand<P>(at.dz + at.dz_slot + here, dzf);
      store_operand<P>(at.dz + 2 * at.dz_slot + here, dzg);
      store_operand<P>(at.dz + 3 * at.dz_slot + here, dzo);
      if (this->layer_.dhidden) {
        this->show_state(this->layer_.dhidden, s, this->hidden_, block, row, dh);
        this->show_state(this->layer_.dcell, s, this->hidden_, block, row, dcell);
        this->show_gate(this->layer_.dz, s, 0, block, row, dzi);
        this->show_gate(this->layer_.dz, s, 1, block, row, dzf);
        this->show_gate(this->layer_.dz, s, 2, block, row, dzg);
        this->show_gate(this->layer_.dz, s, 3, block, row, dzo);
      }
    }
  }

  // The gradients of c_t as far as h_t's and the next step's make it, and of the output gate's pre-activation; false where
  // the row is past its end.
  PEEPHOLE_INLINE bool arrive(const Step& s, int block, long row, Gates& g, V& dcell, V& kept, V& doutput) {
    if (this->dead(s, row)) {
      pass(s, block, row);
      if (dcell_) store(dcell_ + this->at(block, row), V{});
      return false;
    }
    g = read(s, block, row);
    const auto arrived = this->arrived(s, CELL, block, row);
    dcell = arrived.value;
    kept = arrived.kept;
    if (this->layer_.zoneout[CELL].data) {  // what reaches the mixture, of which h_t sees nothing
      this->show_state(this->layer_.dcell, s, this->hidden_, block, row, dcell + kept);
    }
    doutput = output_gradient(s, block, row, g, dcell);
    return true;
  }

  // For the next phase of the step.
  PEEPHOLE_INLINE void put_off(int block, long row, V dcell, V kept) {
    store(dcell_ + this->at(block, row), dcell);
    this->hand_on(CELL, block, row, kept);
  }

  void output_and_gates(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      Gates g;
      V dcell, kept, doutput;
      if (!arrive(s, block, row, g, dcell, kept, doutput)) continue;
      close_output(s, block, row, g, doutput, dcell);
      V dz[4] = {};
      gate_gradients(s, block, row, g, dcell, dz);
      close(s, block, row, g, dcell, kept, dz);
    }
  }

  void output_gate(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      Gates g;
      V dcell, kept, doutput;
      if (!arrive(s, block, row, g, dcell, kept, doutput)) continue;
      close_output(s, block, row, g, doutput, dcell);
      put_off(block, row, dcell, kept);
    }
  }

  void gates_only(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const Gates g = read(s, block, row);
      const V dcell = load(dcell_ + this->at(block, row)), kept = kept_by_cell(block, row);
      V dz[4] = {};
      gate_gradients(s, block, row, g, dcell, dz);
      close(s, block, row, g, dcell, kept, dz);
    }
  }

  PEEPHOLE_INLINE V kept_by_cell(int block, long row) const { return load(this->states_[CELL].direct + this->at(block, row)); }

  // --- with layer norm ---

  PEEPHOLE_INLINE V leave(const Step& s, int gate, int block, long row) const {
    return this->leave_normal(s, shape_.slot[gate], block, row);
  }

  void find_output(const Step& s, long first, long last) {
    if (shape_.slot[3] < 0) return;
    for (long row = first; row < last; row++) {
      if (!this->dead(s, row)) this->moments_.find_sums(s.member, shape_.slot[3], row);
    }
  }

  void find_early(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      for (int gate = 0; gate < 3; gate++) {
        if (shape_.slot[gate] >= 0) this->moments_.find_sums(s.member, shape_.slot[gate], row);
      }
    }
  }

  void find_all(const Step& s, long first, long last) {
    find_output(s, first, last);
    find_early(s, first, last);
  }

  // Where the output gate does not see c_t, no gate's gradient waits for another's.
  void all_normal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      Gates g;
      V dcell, kept, dz[4] = {};
      if (!arrive(s, block, row, g, dcell, kept, dz[3])) continue;
      gate_gradients(s, block, row, g, dcell, dz);
      for (int gate = 0; gate < 4; gate++) {
        if (shape_.slot[gate] >= 0) this->enter_normal(s, shape_.slot[gate], block, row, dz[gate]);
      }
      put_off(block, row, dcell, kept);
    }
  }

  void all_unnormal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const Gates g = read(s, block, row);
      V dcell = load(dcell_ + this->at(block, row));
      V dz[4] = {};
      for (int gate = 0; gate < 4; gate++) {
        if (shape_.slot[gate] >= 0) dz[gate] = leave(s, gate, block, row);
      }
      close_output(s, block, row, g, dz[3], dcell);
      close(s, block, row, g, dcell, kept_by_cell(block, row), dz);
    }
  }

  void output_normal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      Gates g;
      V dcell, kept, doutput;
      if (!arrive(s, block, row, g, dcell, kept, doutput)) continue;
      if (shape_.slot[3] >= 0) this->enter_normal(s, shape_.slot[3], block, row, doutput);
      put_off(block, row, dcell, kept);
    }
  }

  void output_unnormal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const Gates g = read(s, block, row);
      V dcell = load(dcell_ + this->at(block, row));
      if (shape_.slot[3] >= 0) close_output(s, block, row, g, leave(s, 3, block, row), dcell);
      store(dcell_ + this->at(block, row), dcell);
    }
  }

  void gates_normal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const Gates g = read(s, block, row);
      V dz[4] = {};
      gate_gradients(s, block, row, g, load(dcell_ + this->at(block, row)), dz);
      for (int gate = 0; gate < 3; gate++) {
        if (shape_.slot[gate] >= 0) this->enter_normal(s, shape_.slot[gate], block, row, dz[gate]);
      }
    }
  }

  void output_unnormal_and_gates(const Step& s, int block, long first, long last) {
    output_unnormal(s, block, first, last);
    gates_normal(s, block, first, last);
  }

  void gates_unnormal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const Gates g = read(s, block, row);
      V dz[4] = {};
      for (int gate = 0; gate < 3; gate++) {
        if (shape_.slot[gate] >= 0) dz[gate] = leave(s, gate, block, row);
      }
      close(s, block, row, g, load(dcell_ + this->at(block, row)), kept_by_cell(block, row), dz);
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
