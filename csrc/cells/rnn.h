// The simple recurrent net (reference/rnn.py): any activation, several taps, identity mappings.
//
//   h_t = f(z), plus h_{t-1} with a residual; z sees the last k states.
//
// Saved a step and unit: f(z); with layer norm also the normalised z, and for each row 1 / its deviation.
#pragma once

#include "../backward.h"
#include "../forward.h"

namespace peephole::PEEPHOLE_ISA {

// Which moments over a row an rnn takes.
enum RnnMoment { SPREAD, SOFTMAX };

// A cell's `plain` for one nonlinearity, so that none is chosen within a step.
template <class Cell>
auto plain_step(Nonlinearity nonlinearity) {
  switch (nonlinearity) {
    case Nonlinearity::tanh:
      return &Cell::template plain<Nonlinearity::tanh>;
    case Nonlinearity::relu:
      return &Cell::template plain<Nonlinearity::relu>;
    case Nonlinearity::sigmoid:
      return &Cell::template plain<Nonlinearity::sigmoid>;
    default:
      return &Cell::template plain<Nonlinearity::identity>;
  }
}

template <class P>
class RnnForward : public ForwardSequence<P> {
 public:
  using Base = ForwardSequence<P>;
  using Self = RnnForward<P>;
  using typename Base::Real;
  using typename Base::V;
  using Phase = typename Base::template Phase<Self>;

  explicit RnnForward(const Layer& layer) : Base(layer) {
    const bool recurs = layer.cell.residual != Residual::input;
    this->gates_ = this->slots_ = 1;
    this->input_slots_ = this->gate_of_input_ = {0};
    this->normal_saved_ = 1;
    this->saved_slots_ = layer.cell.layer_norm ? 2 : 1;
    this->saved_rows_ = layer.cell.layer_norm ? 1 : 0;
    this->normalised_ = softmax() ? 2 : this->saved_rows_;
    for (int tap = 0; tap < layer.cell.taps; tap++) this->add_state(this->hidden_, recurs, true);
  }

  std::vector<Phase> plan(Allocator& room) {
    this->plan_forward(room);
    const long hidden = this->hidden_;
    const int taps = this->cell_.taps;
    std::vector<Phase> phases(1);
    if (this->cell_.residual != Residual::input) {
      for (int tap = 0; tap < taps; tap++) {
        phases[0].products.push_back(this->onto_slots(
            this->states_[tap].entering, this->weights_.pack_forward(room, HH, {0}, hidden, hidden * taps, tap * hidden, hidden),
            {0}));
      }
    }
    const bool plain = this->undisturbed() && taps == 1 && this->cell_.residual == Residual::none;
    phases[0].point = this->cell_.layer_norm ? &Self::gather
                      : softmax()            ? &Self::weigh
                      : plain                ? plain_step<Self>(this->cell_.nonlinearity)
                                             : &Self::activate;
    if (this->cell_.layer_norm) {
      phases.emplace_back();
      phases.back().before = &Self::find_spreads;
      phases.back().point = softmax() ? &Self::weigh_normalised : &Self::activate_normalised;
    }
    if (softmax()) {
      phases.emplace_back();
      phases.back().before = &Self::find_softmax;
      phases.back().point = &Self::share_out;
    }
    return phases;
  }

  // What `activate` does, where nothing is special.
  template <Nonlinearity NONLINEARITY>
  void plain(const Step& s, int block, long first, long last) {
    const auto at = this->rows_of(s, block);
    for (long row = first; row < last; row++) {
      const V z = load(at.z + row * this->LANE), value = activated(NONLINEARITY, z);
      show(s, block, row, z);
      this->put_hidden(at, row, value);
      if (at.saved) store(at.saved + row * this->LANE, value);
    }
  }

 private:
  bool softmax() const { return this->cell_.nonlinearity == Nonlinearity::softmax; }

  PEEPHOLE_INLINE V activated(V z) const { return activated(this->cell_.nonlinearity, z); }

  static PEEPHOLE_INLINE V activated(Nonlinearity nonlinearity, V z) {
    switch (nonlinearity) {
      case Nonlinearity::tanh:
        return tanh<Real>(z);
      case Nonlinearity::relu:
        return z < V{} ? V{} : z;  // NaN stays
      case Nonlinearity::sigmoid:
        return sigmoid<Real>(z);
      default:
        return z;
    }
  }

  PEEPHOLE_INLINE void show(const Step& s, int block, long row, V z) const {
    this->show_gate(this->layer_.preactivations, s, 0, block, row, z);
  }

  PEEPHOLE_INLINE void finish(const Step& s, int block, long row, V value) {
    this->keep(s, 0, block, row, value);
    const V before = load(this->states_[0].value + this->at(block, row));
    if (this->cell_.residual != Residual::none) value = before + value;
    for (int tap = this->cell_.taps - 1; tap > 0; tap--) {
      this->commit(s, tap, block, row, load(this->states_[tap - 1].value + this->at(block, row)));
    }
    this->commit(s, 0, block, row, value);
  }


  void activate(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V z = load(this->z(s, block, 0, row));
      show(s, block, row, z);
      finish(s, block, row, activated(z));
    }
  }

  void gather(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) this->moments_.note_spread(SPREAD, block, row, load(this->z(s, block, 0, row)));
  }

  void find_spreads(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) this->find_spread(s, SPREAD, row);
  }

  void activate_normalised(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const V z = this->normalise(s, 0, block, row, load(this->z(s, block, 0, row)));
      show(s, block, row, z);
      finish(s, block, row, activated(z));
    }
  }

  // --- softmax: the largest z of a row and the sum of the exponentials below it ---

  void weigh(const Step& s, int block, long first, long last) {
    const int lanes = Base::lanes_of(this->hidden_, block);
    for (long row = first; row < last; row++) {
      const Real* z = this->z(s, block, 0, row);
      Real largest = z[0], total = 0;
      for (int i = 1; i < lanes; i++) largest = z[i] > largest ? z[i] : largest;
      for (int i = 0; i < lanes; i++) total += std::exp(z[i] - largest);
      this->moments_.note(SOFTMAX, block, row, largest, total);
    }
  }

  void weigh_normalised(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      Real* z = this->z(s, block, 0, row);
      store(z, this->normalise(s, 0, block, row, load(z)));
    }
    weigh(s, block, first, last);
  }

  void find_softmax(const Step& s, long first, long last) {
    for (long row = first; row < last; row++) {
      const Real *maxima = this->moments_.first(SOFTMAX, row), *totals = this->moments_.second(SOFTMAX, row);
      Real largest = maxima[0], total = 0;
      for (int b = 1; b < this->units_; b++) largest = maxima[b] > largest ? maxima[b] : largest;
      for (int b = 0; b < this->units_; b++) total += totals[b] * std::exp(maxima[b] - largest);
      Real* to = this->moments_.whole(s.member, SOFTMAX, row);
      to[0] = largest;
      to[1] = 1 / total;
    }
  }

  void share_out(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      const Real* found = this->moments_.whole(s.member, SOFTMAX, row);
      const V z = load(this->z(s, block, 0, row));
      show(s, block, row, z);
      finish(s, block, row, exp<Real>(z - found[0]) * found[1]);
    }
  }
};

template <class P>
class RnnBackward : public BackwardSequence<P> {
 public:
  using Base = BackwardSequence<P>;
  using Self = RnnBackward<P>;
  using typename Base::Real;
  using typename Base::V;
  using Phase = typename Base::template Phase<Self>;

  explicit RnnBackward(const Layer& layer) : Base(layer) {
    const bool recurs = layer.cell.residual != Residual::input;
    this->gates_ = this->dz_slots_ = 1;
    this->gate_of_input_ = this->input_dz_ = {0};
    if (recurs) this->recurrent_dz_ = {0};
    this->normal_saved_ = 1;
    this->saved_slots_ = layer.cell.layer_norm ? 2 : 1;
    this->saved_rows_ = layer.cell.layer_norm ? 1 : 0;
    this->normalised_ = softmax() ? 2 : this->saved_rows_;
    for (int tap = 0; tap < layer.cell.taps; tap++) this->add_state(this->hidden_, recurs, true);
  }

  std::vector<Phase> plan(Allocator& room) {
    this->plan_backward(room);
    this->plan_normal(room);
    const long hidden = this->hidden_;
    const int taps = this->cell_.taps;
    if (softmax()) room(dvalue_, size_t(this->units_) * this->batch_ * this->LANE);
    std::vector<Phase> phases(1);
    if (this->cell_.residual != Residual::input) {
      for (int tap = 0; tap < taps; tap++) {
        phases[0].products.push_back(this->back_through(
            this->weights_.pack_backward(room, HH, {0}, hidden, hidden * taps, tap * hidden, hidden), {0}, -1,
            this->states_[tap].through_product, this->units_));
      }
    }
    const bool plain = this->undisturbed() && taps == 1 && this->cell_.residual == Residual::none;
    phases[0].point = softmax()                             ? &Self::weigh
                      : plain && !this->cell_.layer_norm    ? plain_step<Self>(this->cell_.nonlinearity)
                                                            : &Self::slope;
    if (softmax()) {
      phases.emplace_back();
      phases.back().before = &Self::find_softmax;
      phases.back().point = &Self::share_out;
    }
    if (this->cell_.layer_norm) {
      phases.emplace_back();
      phases.back().before = &Self::find_spreads;
      phases.back().point = &Self::leave;
    }
    return phases;
  }

  // What `slope` does, where nothing is special.
  template <Nonlinearity NONLINEARITY>
  void plain(const Step& s, int block, long first, long last) {
    const auto at = this->back_rows_of(s, block);
    const Real* through_product = this->states_[0].through_product + this->at(block, 0);
    Real* direct = this->states_[0].direct + this->at(block, 0);
    for (long row = first; row < last; row++) {
      const long here = row * this->LANE;
      V dvalue = load(through_product + here) + load_external<Real>(at.dy + row * at.dy_row, at.lanes);
      if (s.n + 1 == this->layer_.steps) {  // the final state's gradient; none comes to h directly before
        dvalue = dvalue + load(direct + here);
        store(direct + here, V{});
      }
      const V dz = sloped(NONLINEARITY, load(at.saved + here), dvalue);
      store_operand<P>(at.dz + here, dz);
      if (this->layer_.dhidden) {
        this->show_state(this->layer_.dhidden, s, this->hidden_, block, row, dvalue);
        this->show_gate(this->layer_.dz, s, 0, block, row, dz);
      }
    }
  }

 private:
  Real* dvalue_ = nullptr;  // gradient of a softmax's shares, [units][B][V]

  bool softmax() const { return this->cell_.nonlinearity == Nonlinearity::softmax; }

  // The gradient of f(z), with the states' handed on; false where the row is past its end.
  PEEPHOLE_INLINE bool arrive(const Step& s, int block, long row, V& dvalue) {
    const int taps = this->cell_.taps;
    if (this->dead(s, row)) {
      for (int tap = 0; tap < taps; tap++) this->hand_on(tap, block, row, this->carried(s, tap, block, row));
      this->put_dz(s, block, 0, row, V{});
      return false;
    }
    const auto arrived = this->arrived(s, 0, block, row);
    dvalue = arrived.value;
    V before = arrived.kept;
    if (this->cell_.residual != Residual::none) before = before + dvalue;
    for (int tap = 0; tap < taps; tap++) {  // a state moved on is the next tap's
      if (tap + 1 < taps) before = before + this->carried(s, tap + 1, block, row);
      this->hand_on(tap, block, row, before);
      before = V{};
    }
    return true;
  }

  PEEPHOLE_INLINE void depart(const Step& s, int block, long row, V dz) {
    if (this->cell_.layer_norm) {
      this->enter_normal(s, 0, block, row, dz);
    } else {
      this->put_dz(s, block, 0, row, dz);
    }
  }

  // The gradient of z from that of f(z), which is `value`.
  static PEEPHOLE_INLINE V sloped(Nonlinearity nonlinearity, V value, V dvalue) {
    switch (nonlinearity) {
      case Nonlinearity::tanh:
        return dvalue * (Real(1) - value * value);
      case Nonlinearity::relu:
        return value <= V{} ? V{} : dvalue;  // NaN passes it on, as torch's does
      case Nonlinearity::sigmoid:
        return dvalue * value * (Real(1) - value);
      default:
        return dvalue;
    }
  }


  void slope(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V dz;
      if (!arrive(s, block, row, dz)) continue;
      depart(s, block, row, sloped(this->cell_.nonlinearity, this->saved_vector(s, 0, block, row), dz));
    }
  }

  void weigh(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      V dvalue;
      if (!arrive(s, block, row, dvalue)) continue;
      store(dvalue_ + this->at(block, row), dvalue);
      this->moments_.note_sums(SOFTMAX, block, row, dvalue * this->saved_vector(s, 0, block, row), V{});
    }
  }

  void find_softmax(const Step& s, long first, long last) { find(s, first, last, SOFTMAX); }
  void find_spreads(const Step& s, long first, long last) { find(s, first, last, SPREAD); }

  void find(const Step& s, long first, long last, int which) {
    for (long row = first; row < last; row++) {
      if (!this->dead(s, row)) this->moments_.find_sums(s.member, which, row);
    }
  }

  void share_out(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (this->dead(s, row)) continue;
      const Real mean = this->moments_.whole(s.member, SOFTMAX, row)[0];
      depart(s, block, row, this->saved_vector(s, 0, block, row) * (load(dvalue_ + this->at(block, row)) - mean));
    }
  }

  void leave(const Step& s, int block, long first, long last) {
    for (long row = first; row < last; row++) {
      if (!this->dead(s, row)) this->put_dz(s, block, 0, row, this->leave_normal(s, 0, block, row));
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
