// A decoder's layers and linear maps for a number of rows, their weights where the shelf has them.
#pragma once

#include "steps.h"

namespace peephole::PEEPHOLE_ISA {

// The model with its parts where the shelf has them, ready for teams of `members` and so many rows.
class Plan {
 public:
  static constexpr int LANE = BLOCK<Stored>;

  Plan(const DecoderModel& model, Shelf& shelf, long rows, int members)
      : model_(model), shelf_(shelf), rows_(rows), members_(members) {}

  // Room that the plan takes, and the shelf's size.
  size_t count(char* memory, bool fills) {
    Allocator room;
    build(room, memory, fills);
    return room.bytes();
  }

  void take(Workspace& workspace, char* memory, bool fills) {
    Allocator room;
    room.serve_from(workspace);
    build(room, memory, fills);
  }

  // Whether what the first layer reads is put together row by row: embedded symbols.
  bool embeds() const { return model_.symbols && !model_.folded; }

  std::vector<Layer> layers;
  std::vector<std::unique_ptr<LayerSteps>> steps;
  std::vector<std::vector<const float*>> initial;  // of each layer and state
  const float* table = nullptr;
  struct Linear {
    Packed<Stored> weights;
    float* bias = nullptr;    // [column blocks][V]
    float* result = nullptr;  // [column blocks][rows][V]
    std::vector<int> columns;
  };
  Linear entry, head;
  float *row_logits = nullptr, *x = nullptr;
  long *x_blocks = nullptr, *entry_blocks = nullptr;
  int64_t* symbols = nullptr;

  // Pre-activations of a unit that x feeds.
  static long gates_of(const DecoderModel::Stage& stage) {
    const Switches& cell = stage.layer.cell;
    if (cell.family == Family::rnn) return 1;
    if (cell.family == Family::gru) return cell.reset == Reset::none ? 2 : 3;
    return 1 + cell.input_gate + (cell.forget_gate && !cell.coupled) + cell.output_gate;
  }

 private:
  const DecoderModel& model_;
  Shelf& shelf_;
  const long rows_;
  const int members_;

  void build(Allocator& room, char* memory, bool fills) {
    shelf_.open(memory, fills);
    layers.clear();
    steps.clear();
    initial.clear();
    layers.reserve(model_.stages.size());  // cells keep references
    const DecoderModel::Stage* first = &model_.stages.front();
    const long table_width = model_.folded ? first->layer.hidden * gates_of(*first) : model_.input();
    table = shelf_.copied(model_.table, size_t(model_.symbols) * table_width, model_.symbols > 0);
    for (const auto& stage : model_.stages) add(stage, room, &stage == first && model_.folded);
    room(symbols, rows_);
    if (embeds()) room(x, size_t(members_) * rows_ * model_.input());
    offsets(room, x_blocks, model_.fed(), LANE);
    if (model_.features) {
      add(entry, room, model_.entry, model_.entry_shift, model_.entry_bias, model_.input(), model_.features);
      offsets(room, entry_blocks, model_.input(), rows_ * LANE);
    }
    if (!model_.outputs) return;
    add(head, room, model_.head, model_.bias, model_.head_bias, model_.outputs, model_.top());
    room(row_logits, size_t(members_) * blocks_of<Stored>(model_.outputs) * LANE);
  }

  void offsets(Allocator& room, long*& to, long size, long stride) {
    const int blocks = blocks_of<Stored>(size);
    room(to, blocks);
    for (int b = 0; to && b < blocks; b++) to[b] = b * stride;
  }

  void add(Linear& made, Allocator& room, const float* matrix, const float* shift, bool biased, long outputs, long inputs) {
    const int columns = blocks_of<Stored>(outputs);
    const float* bias = shelf_.copied(shift, outputs, biased);
    made.weights = take_matrix(shelf_, room, {matrix, {0}, outputs, inputs, 0, inputs}, rows_, members_);
    room(made.bias, size_t(columns) * LANE);
    room(made.result, size_t(columns) * rows_ * LANE);
    if (made.bias) {
      std::fill(made.bias, made.bias + columns * LANE, 0.0f);
      if (bias) std::copy(bias, bias + outputs, made.bias);
    }
    made.columns.clear();
    for (int j = 0; j < columns; j++) made.columns.push_back(j);
  }

  void add(const DecoderModel::Stage& stage, Allocator& room, bool looks_up) {
    layers.push_back(stage.layer);
    Layer& layer = layers.back();
    layer.precision = Precision::single;
    layer.steps = 1;
    layer.batch = rows_;
    layer.threads = members_;
    layer.shelf = &shelf_;
    layer.x = looks_up ? nullptr : &stage;  // any address
    layer.table = table;
    const long gates = gates_of(stage) * layer.hidden;
    for (int k = 0; k < stage.states; k++) {
      if (stage.kept[k] != 0) layer.zoneout[k].data = &stage.kept[k];
    }
    const auto vector = [&](Weight which, long size) {
      layer.weights[which] = shelf_.copied(static_cast<const float*>(stage.layer.weights[which]), size, stage.has[which]);
    };
    vector(BIAS_IH, gates);
    vector(BIAS_HH, gates);
    vector(LN, gates);
    vector(BIAS_LN, gates);
    if (layer.cell.peephole == Peephole::diagonal) {
      const int peepholes = layer.cell.input_gate + (layer.cell.forget_gate && !layer.cell.coupled) +
                            layer.cell.candidate_peephole + layer.cell.output_gate;
      vector(CH, peepholes * layer.hidden);
    }
    initial.emplace_back();
    for (int k = 0; k < stage.states; k++) {
      initial.back().push_back(shelf_.copied(stage.initial[k], stage.state_sizes[k], model_.learned));
    }
    steps.push_back(make_steps(layer, room));
  }
};

}  // namespace peephole::PEEPHOLE_ISA
