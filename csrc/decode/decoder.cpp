// A decoder with one set of instructions: layers and head for a number of rows, and the loop over steps. Compiled once for
// each set.
#include <chrono>
#include <map>

#include "../kernels.h"
#include "draw.h"
#include "pace.h"
#include "steps.h"

namespace peephole::PEEPHOLE_ISA {
namespace {

constexpr int LANE = BLOCK<Stored>;

// The model with its parts where the shelf has them, ready for teams of `members` and so many rows.
class Plan {
 public:
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

  static long gates_of(const DecoderModel::Stage& stage) {
    const Switches& cell = stage.layer.cell;
    if (cell.family == Family::rnn) return 1;
    if (cell.family == Family::gru) return cell.reset == Reset::none ? 2 : 3;
    return 1 + cell.input_gate + (cell.forget_gate && !cell.coupled) + cell.output_gate;
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

// Rows of a call that run together, from step `from` to step `to` - 1.
struct Rows {
  const Decoding& call;
  long first, count, from, to;
};

class Engine {
 public:
  Engine(const DecoderModel& model, const Shelf& shelf, char* memory, long rows, int members)
      : model_(model), shelf_(shelf), plan_(model, shelf_, rows, members),
        workspace_(Plan(model, shelf_, rows, members).count(memory, false)), samplers_(members) {
    plan_.take(workspace_, memory, false);
  }

  // Called by each member.
  void run(const Rows& rows, int member, int members, Barrier& barrier) {
    const Decoding& call = rows.call;
    const Part part{member, members, rows.count};
    float* const* records = call.records + rows.first;
    const long start = turn_;
    long place = 0;
    for (size_t i = 0; i < plan_.steps.size(); i++) {
      plan_.steps[i]->enter(start, part, records, place);
      place += width_of(model_.stages[i]);
    }
    if (member == 0 && call.generators) {
      const int64_t* fed = rows.from ? call.drawn + (rows.from - 1) * call.rows : call.symbols;
      std::copy_n(fed + rows.first, rows.count, plan_.symbols);
    }
    barrier.wait();
    for (long step = rows.from; step < rows.to; step++) {
      const long n = start + step - rows.from, row_of_call = step * call.rows + rows.first;
      if (call.resets) restart(n, part, call.resets + row_of_call, barrier);
      Fed fed = fed_from(rows, part, row_of_call, barrier);
      for (const auto& layer : plan_.steps) {
        layer->step(n, part, fed, barrier);
        fed = layer->shown(n + 1);
      }
      if (model_.outputs) {
        multiply(plan_.head, part, fed);
        barrier.wait();
      }
      for (long row = rows.count * member / members; row < rows.count * (member + 1) / members; row++) {
        finish(rows, part, fed, row, row_of_call + row);
      }
      if (call.generators) barrier.wait();
    }
    place = 0;
    for (size_t i = 0; i < plan_.steps.size(); i++) {
      plan_.steps[i]->leave(part, records, place);
      place += width_of(model_.stages[i]);
    }
    barrier.wait();
    if (member == 0) turn_ = (start + rows.to - rows.from) % 2;  // slots of operands take turns, and so does the order of units
  }

 private:
  const DecoderModel& model_;
  Shelf shelf_;
  Plan plan_;
  Workspace workspace_;
  std::vector<Sampler> samplers_;
  long turn_ = 0;

  static long width_of(const DecoderModel::Stage& stage) {
    long total = 0;
    for (int k = 0; k < stage.states; k++) total += stage.state_sizes[k];
    return total;
  }

  void restart(long n, const Part& part, const uint8_t* resets, Barrier& barrier) {
    if (!std::count(resets, resets + part.rows, uint8_t(1))) return;
    barrier.wait();  // others may still be reading what the step before showed
    for (long row = 0; row < part.rows; row++) {
      if (!resets[row]) continue;
      for (size_t i = 0; i < plan_.steps.size(); i++) plan_.steps[i]->restart(n, part, row, plan_.initial[i].data());
    }
    barrier.wait();
  }

  Fed fed_from(const Rows& rows, const Part& part, long row_of_call, Barrier& barrier) {
    const Decoding& call = rows.call;
    const int64_t* symbols = call.generators ? plan_.symbols : call.symbols + row_of_call;
    const long size = model_.input();
    if (!model_.symbols) {
      const Fed fed{call.x + row_of_call * model_.fed(), model_.fed(), plan_.x_blocks, nullptr};
      if (!model_.features) return fed;
      multiply(plan_.entry, part, fed);
      barrier.wait();
      return {plan_.entry.result, LANE, plan_.entry_blocks, nullptr};
    }
    if (!plan_.embeds()) return {nullptr, 0, nullptr, symbols};
    float* x = plan_.x + part.member * rows.count * size;
    for (long row = 0; row < rows.count; row++) std::copy_n(plan_.table + symbols[row] * size, size, x + row * size);
    return {x, size, plan_.x_blocks, nullptr};
  }

  // A member's share of the columns.
  void multiply(const Plan::Linear& by, const Part& part, const Fed& fed) {
    const int columns = int(by.columns.size());
    const int first = columns * part.member / part.members, last = columns * (part.member + 1) / part.members;
    convert_rows(by.weights, part.member, fed.rows, fed.stride, fed.blocks, part.rows);
    multiply_by(by.weights, part.member, fed.rows, fed.stride, fed.blocks, part.rows, by.columns.data(), first, last,
                {by.result, capacity() * LANE}, by.bias, last);
  }

  long capacity() const { return plan_.layers.front().batch; }

  // What the caller wants of a row after a step.
  void finish(const Rows& rows, const Part& part, const Fed& shown, long row, long row_of_call) {
    const Decoding& call = rows.call;
    const long width = model_.width();
    float* out = call.out ? call.out + row_of_call * width : nullptr;
    if (!model_.outputs) {
      if (!out) return;
      for (int block = 0; block < blocks_of<Stored>(width); block++) {
        store_external<float>(out + long(block) * LANE, load(shown.rows + row * shown.stride + shown.blocks[block]),
                              lanes_of<Stored>(width, block));
      }
      return;
    }
    if (!out && !call.surprisals && !call.generators) return;
    const int blocks = int(plan_.head.columns.size());
    float* logits = plan_.row_logits + part.member * blocks * LANE;
    for (int block = 0; block < blocks; block++) {
      store(logits + block * LANE, load(plan_.head.result + (block * capacity() + row) * LANE));
    }
    double total = 0;
    if (model_.softmax || call.surprisals) total = log_sum(logits, width);
    if (out) {
      const float less = model_.softmax ? float(total) : 0;
      for (long i = 0; i < width; i++) out[i] = logits[i] - less;
    }
    if (call.surprisals) call.surprisals[row_of_call] = float(total - logits[call.targets[row_of_call]]);
    if (call.generators) {
      int64_t& symbol = plan_.symbols[row];
      // A row that has ended goes on with its end; whoever called looks no further than there.
      const bool ended = symbol == call.drawing->end && row_of_call >= call.rows;
      if (!ended) {
        symbol = samplers_[part.member].draw(logits, width, *call.drawing, *call.generators[rows.first + row]);
      }
      call.drawn[row_of_call] = symbol;
    }
  }
};

constexpr long MOST_ROWS = 256;                // that run together: what they leave stays in the cache
constexpr double WORK_OF_A_TEAM = 1.5e6;       // weights' bytes times rows, less of which one member does as fast
constexpr double LARGE = 800e3;                // bytes of weights that members had better share
constexpr long STEPS_OF_A_PACE = 8;            // after which it is asked again whether working together pays

class DecoderOf final : public Decoder {
 public:
  DecoderOf(const DecoderModel& model, const Shelf& shelf, char* memory) : model_(model), shelf_(shelf), memory_(memory) {
    // What a step reads, whether or not it is looked up.
    for (const auto& stage : model.stages) {
      const Layer& layer = stage.layer;
      double numbers = double(layer.input + layer.hidden) * layer.hidden;
      if (layer.cell.family == Family::lstm) numbers *= 4;
      if (layer.cell.family == Family::gru) numbers *= 3;
      bytes_ += numbers;
    }
    bytes_ *= shelf.storage() == Storage::float32 ? 4 : shelf.storage() == Storage::bfloat16 ? 2 : 1;
  }

  void begin(float* record) override {
    Shelf shelf = shelf_;
    Plan plan(model_, shelf, 1, 1);
    plan.count(memory_, false);
    for (size_t i = 0; i < model_.stages.size(); i++) {
      for (int k = 0; k < model_.stages[i].states; k++) {
        const long size = model_.stages[i].state_sizes[k];
        const float* from = plan.initial[i][k];
        from ? std::copy_n(from, size, record) : std::fill_n(record, size, 0.0f);
        record += size;
      }
    }
  }

  void run(const Decoding& call) override {
    if (call.rows == 0 || call.steps == 0) return;
    const bool small = bytes_ * call.rows < WORK_OF_A_TEAM;
    const Turn turn(small ? 1 : call.threads);
    const int members = turn.threads();
    if (members > 1 && call.rows < members * (bytes_ > LARGE ? 12 : 4)) return share_units(call, members);
    const long most = std::min(MOST_ROWS, (call.rows + members - 1) / members);
    std::vector<Engine*> engines;
    for (int member = 0; member < members; member++) engines.push_back(&engine_for(most, 1, member));
    with_team(members, [&](int member, Barrier&, int present) {
      const DenormalsAreZero here;
      Barrier alone(1);
      const long last = call.rows * (member + 1) / present;
      for (long first = call.rows * member / present; first < last; first += most) {
        engines[member]->run({call, first, std::min(most, last - first), 0, call.steps}, 0, 1, alone);
      }
    });
  }

 private:
  // Few rows: members share the units and meet in every step, as long as that is faster than one alone.
  void share_units(const Decoding& call, int members) {
    using Clock = std::chrono::steady_clock;
    Pace& pace = paces_[{rounded(call.rows), members}];
    for (long from = 0; from < call.steps; from += STEPS_OF_A_PACE) {
      const Rows rows{call, 0, call.rows, from, std::min(from + STEPS_OF_A_PACE, call.steps)};
      const bool together = pace.together();
      Engine& engine = engine_for(call.rows, together ? members : 1, 0);
      const auto before = Clock::now();
      with_team(together ? members : 1, [&](int member, Barrier& barrier, int present) {
        const DenormalsAreZero here;
        engine.run(rows, member, present, barrier);
      });
      const double seconds = std::chrono::duration<double>(Clock::now() - before).count();
      pace.note(together, rows.to - from, seconds / double(rows.to - from));
    }
  }

  const DecoderModel& model_;
  const Shelf shelf_;
  char* const memory_;
  double bytes_ = 0;
  std::map<std::tuple<long, int, int>, std::unique_ptr<Engine>> engines_;
  std::map<std::pair<long, int>, Pace> paces_;  // of so many rows and members

  // Buffers for that many rows or a few more, so that not every number has buffers of its own.
  static long rounded(long rows) {
    long size = 1;
    while (size < rows) size = size < 4 ? size + 1 : size + (size >= 8 ? 1L << (63 - __builtin_clzl(size) - 1) : 2);
    return size;
  }

  Engine& engine_for(long rows, int members, int member) {
    auto& engine = engines_[{rounded(rows), members, member}];
    if (!engine) engine = std::make_unique<Engine>(model_, shelf_, memory_, rounded(rows), members);
    return *engine;
  }
};

}  // namespace

size_t decoder_size(const DecoderModel& model, const ByteProducts& products) {
  Shelf shelf(model.storage, products);
  Plan(model, shelf, 1, 1).count(nullptr, false);
  return shelf.used();
}

void pack_decoder(const DecoderModel& model, const ByteProducts& products, char* memory) {
  Shelf shelf(model.storage, products);
  Plan(model, shelf, 1, 1).count(memory, true);
}

std::unique_ptr<Decoder> open_decoder(const DecoderModel& model, const ByteProducts& products, char* memory) {
  return std::make_unique<DecoderOf>(model, Shelf(model.storage, products), memory);
}

}  // namespace peephole::PEEPHOLE_ISA
