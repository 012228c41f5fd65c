// The GRU (reference/gru.py): reset after the product, before it, or none; an update gate that keeps or writes.
//
//   r, z = σ(...)   n = tanh(n_x + r ∘ n_h) or tanh(n_x + W_hn (r ∘ h_{t-1}))   h_t = z ∘ h_{t-1} + (1 - z) ∘ n
//
// Saved a step and unit: the gates, n, with a reset after the product n_h, then h_{t-1}; with layer norm also the
// normalised pre-activations, and for each row 1 / their deviation.
#pragma once

#include "../backward.h"
#include "../forward.h"

namespace peephole::PEEPHOLE_ISA {

// Slots of the pre-activations, of dz, and of what is saved.
struct GruShape {
  bool after, before;   // where the reset gate acts; neither: there is none
  int reset = -1, update, candidate;
  int from_state = -1;  // n_h
  int slots, saved_from_state = -1, saved_before, saved;

  explicit GruShape(const Switches& cell) : after(cell.reset == Reset::after), before(cell.reset == Reset::before) {
    int next = 0;
    if (after || before) reset = next++;
    update = next++;
    candidate = next++;
    slots = next;
    saved = next;
    if (after) {
      from_state = slots++;
      saved_from_state = saved++;
    }
    saved_before = saved++;
  }

  int gates() const { return candidate + 1; }
  std::vector<int> recurrent_slots() const {
    if (after) return {reset, update, from_state};
    if (before) return {reset, update};
    return {update, candidate};
  }
  std::vector<int> recurrent_gates() const {
    if (after) return {reset, update, candidate};
    return recurrent_slots();
  }
};

template <class P>
class GruForward : public ForwardSequence<P> {
 public:
  using Base = ForwardSequence<P>;
  using Self = GruForward<P>;
  using typename Base::Real;
  using typename Base::V;
  using Phase = typename Base::template Phase<Self>;

  explicit GruForward(const Layer& layer) : Base(layer), shape_(layer.cell) {
    this->gates_ = shape_.gates();
    this->slots_ = shape_.slots;
    this->input_slots_ = this->gate_of_input_ = Base::counted(shape_.gates());
    this->separate_bias_ = shape_.after;
    if (shape_.after) this->only_bias_ = {{shape_.from_state, shape_.candidate}};
    this->normal_saved_ = shape_.saved;
    this->saved_slots_ = shape_.saved + (layer.cell.layer_norm ? shape_.gates() : 0);
    this->saved_rows_ = this->normalised_ = layer.cell.layer_norm ? shape_.gates() : 0;
    this->add_state(this->hidden_, true, true);
  }

  std::vector<Phase> plan(Allocator& room) {
    this->plan_forward(room);
    const bool norm = this->cell_.layer_norm;
    const long hidden = this->hidden_;
    std::vector<Phase> phases(1);
    phases[0].products.push_back(this->onto_slots(
        this->states_[0].entering, this->weights_.pack_forward(room, HH, shape_.recurrent_gates(), hidden, hidden, 0, hidden),
        shape_.recurrent_slots()));
    phases[0].point = norm                                     ? &Self::gather_gates
                      : shape_.before                          ? &Self::reset_state
                      : shape_.after && this->undisturbed()    ? &Self::plain_step
                                                               : &Self::whole_step;
    if (norm) {
      phases.emplace_back();
      phases.back().before = &Self::find_gates;
      phases.back().point = shape_.before ? &Self::reset_state : &Self::gather_after;
    }
    if (shape_.before) {
      chosen_ = this->step_buffer(room, hidden);
      phases.emplace_back();
      phases.back().products.push_back(this->onto_slots(
          chosen_, this->weights_.pack_forward(room, HH, {shape_.candidate}, hidden, hidden, 0, hidden), {shape_.candidate}));
      phases.back().point = norm ? &Self::gather_candidate : &Self::finish_step;
    }
    if (norm) {
      phases.emplace_back();
      phases.back().before = &Self::find_candidate;
      phases.back().point = &Self::finish_step;
    }
    return phases;
  }

 private:
  GruShape shape_;
  Operands<P> chosen_;  // r ∘ h_{t-1}

  PEEPHOLE_INLINE V gate(const Step& s, int slot, int block, long row) {
    V z = load(this->z(s, block, slot, row));
    if (this->cell_.layer_norm) z = this->normalise(s, slot, block, row, z);
    this->show_gate(this->layer_.preactivations, s, slot, block, row, z);
    z = sigmoid<Real>(z);
    this->keep(s, slot, block, row, z);
    return z;
  }

  PEEPHOLE_INLINE V candidate_sum(const Step& s, int block, long row, V reset) {
    const V from_input = load(this->z(s, block, shape_.candidate, row));
    if (!shape_.after) return from_input;
    const V from_state = load(this->z(s, block, shape_.from_state, row));
    this->keep(s, shape_.saved_from_state, block, row, from_state);
    return from_input + reset * from_state;
  }

  // Exactly the old state where all of it is kept.
  static PEEPHOLE_INLINE V mixed(V kept, V before, V candidate) { return kept * before + (Real(1) - kept) * candidate; }

  PEEPHOLE_INLINE void finish(const Step& s, int block, long row, V update, V candidate) {
    const V before = load(this->states_[0].value + this->at(block, row));
    this->show_gate(this->layer_.preactivations, s, shape_.candidate, block, row, candidate);
    candidate = tanh<Real>(candidate);
    this->keep(s, shape_.candidate, block, row, candidate);
    this->keep(s, shape_.saved_before, block, row, before);
    const V kept = this->cell_.update_writes ? Real(1) - update : update;
    this->commit(s, 0, block, row, mixed(kept, before, candidate));
  }

  // What `whole_step` does with a reset gate, where nothing else is special.
  void plain_step(const Step& s, int block, long first, long last) {
    const auto at = this->rows_of(s, block);
    const bool writes = this->cell_.update_writes;
    for (long row = first; row < last; row++) {
      const Real* z = at.z + row * this->LANE;
      const V before = load(at.value + row * this->LANE), from_state = load(z + 3 * at.z_slot);
      const V zr = load(z), zz = load(z + at.z_slot);
      const V reset = sigmoid<Real>(zr), update = sigmoid<Real>(zz);
      const V zn = load(z + 2 * at.z_slot) + reset * from_state;
      const V candidate = tanh<Real>(zn);
      const V kept = writes ? Real(1) - update : update;
      this->put_hidden(at, row, mixed(kept, before, candidate));
      if (this->layer_.preactivations) {
        this->show_gate(this->layer_.preactivations, s, 0, block, row, zr);
        this->show_gate(this->layer_.preactivations, s, 1, block, row, zz);
        this->show_gate(this->layer_.preactivations, s, 2, block, row, zn);
      }
      if (!at.saved) continue;
      Real* saved = at.saved + row * this->LANE;
      store(saved, reset);
      store(saved + at.saved_slot, update);
      store(saved + 2 * at.saved_slot, candidate);
      store(saved + 3 * at.saved_slot, from_state);
      store(saved + 4 * at.saved_slot, before);
    }
  }

  void whole_step(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V reset = shape_.after ? gate(s, shape_.reset, block, row) : V{};
      const V update = gate(s, shape_.update, block, row);
      finish(s, block, row, update, candidate_sum(s, block, row, reset));
    }
  }

  // Reset before the product: r ∘ h as an operand; the update gate stays in its slot.
  void reset_state(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V seen = load(this->states_[0].value + this->at(block, row));
      if (this->mask_) seen = seen * load(this->mask_ + this->at(block, row));
      store_operand<P>(chosen_.at(s.n) + this->at(block, row), gate(s, shape_.reset, block, row) * seen);
      store(this->z(s, block, shape_.update, row), gate(s, shape_.update, block, row));
    }
  }

  void finish_step(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V candidate = load(this->z(s, block, shape_.candidate, row));
      if (this->cell_.layer_norm) candidate = this->normalise(s, shape_.candidate, block, row, candidate);
      finish(s, block, row, load(this->z(s, block, shape_.update, row)), candidate);
    }
  }

  // --- with layer norm ---

  void gather_gates(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      for (int slot = 0; slot < shape_.candidate; slot++) {
        this->moments_.note_spread(slot, block, row, load(this->z(s, block, slot, row)));
      }
    }
  }

  void gather_after(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V reset = shape_.after ? gate(s, shape_.reset, block, row) : V{};
      store(this->z(s, block, shape_.update, row), gate(s, shape_.update, block, row));
      this->gather_normal(s, shape_.candidate, shape_.candidate, block, row, candidate_sum(s, block, row, reset));
    }
  }

  void gather_candidate(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      this->moments_.note_spread(shape_.candidate, block, row, load(this->z(s, block, shape_.candidate, row)));
    }
  }

  void find_gates(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) {
      for (int slot = 0; slot < shape_.candidate; slot++) this->find_spread(s, slot, row);
    }
  }

  void find_candidate(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) this->find_spread(s, shape_.candidate, row);
  }
};

template <class P>
class GruBackward : public BackwardSequence<P> {
 public:
  using Base = BackwardSequence<P>;
  using Self = GruBackward<P>;
  using typename Base::Real;
  using typename Base::V;
  using Phase = typename Base::template Phase<Self>;

  explicit GruBackward(const Layer& layer) : Base(layer), shape_(layer.cell) {
    this->gates_ = shape_.gates();
    this->dz_slots_ = shape_.slots;
    this->gate_of_input_ = this->input_dz_ = Base::counted(shape_.gates());
    this->recurrent_dz_ = this->input_dz_;
    if (shape_.after) this->recurrent_dz_.back() = shape_.from_state;
    this->normal_saved_ = shape_.saved;
    this->saved_slots_ = shape_.saved + (layer.cell.layer_norm ? shape_.gates() : 0);
    this->saved_rows_ = this->normalised_ = layer.cell.layer_norm ? shape_.gates() : 0;
    this->add_state(this->hidden_, true, true);
  }

  std::vector<Phase> plan(Allocator& room) {
    this->plan_backward(room);
    this->plan_normal(room);
    const bool norm = this->cell_.layer_norm;
    const long hidden = this->hidden_;
    std::vector<Phase> phases(1);
    phases[0].products.push_back(this->back_through(
        this->weights_.pack_backward(room, HH, shape_.recurrent_gates(), hidden, hidden, 0, hidden), shape_.recurrent_slots(), -1,
        this->states_[0].through_product, this->units_));
    phases[0].point = norm                                  ? &Self::split_normal
                      : shape_.after && this->undisturbed() ? &Self::plain_step
                                                            : &Self::split;
    if (norm) {
      phases.emplace_back();
      phases.back().before = &Self::find_update_and_candidate;
      phases.back().point = &Self::leave_update_and_candidate;
    }
    if (shape_.before) {
      room(dchosen_, size_t(this->units_) * this->batch_ * this->LANE);
      phases.emplace_back();
      phases.back().products.push_back(
          this->back_through(this->weights_.pack_backward(room, HH, {shape_.candidate}, hidden, hidden, 0, hidden),
                             {shape_.candidate}, 0, dchosen_, this->units_));
      phases.back().point = &Self::through_reset;
    }
    if (norm && shape_.reset >= 0) {
      phases.emplace_back();
      phases.back().before = &Self::find_reset;
      phases.back().point = &Self::leave_reset;
    }
    return phases;
  }

 protected:
  // The candidate's recurrent weights saw r ∘ h.
  void add_recurrent(Allocator& room, int tap) override {
    if (!shape_.before) {
      Base::add_recurrent(room, tap);
      return;
    }
    const long hidden = this->hidden_;
    chosen_ = this->buffer(room, this->units_, 2);
    this->add_gradient(room, &this->dz_, {shape_.reset, shape_.update}, shape_.slots, &this->seen_[0], HH,
                       {shape_.reset, shape_.update}, 0, hidden, hidden);
    this->add_gradient(room, &this->dz_, {shape_.candidate}, shape_.slots, &chosen_, HH, {shape_.candidate}, 0, hidden,
                       hidden);
  }

 private:
  GruShape shape_;
  Real* dchosen_ = nullptr;               // gradient of r ∘ h_{t-1}, [units][B][V]
  typename Base::ChunkBuffer chosen_;     // r ∘ h_{t-1}

  // The gradients of the pre-activations of z and n, with the state's handed on; false past the end of a row.
  PEEPHOLE_INLINE bool arrive(const Step& s, int block, long row, V& dupdate, V& dcandidate) {
    if (this->dead(s, row)) {
      this->hand_on(0, block, row, this->carried(s, 0, block, row));
      for (int slot = 0; slot < shape_.slots; slot++) this->put_dz(s, block, slot, row, V{});
      if (chosen_.rows.data) store_operand<P>(this->in_chunk(chosen_, s, block, row), V{});
      return false;
    }
    const auto dh = this->arrived(s, 0, block, row);
    const V update = this->saved_vector(s, shape_.update, block, row);
    const V candidate = this->saved_vector(s, shape_.candidate, block, row);
    const V before = this->saved_vector(s, shape_.saved_before, block, row);
    const V other = Real(1) - update;
    V written = other, kept = update;
    V difference = before - candidate;
    if (this->cell_.update_writes) {
      written = update;
      kept = other;
      difference = -difference;
    }
    dupdate = dh.value * difference * update * other;
    dcandidate = dh.value * written * (Real(1) - candidate * candidate);
    this->hand_on(0, block, row, dh.kept + dh.value * kept);
    return true;
  }

  // From the gradient of the candidate's sum those of its parts; the reset gate's is returned.
  PEEPHOLE_INLINE V part(const Step& s, int block, long row, V dcandidate) {
    this->put_dz(s, block, shape_.candidate, row, dcandidate);
    if (!shape_.after) return V{};
    const V reset = this->saved_vector(s, shape_.reset, block, row);
    this->put_dz(s, block, shape_.from_state, row, dcandidate * reset);
    const V from_state = this->saved_vector(s, shape_.saved_from_state, block, row);
    return dcandidate * from_state * reset * (Real(1) - reset);
  }

  // What `split` does with a reset gate after the product, where nothing else is special.
  void plain_step(const Step& s, int block, long first, long last) {
    const auto at = this->back_rows_of(s, block);
    const Real* through_product = this->states_[0].through_product + this->at(block, 0);
    Real* direct = this->states_[0].direct + this->at(block, 0);
    const bool writes = this->cell_.update_writes;
    for (long row = first; row < last; row++) {
      const long here = row * this->LANE;
      const Real* saved = at.saved + here;
      const V dh = load(direct + here) + load(through_product + here) +
                   load_external<Real>(at.dy + row * at.dy_row, at.lanes);
      const V reset = load(saved), update = load(saved + at.saved_slot), candidate = load(saved + 2 * at.saved_slot);
      const V from_state = load(saved + 3 * at.saved_slot), before = load(saved + 4 * at.saved_slot);
      const V other = Real(1) - update;
      const V written = writes ? update : other, kept = writes ? other : update;
      const V difference = writes ? candidate - before : before - candidate;
      const V dcandidate = dh * written * (Real(1) - candidate * candidate);
      const V dreset = dcandidate * from_state * reset * (Real(1) - reset), dupdate = dh * difference * update * other;
      store(direct + here, dh * kept);
      store_operand<P>(at.dz + here, dreset);
      store_operand<P>(at.dz + at.dz_slot + here, dupdate);
      store_operand<P>(at.dz + 2 * at.dz_slot + here, dcandidate);
      store_operand<P>(at.dz + 3 * at.dz_slot + here, dcandidate * reset);
      if (this->layer_.dhidden) {
        this->show_state(this->layer_.dhidden, s, this->hidden_, block, row, dh);
        this->show_gate(this->layer_.dz, s, 0, block, row, dreset);
        this->show_gate(this->layer_.dz, s, 1, block, row, dupdate);
        this->show_gate(this->layer_.dz, s, 2, block, row, dcandidate);
      }
    }
  }

  void split(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V dupdate, dcandidate;
      if (!arrive(s, block, row, dupdate, dcandidate)) continue;
      this->put_dz(s, block, shape_.update, row, dupdate);
      const V dreset = part(s, block, row, dcandidate);
      if (shape_.after) this->put_dz(s, block, shape_.reset, row, dreset);
    }
  }

  void through_reset(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const V reset = this->saved_vector(s, shape_.reset, block, row);
      V dchosen = load(dchosen_ + this->at(block, row)), seen = this->saved_vector(s, shape_.saved_before, block, row);
      V dseen = dchosen * reset;
      if (this->mask_) {
        const V mask = load(this->mask_ + this->at(block, row));
        seen = seen * mask;
        dseen = dseen * mask;
      }
      if (chosen_.rows.data) store_operand<P>(this->in_chunk(chosen_, s, block, row), reset * seen);
      this->hand_on(0, block, row, load(this->states_[0].direct + this->at(block, row)) + dseen);
      const V dreset = dchosen * seen * reset * (Real(1) - reset);
      if (this->cell_.layer_norm) {
        this->enter_normal(s, shape_.reset, block, row, dreset);
      } else {
        this->put_dz(s, block, shape_.reset, row, dreset);
      }
    }
  }

  // --- with layer norm ---

  void split_normal(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V dupdate, dcandidate;
      if (!arrive(s, block, row, dupdate, dcandidate)) continue;
      this->enter_normal(s, shape_.update, block, row, dupdate);
      this->enter_normal(s, shape_.candidate, block, row, dcandidate);
    }
  }

  void find_update_and_candidate(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      this->moments_.find_sums(s.member, shape_.update, row);
      this->moments_.find_sums(s.member, shape_.candidate, row);
    }
  }

  void leave_update_and_candidate(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      this->put_dz(s, block, shape_.update, row, this->leave_normal(s, shape_.update, block, row));
      const V dreset = part(s, block, row, this->leave_normal(s, shape_.candidate, block, row));
      if (shape_.after) this->enter_normal(s, shape_.reset, block, row, dreset);
    }
  }

  void find_reset(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) {
      if (!this->dead(s, row)) this->moments_.find_sums(s.member, shape_.reset, row);
    }
  }

  void leave_reset(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (!this->dead(s, row)) {
        this->put_dz(s, block, shape_.reset, row, this->leave_normal(s, shape_.reset, block, row));
      }
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
