// One layer of a decoder, step by step: a cell's forward phases over weights that lie packed, for a team that shares the
// rows or the units.
#pragma once

#include "../cells/gru.h"
#include "../cells/lstm_forward.h"
#include "../cells/rnn.h"
#include "model.h"

namespace peephole::PEEPHOLE_ISA {

// Who of the team works: with one member on all rows, else each on its part of the units.
struct Part {
  int member, members;
  long rows;
};

// What a layer reads in a step: rows of floats whose block b lies at rows + r * stride + blocks[b], or symbols of its
// table.
struct Fed {
  const float* rows = nullptr;
  long stride = 0;
  const long* blocks = nullptr;
  const int64_t* symbols = nullptr;
};

class LayerSteps {
 public:
  virtual ~LayerSteps() = default;

  // The states of a team's part, from the records of its rows before step n and to them after step n - 1.
  virtual void enter(long n, const Part& part, float* const* records, long place) = 0;
  virtual void leave(const Part& part, float* const* records, long place) = 0;
  // The states of one row before step n, from where a stream begins.
  virtual void restart(long n, const Part& part, long row, const float* const* initial) = 0;
  virtual void step(long n, const Part& part, const Fed& fed, Barrier& barrier) = 0;
  // h after step n - 1, as the next layer reads it.
  virtual Fed shown(long n) const = 0;
};

template <class Cell>
class StepsOf final : public Cell, public LayerSteps {
 public:
  static constexpr int LANE = BLOCK<Stored>;

  // Of two made alike the first counts the room that it would take, without memory.
  StepsOf(const Layer& layer, Allocator& room) : Cell(layer) {
    this->states_[0].is_operand = true;  // of the next layer, if not of its own
    phases_ = this->plan(room);
    long* blocks = nullptr;
    room(blocks, size_t(this->output_units_));
    for (int b = 0; blocks && b < this->output_units_; b++) blocks[b] = b * layer.batch * LANE;
    output_blocks_ = blocks;
    if (this->zeros_) this->fill_common();
  }

  void enter(long n, const Part& part, float* const* records, long place) override {
    const auto share = share_for(part);
    for (auto& state : this->states_) {
      const auto [first, last] = this->blocks_in(state, share);
      for (long row = 0; row < part.rows; row++) put_row(state, n, row, records[row] + place, first, last);
      place += state.size;
    }
  }

  void leave(const Part& part, float* const* records, long place) override {
    const auto share = share_for(part);
    for (const auto& state : this->states_) {
      const auto [first, last] = this->blocks_in(state, share);
      for (long row = 0; row < part.rows; row++) {
        for (int block = first; block < last; block++) {
          store_external<float>(records[row] + place + long(block) * LANE, load(state.value + this->at(block, row)),
                                this->lanes_of(state.size, block));
        }
      }
      place += state.size;
    }
  }

  void restart(long n, const Part& part, long row, const float* const* initial) override {
    const auto share = share_for(part);
    for (size_t k = 0; k < this->states_.size(); k++) {
      const auto [first, last] = this->blocks_in(this->states_[k], share);
      put_row(this->states_[k], n, row, initial[k], first, last);
    }
  }

  void step(long n, const Part& part, const Fed& fed, Barrier& barrier) override {
    const auto share = share_for(part);
    Step s{};
    s.n = n;
    s.member = share.member;
    s.first_units = share.first_unit == 0 && share.last_unit > 0;
    if (fed.symbols) {
      this->look_up_step(s, share, fed.symbols);
    } else {
      const int per_unit = int(this->input_slots_.size());
      const auto& weights = this->input_weights_;
      convert_rows(weights, share.member, fed.rows, fed.stride, fed.blocks, part.rows);
      multiply_by(weights, share.member, fed.rows, fed.stride, fed.blocks, part.rows, this->input_columns_.data(),
                  share.first_unit * per_unit, share.last_unit * per_unit, {this->z_, this->chunk_rows_ * LANE},
                  this->bias_, share.last_unit * per_unit);
    }
    this->start_from_bias(s, share);
    Cell& cell = *this;
    for (const auto& phase : phases_) {
      this->run_phase(cell, phase, s, n, share);
      this->meet(share, barrier);
    }
  }

  Fed shown(long n) const override { return {this->states_[0].entering.at(n), LANE, output_blocks_, nullptr}; }

 private:
  using Share = typename Cell::Base::Share2D;
  using State = typename Cell::Base::State;

  decltype(std::declval<Cell&>().plan(std::declval<Allocator&>())) phases_;
  const long* output_blocks_;

  Share share_for(const Part& part) const {
    Share share;
    share.member = part.member;
    share.members = part.members;
    share.by_rows = part.members == 1;
    share.last_row = part.rows;
    share.first_unit = this->units_ * part.member / part.members;
    share.last_unit = this->units_ * (part.member + 1) / part.members;
    share.first_output = this->output_units_ * part.member / part.members;
    share.last_output = this->output_units_ * (part.member + 1) / part.members;
    return share;
  }

  // Zero where `from` is null.
  void put_row(State& state, long n, long row, const float* from, int first, int last) {
    for (int block = first; block < last; block++) {
      Vector<float> value{};
      if (from) value = load_external<float>(from + long(block) * LANE, this->lanes_of(state.size, block));
      store(state.value + this->at(block, row), value);
      if (state.is_operand) store(state.entering.at(n) + this->at(block, row), value);
    }
  }
};

inline std::unique_ptr<LayerSteps> make_steps(const Layer& layer, Allocator& room) {
  switch (layer.cell.family) {
    case Family::rnn:
      return std::make_unique<StepsOf<RnnForward<Stored>>>(layer, room);
    case Family::lstm:
      return std::make_unique<StepsOf<LstmForward<Stored>>>(layer, room);
    case Family::gru:
      return std::make_unique<StepsOf<GruForward<Stored>>>(layer, room);
  }
  return nullptr;
}

}  // namespace peephole::PEEPHOLE_ISA
