// The LSTM and its variants (reference/lstm.py): gates, the constant error carousel, output, projection.
//
//   i, f = σ(z + p ∘ c_{t-1})   g = tanh(z (+ p ∘ c_{t-1}))   c_t = f ∘ c_{t-1} + i ∘ g   o = σ(z + p ∘ c_t)
//   h_t = o ∘ tanh(c_t), or W_hr of that
//
// Saved a step and unit: the gates that the cell has, then c_{t-1}; with layer norm also the normalised pre-activations,
// and for each row 1 / their deviation.
#pragma once

#include <vector>

#include "../layer.h"

namespace peephole::PEEPHOLE_ISA {

// What both directions know of a variant.
struct LstmShape {
  int slot[4];        // of i, f, g, o among the gates; -1: the cell lacks it
  int peephole[4];    // its row block in weight_ch; -1: none
  int gates = 0, peepholes = 0;
  std::vector<int> sigmoid_slots;  // of the gates that are fed back
  bool diagonal, full;
  bool output_sees_cell;
  bool plain;  // all gates and activations, and no more than diagonal peepholes of the gates

  explicit LstmShape(const Switches& cell) {
    const bool has[4] = {cell.input_gate, cell.forget_gate && !cell.coupled, true, cell.output_gate};
    diagonal = cell.peephole == Peephole::diagonal;
    full = cell.peephole == Peephole::full;
    for (int gate = 0; gate < 4; gate++) {
      slot[gate] = has[gate] ? gates++ : -1;
      const bool sees = has[gate] && cell.peephole != Peephole::none && (gate != 2 || cell.candidate_peephole);
      peephole[gate] = sees ? peepholes++ : -1;
      if (has[gate] && gate != 2) sigmoid_slots.push_back(slot[gate]);
    }
    output_sees_cell = peephole[3] >= 0;
    plain = gates == 4 && !full && peephole[2] < 0 && cell.input_activation && cell.output_activation &&
            !cell.gate_recurrence && !cell.layer_norm;
  }

  // Slots, and their row blocks in weight_ch, of the gates that see the cell state of the step before.
  std::vector<int> early_slots() const { return early(slot); }
  std::vector<int> early_peepholes() const { return early(peephole); }

 private:
  std::vector<int> early(const int (&of)[4]) const {
    std::vector<int> result;
    for (int gate = 0; gate < 3; gate++) {
      if (peephole[gate] >= 0) result.push_back(of[gate]);
    }
    return result;
  }
};

enum LstmState { HIDDEN, CELL, FED_BACK };

}  // namespace peephole::PEEPHOLE_ISA
