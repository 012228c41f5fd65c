// Steps of rows that run together: their states in, step after step through the layers, their states out.
#pragma once

#include "draw.h"
#include "plan.h"

namespace peephole::PEEPHOLE_ISA {

// Rows of a call that run together, from step `from` to step `to` - 1.
struct Rows {
  const Decoding& call;
  long first, count, from, to;
};

class Engine {
 public:
  static constexpr int LANE = BLOCK<Stored>;

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

}  // namespace peephole::PEEPHOLE_ISA
