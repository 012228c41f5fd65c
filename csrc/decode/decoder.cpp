// A decoder with one set of instructions: who of the team takes which rows or units. Compiled once for each set.
#include <chrono>
#include <map>

#include "../kernels.h"
#include "engine.h"
#include "pace.h"

namespace peephole::PEEPHOLE_ISA {
namespace {

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
      bytes_ += double(layer.input + layer.hidden) * layer.hidden * Plan::gates_of(stage);
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
