// One call of the kernels on drawn numbers, in one precision. Every tensor lies in an allocation of exactly its size:
// AddressSanitizer sees what reaches beyond.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <tuple>

#include "cases.h"
#include "kernels.h"
#include "simd.h"
#include "workspace.h"

namespace peephole::tests {

using Numbers = std::vector<double>;

struct Named {
  std::string name;
  Numbers values;
};
using Results = std::vector<Named>;

// Shapes that follow from the switches, as spec.py has them.
struct Shape {
  int gates, fed_back, peepholes, states;
  long output;
  bool recurs;

  explicit Shape(const Case& c) {
    const Switches& cell = c.variant.cell;
    const bool lstm = cell.family == Family::lstm;
    const int sigmoid = cell.input_gate + (cell.forget_gate && !cell.coupled) + cell.output_gate;
    gates = lstm ? sigmoid + 1 : cell.family == Family::rnn ? 1 : cell.reset == Reset::none ? 2 : 3;
    fed_back = lstm && cell.gate_recurrence ? sigmoid : 0;
    peepholes = cell.peephole == Peephole::none ? 0 : sigmoid + cell.candidate_peephole;
    states = lstm ? 2 + fed_back : cell.taps;
    output = c.variant.projected ? c.sizes.hidden / 2 + 1 : c.sizes.hidden;
    recurs = cell.residual != Residual::input;
  }

  long units(const Case& c, int state) const { return state == 0 ? output : c.sizes.hidden; }

  long weight_size(const Case& c, int which) const {
    const long hidden = c.sizes.hidden, rows = gates * hidden;
    const Variant& v = c.variant;
    switch (which) {
      case IH:
        return rows * c.sizes.input;
      case HH:
        return recurs ? rows * output * v.cell.taps : 0;
      case BIAS_IH:
        return v.bias ? rows : 0;
      case BIAS_HH:
        return v.bias && recurs ? rows : 0;
      case HR:
        return v.projected ? output * hidden : 0;
      case CH:
        return peepholes * hidden * (v.cell.peephole == Peephole::full ? hidden : 1);
      case GH:
        return fed_back * hidden * fed_back * hidden;
      case LN:
        return v.cell.layer_norm ? rows : 0;
      default:
        return v.cell.layer_norm && v.bias ? rows : 0;
    }
  }
};

constexpr long SYMBOLS = 4;
constexpr long CHECKPOINT_EVERY = 8;

// The numbers of a case. They are bfloat16's, so that calls in all precisions are given the same.
struct Drawn {
  Numbers x, table, weights[WEIGHTS], states[MAX_STATES], mask, zoneout[2], dy, dfinals[MAX_STATES];
  std::vector<int64_t> symbols, lengths;
  std::vector<uint8_t> resets;

  explicit Drawn(const Case& c) : engine_(c.number + 1) {
    const Shape shape(c);
    const Sizes& s = c.sizes;
    const long rows = s.steps * s.batch;
    x = draw(rows * s.input, 1);
    if (c.options.symbols) {
      table = draw(SYMBOLS * shape.gates * s.hidden, 1);
      for (long i = 0; i < rows; i++) symbols.push_back(int64_t(engine_() % SYMBOLS));
    }
    for (int k = 0; k < WEIGHTS; k++) {
      const bool vector = k == BIAS_IH || k == BIAS_HH || k == BIAS_LN || k == LN;
      const double fan = k == IH ? s.input : double(s.hidden) * (k == HH ? c.variant.cell.taps : 1);
      // Small enough that no variant is chaotic: precisions could not be compared.
      weights[k] = draw(shape.weight_size(c, k), vector ? 0.5 : 0.5 / std::sqrt(fan));
    }
    for (double& scale : weights[LN]) scale = rounded(scale + 1);
    for (int k = 0; k < shape.states; k++) {
      states[k] = draw(s.batch * shape.units(c, k), 0.5);
      dfinals[k] = draw(s.batch * shape.units(c, k), 1);
    }
    dy = draw(rows * shape.output, 1);
    if (c.options.mask) mask = coins(s.batch * shape.output, 1.25);
    for (int k = 0; k < 2 && c.options.zoneout != Zoneout::none; k++) {
      if (k >= (c.variant.cell.family == Family::lstm ? 2 : 1)) break;
      if (c.options.zoneout == Zoneout::drawn) zoneout[k] = coins(rows * shape.units(c, k), 1);
      if (c.options.zoneout == Zoneout::share) zoneout[k] = {0.25};
      if (c.options.zoneout == Zoneout::by_unit) zoneout[k] = coins(shape.units(c, k), 0.75);
    }
    for (long row = 0; c.options.lengths && row < s.batch; row++) {
      lengths.push_back(row == 1 ? 0 : int64_t(engine_() % (s.steps + 1)));
    }
    for (long i = 0; c.options.resets && i < rows; i++) resets.push_back(engine_() % 4 == 0);
  }

 private:
  std::mt19937 engine_;  // unlike the distributions, the same everywhere

  static double rounded(double value) {
    const float narrow = float(value);
    uint32_t bits;
    std::memcpy(&bits, &narrow, 4);
    bits = (bits + 0x8000) & 0xffff0000u;
    float result;
    std::memcpy(&result, &bits, 4);
    return result;
  }

  Numbers draw(long count, double scale) {
    Numbers all(count);
    for (double& one : all) one = rounded((double(engine_()) / 2147483648.0 - 1) * scale * 1.7320508);
    return all;
  }

  Numbers coins(long count, double yes) {
    Numbers all(count);
    for (double& one : all) one = engine_() % 4 ? yes : 0;
    return all;
  }
};

inline double widened(double value) { return value; }
inline double widened(float value) { return value; }
inline double widened(BFloat16 value) {
  const uint32_t bits = uint32_t(value.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, 4);
  return wide;
}

template <class T>
T narrowed(double value) {
  if constexpr (std::is_same_v<T, BFloat16>) {  // exact: the numbers are bfloat16's, or NaN
    const float wide = float(value);
    uint32_t bits;
    std::memcpy(&bits, &wide, 4);
    return {uint16_t(bits >> 16)};
  } else {
    return T(value);
  }
}

// Memory of the kernels' own is NaN, so that reading what nobody wrote is seen.
inline void soil_workspace() {
  constexpr size_t bytes = size_t(1) << 20;
  Workspace workspace(bytes);
  std::memset(workspace.take<char>(bytes - 64), 0xff, bytes - 64);
}

template <class External>
class Call {
 public:
  using Real = std::conditional_t<std::is_same_v<External, double>, double, float>;

  Call(const Case& c, const Drawn& drawn)
      : shape_(c), symbols_(drawn.symbols), lengths_(drawn.lengths), resets_(drawn.resets) {
    Layer& l = layer;
    const Sizes& s = c.sizes;
    l.cell = c.variant.cell;
    constexpr Precision precisions[] = {Precision::bfloat16, Precision::single, Precision::full};
    l.precision = precisions[sizeof(External) / 4];
    l.reverse = c.options.reverse;
    l.threads = 1;
    l.steps = s.steps;
    l.batch = s.batch;
    l.input = s.input;
    l.hidden = s.hidden;
    l.projection = c.variant.projected ? shape_.output : 0;
    l.checkpoint_every = CHECKPOINT_EVERY;
    const bool symbols = c.options.symbols;
    l.symbols = pointer(symbols_);
    l.lengths = pointer(lengths_);
    l.resets = pointer(resets_);
    if (symbols) {
      l.table = fill(table, drawn.table);
    } else {
      l.x = fill(x, drawn.x);
    }
    for (int k = 0; k < WEIGHTS; k++) l.weights[k] = fill(weights[k], drawn.weights[k]);
    long state_units = 0;
    for (int k = 0; k < shape_.states; k++) {
      l.states[k] = fill(states[k], drawn.states[k]);
      l.dfinals[k] = fill(dfinals[k], drawn.dfinals[k]);
      l.finals[k] = room(finals_[k], drawn.states[k].size());
      l.dstates[k] = room(dstates_[k], drawn.states[k].size());
      state_units += shape_.units(c, k);
    }
    l.recurrent_mask = fill(mask_, drawn.mask);
    for (int k = 0; k < 2; k++) {
      const long units = shape_.units(c, k);
      l.zoneout[k].data = fill(zoneout_[k], drawn.zoneout[k]);
      if (c.options.zoneout == Zoneout::drawn) l.zoneout[k] = {l.zoneout[k].data, s.batch * units, units, 1};
      if (c.options.zoneout == Zoneout::by_unit) l.zoneout[k].unit = 1;
    }
    l.y = room(y_, drawn.dy.size());
    l.dy = fill(dy, drawn.dy);
    const long checkpoints = (s.steps + CHECKPOINT_EVERY - 1) / CHECKPOINT_EVERY;
    l.checkpoints = room(checkpoints_, checkpoints * s.batch * state_units);
    if (symbols) {
      l.dtable = room(dtable_, drawn.table.size());
    } else {
      l.dx = room(dx_, drawn.x.size());
    }
    for (int k = 0; k < WEIGHTS; k++) {
      if (!(symbols && k == IH)) l.dweights[k] = room(dweights_[k], drawn.weights[k].size());
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Layer layer{};

  // What the loss depends on.
  std::vector<External> x, weights[WEIGHTS], dy;
  std::vector<Real> table, states[MAX_STATES], dfinals[MAX_STATES];

  void forward(const Kernels& kernels) {
    if (saved_.empty()) {
      layer.saved = room(saved_, kernels.saved_size(layer));
    }
    kernels.forward(layer);
  }

  // What a trace looks at is zero where nobody writes: past the ends of rows.
  void show() {
    const size_t rows = size_t(layer.steps) * layer.batch, gates = shape_.gates * layer.hidden;
    for (auto [place, buffer, size] : {std::tuple{&layer.preactivations, &preactivations_, gates},
                                       std::tuple{&layer.dhidden, &dhidden_, size_t(shape_.output)},
                                       std::tuple{&layer.dcell, &dcell_, size_t(layer.hidden)},
                                       std::tuple{&layer.dz, &dz_, gates}}) {
      buffer->assign(rows * size, Real(0));
      *place = buffer->data();
    }
  }

  // Forward and backward; what they fill is NaN before, what they add to zero.
  Results run(const Kernels& kernels, int threads = 1) {
    layer.threads = threads;
    saved_.clear();
    empty(y_), empty(dx_), empty(checkpoints_);
    for (auto& one : finals_) empty(one);
    for (auto& one : dstates_) empty(one);
    for (auto& one : dweights_) one.assign(one.size(), Real(0));
    dtable_.assign(dtable_.size(), Real(0));
    show();
    forward(kernels);
    kernels.backward(layer);
    Results results;
    give(results, "y", y_);
    give(results, "final", finals_, MAX_STATES);
    give(results, "checkpoints", checkpoints_);
    give(results, "dx", dx_);
    give(results, "dtable", dtable_);
    give(results, "dstate", dstates_, MAX_STATES);
    give(results, "dweight", dweights_, WEIGHTS);
    give(results, "shown dh", dhidden_);
    give(results, "shown dc", dcell_);
    give(results, "shown dz", dz_);
    // Padding has no meaning, and a NaN there no place in a comparison.
    if (lengths_.empty()) give(results, "shown z", preactivations_);
    layer.threads = 1;
    return results;
  }

  // The number that the gradients are of.
  double loss() const {
    double total = 0;
    for (size_t i = 0; i < y_.size(); i++) total += widened(y_[i]) * widened(dy[i]);
    for (int k = 0; k < shape_.states; k++) {
      for (size_t i = 0; i < finals_[k].size(); i++) total += double(finals_[k][i]) * double(dfinals[k][i]);
    }
    return total;
  }

 private:
  Shape shape_;
  std::vector<int64_t> symbols_, lengths_;
  std::vector<uint8_t> resets_;
  std::vector<External> y_, dx_;
  std::vector<Real> mask_, zoneout_[2], finals_[MAX_STATES], saved_, checkpoints_;
  std::vector<Real> dtable_, dstates_[MAX_STATES], dweights_[WEIGHTS];
  std::vector<Real> preactivations_, dhidden_, dcell_, dz_;

  template <class T>
  static T* pointer(std::vector<T>& of) {
    return of.empty() ? nullptr : of.data();
  }
  template <class T>
  static T* fill(std::vector<T>& to, const Numbers& from) {
    to.resize(from.size());
    for (size_t i = 0; i < from.size(); i++) to[i] = narrowed<T>(from[i]);
    return pointer(to);
  }
  template <class T>
  static T* room(std::vector<T>& to, size_t size) {
    to.resize(size);
    empty(to);
    return pointer(to);
  }
  template <class T>
  static void empty(std::vector<T>& of) {
    of.assign(of.size(), narrowed<T>(std::numeric_limits<double>::quiet_NaN()));
  }
  template <class T>
  static void give(Results& to, const std::string& name, const std::vector<T>& from) {
    if (from.empty()) return;
    Named named{name, Numbers(from.size())};
    for (size_t i = 0; i < from.size(); i++) named.values[i] = widened(from[i]);
    to.push_back(named);
  }
  template <class T>
  static void give(Results& to, const std::string& name, const std::vector<T>* from, int count) {
    for (int k = 0; k < count; k++) give(to, name + " " + std::to_string(k), from[k]);
  }
};

}  // namespace peephole::tests
