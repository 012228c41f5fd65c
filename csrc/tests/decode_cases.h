// Decoders: streams against the whole sequence, and what no number of rows, steps or threads and no instructions may
// change.
#pragma once

#include <atomic>
#include <memory>
#include <new>
#include <thread>

#include "byte_cases.h"
#include "decode/streams.h"

namespace peephole::tests {

constexpr double LOW_TOLERANCE = 0.3;  // of weights in bfloat16 or int8: it finds what is wrong, not what is inexact

// Memory that begins at a cache line and ends where the numbers do.
struct Lines {
  explicit Lines(size_t size) : data(new (std::align_val_t(64)) char[size]()) {}
  ~Lines() { operator delete[](data, std::align_val_t(64)); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  char* const data;
};

// A case as far as a stream can have it: one direction, no lengths, no noise but zoneout's shares.
inline Case streamed(Case c) {
  c.options.reverse = c.options.lengths = c.options.mask = false;
  if (c.options.zoneout != Zoneout::share) c.options.zoneout = Zoneout::none;
  return c;
}

// The layer of a case, packed, and its results over the whole sequence.
class Streamed {
 public:
  Streamed(const Case& c, const Kernels& kernels)
      : case_(streamed(c)), drawn_(case_), call_(case_, drawn_), shape_(case_), kernels_(kernels) {
    soil_workspace();
    call_.forward(kernels);
    auto& stage = model_.stages.emplace_back();
    stage.layer = {};
    stage.layer.cell = call_.layer.cell;
    stage.layer.input = case_.sizes.input;
    stage.layer.hidden = case_.sizes.hidden;
    stage.layer.projection = call_.layer.projection;
    stage.states = shape_.states;
    for (int k = 0; k < shape_.states; k++) {
      stage.state_sizes[k] = shape_.units(case_, k);
      stage.kept[k] = k < 2 && call_.layer.zoneout[k].data ? 0.25f : 0.0f;
      stage.initial[k] = nullptr;
    }
    for (int which = 0; which < WEIGHTS; which++) {
      stage.has[which] = call_.layer.weights[which] && !(which == IH && case_.options.symbols);
      stage.layer.weights[which] = stage.has[which] ? call_.layer.weights[which] : nullptr;
    }
    model_.learned = false;
    if (case_.options.symbols) {
      model_.symbols = SYMBOLS;
      model_.folded = true;
      model_.table = call_.table.data();
    }
  }

  const Case& of() const { return case_; }

  Results whole() const {
    Results results{{"y", {}}, {"states", {}}};
    const long batch = case_.sizes.batch, count = case_.sizes.steps * batch * shape_.output;
    const auto* y = static_cast<const float*>(call_.layer.y);
    results[0].values.assign(y, y + count);
    for (long row = 0; row < batch; row++) {
      for (int k = 0; k < shape_.states; k++) {
        const auto* from = static_cast<const float*>(call_.layer.finals[k]) + row * shape_.units(case_, k);
        results[1].values.insert(results[1].values.end(), from, from + shape_.units(case_, k));
      }
    }
    return results;
  }

  // From here on it gives logits, one for each of its symbols.
  void add_head() {
    std::mt19937 engine(case_.number);
    for (long i = 0; i < SYMBOLS * (shape_.output + 1); i++) head_.push_back(float(double(engine()) / 2147483648.0 - 1));
    model_.outputs = SYMBOLS;
    model_.head_bias = true;
    model_.head = head_.data();
    model_.bias = head_.data() + SYMBOLS * shape_.output;
  }

  // Texts of all rows, from zero states on.
  std::vector<int64_t> draw(long steps, int threads) {
    const long rows = case_.sizes.batch;
    std::vector<std::vector<float>> records(rows, std::vector<float>(model_.record()));
    std::vector<float*> places;
    std::vector<Generator> generators(rows);
    std::vector<Generator*> theirs;
    for (long row = 0; row < rows; row++) {
      places.push_back(records[row].data());
      generators[row].number = uint64_t(row);
      theirs.push_back(&generators[row]);
    }
    const std::vector<int64_t> begin(rows);
    std::vector<int64_t> drawn(steps * rows, -1);
    Drawing drawing;
    drawing.top_p = 0.95;
    drawing.top_k = SYMBOLS - 1;
    drawing.end = SYMBOLS - 1;
    Decoding call;
    call.steps = steps;
    call.rows = rows;
    call.threads = threads;
    call.records = places.data();
    call.symbols = begin.data();
    call.generators = theirs.data();
    call.drawing = &drawing;
    call.drawn = drawn.data();
    decoder_->run(call);
    for (const Generator& one : generators) drawn.push_back(int64_t(one.drawn));
    return drawn;
  }

  void pack(Storage storage, const ByteProducts& products) {
    model_.storage = storage;
    memory_ = std::make_unique<Lines>(kernels_.decoder_size(model_, products));
    kernels_.pack_decoder(model_, products, memory_->data);
    decoder_ = kernels_.open_decoder(model_, products, memory_->data);
  }

  // Rows `first` on as streams, all steps in one call or each in its own.
  Results run(long first, long rows, int threads, bool at_once) {
    const long steps = case_.sizes.steps, batch = case_.sizes.batch, input = case_.sizes.input, width = shape_.output;
    std::vector<std::vector<float>> records(rows, std::vector<float>(model_.record()));
    std::vector<float*> places;
    for (long row = 0; row < rows; row++) {
      float* to = records[row].data();
      places.push_back(to);
      for (int k = 0; k < shape_.states; k++) {
        const long units = shape_.units(case_, k);
        to = std::copy_n(call_.states[k].data() + (first + row) * units, units, to);
      }
    }
    const auto part = [&](const auto& of, long size) {
      std::remove_cvref_t<decltype(of)> taken;
      for (long t = 0; t < steps && !of.empty(); t++) {
        const auto from = of.begin() + (t * batch + first) * size;
        taken.insert(taken.end(), from, from + rows * size);
      }
      return taken;
    };
    const auto x = part(call_.x, input);
    const auto symbols = part(drawn_.symbols, 1);
    const auto resets = part(drawn_.resets, 1);
    std::vector<float> out(steps * rows * width, std::numeric_limits<float>::quiet_NaN());
    for (long t = 0; t < steps; t += at_once ? steps : 1) {
      Decoding call;
      call.steps = at_once ? steps : 1;
      call.rows = rows;
      call.threads = threads;
      call.x = x.empty() ? nullptr : x.data() + t * rows * input;
      call.symbols = symbols.empty() ? nullptr : symbols.data() + t * rows;
      call.resets = resets.empty() ? nullptr : resets.data() + t * rows;
      call.records = places.data();
      call.out = out.data() + t * rows * width;
      soil_workspace();
      decoder_->run(call);
    }
    Results results{{"y", Numbers(out.begin(), out.end())}, {"states", {}}};
    for (const auto& record : records) {
      results[1].values.insert(results[1].values.end(), record.begin(), record.end());
    }
    return results;
  }

  // Of results of all rows those of some.
  Results part_of(const Results& all, long first, long rows) const {
    const long batch = case_.sizes.batch, width = shape_.output, record = model_.record();
    Results part{{"y", {}}, {"states", {}}};
    for (long t = 0; t < case_.sizes.steps; t++) {
      const auto from = all[0].values.begin() + (t * batch + first) * width;
      part[0].values.insert(part[0].values.end(), from, from + rows * width);
    }
    const auto from = all[1].values.begin() + first * record;
    part[1].values.assign(from, from + rows * record);
    return part;
  }

  const DecoderModel& model() const { return model_; }
  char* memory() const { return memory_->data; }

 private:
  Case case_;
  Drawn drawn_;
  Call<float> call_;
  Shape shape_;
  const Kernels& kernels_;
  DecoderModel model_{};
  std::vector<float> head_;
  std::unique_ptr<Lines> memory_;
  std::unique_ptr<Decoder> decoder_;
};

constexpr Storage STORAGES[] = {Storage::float32, Storage::bfloat16, Storage::int8};
constexpr const char* STORAGE_NAMES[] = {"float32", "bfloat16", "int8"};

inline void check_streamed(const Case& c, const Kernels& kernels) {
  Streamed streamed(c, kernels);
  const Results want = streamed.whole();
  const long batch = c.sizes.batch, first = batch / 2;
  for (const Storage storage : STORAGES) {
    const std::string what =
        streamed.of().name() + ", streamed, " + kernels.name + ", " + STORAGE_NAMES[int(storage)] + ": ";
    streamed.pack(storage, byte_products_for(kernels.name));
    const Results got = streamed.run(0, batch, 1, true);
    check(filled(got), what + "not every number is written, or one is not finite");
    compare(got, want, storage == Storage::float32 ? 1e-5 : LOW_TOLERANCE, 0.1, what + "against the whole sequence");
    check(same_bits(streamed.run(0, batch, 1, false), got), what + "other bits step by step");
    check(same_bits(streamed.run(first, batch - first, 1, true), streamed.part_of(got, first, batch - first)),
          what + "other bits beside other rows");
    check(same_bits(streamed.run(first, 1, 1, false), streamed.part_of(got, first, 1)), what + "other bits alone");
    if (storage != Storage::int8) continue;
    streamed.pack(storage, byte_products_for(kernels.name, false));
    check(same_bits(streamed.run(0, batch, 1, true), got), what + "other bits without the best instructions");
  }
}

// Weights enough for a team, which shares the units among it or, where there are many, the rows. Several times: one alone
// takes the first steps.
inline void check_teams(const Variant& variant, const Kernels& kernels, unsigned number) {
  for (const Sizes& sizes : {Sizes{161, 37, 7, 3}, Sizes{130, 70, 41, 2}}) {
    Options options{};
    options.resets = number % 2;
    options.symbols = number % 3 == 0;
    options.zoneout = number % 5 ? Zoneout::none : Zoneout::share;
    Streamed streamed({variant, sizes, options, number}, kernels);
    for (const Storage storage : STORAGES) {
      streamed.pack(storage, byte_products_for(kernels.name));
      const Results alone = streamed.run(0, sizes.batch, 1, true);
      for (int turn = 0; turn < 8; turn++) {
        const int threads = 2 + turn % 2;
        check(same_bits(streamed.run(0, sizes.batch, threads, number % 2), alone),
              streamed.of().name() + ", streamed, " + kernels.name + ", " + STORAGE_NAMES[int(storage)] +
                  ": other bits with " + std::to_string(threads) + " threads");
      }
    }
  }
}

inline void check_texts(const Variant& variant, const Kernels& kernels, unsigned number) {
  for (long batch : {5, 39}) {
    Options options{};
    options.symbols = true;
    Streamed streamed({variant, {161, 3, batch, 1}, options, number}, kernels);
    streamed.add_head();
    for (const Storage storage : STORAGES) {
      streamed.pack(storage, byte_products_for(kernels.name));
      const auto alone = streamed.draw(30, 1);
      const bool known = std::all_of(alone.begin(), alone.end(), [](int64_t one) { return one >= 0; });
      for (int threads : {2, 3}) {
        check(known && streamed.draw(30, threads) == alone,
              variant.name + ", drawn, " + kernels.name + ", " + STORAGE_NAMES[int(storage)] + ": another text with " +
                  std::to_string(threads) + " threads");
      }
    }
  }
}

// Threads that step their own streams of one set at the same time; others come and go meanwhile.
inline void check_callers(const Variant& variant, const Kernels& kernels, unsigned number) {
  constexpr int CALLERS = 3, ROWS = 5;
  Streamed streamed({variant, {33, 9, ROWS, 6}, {}, number}, kernels);
  streamed.pack(Storage::int8, byte_products_for(kernels.name));
  Streams streams(std::make_shared<Snapshot>(kernels.name, streamed.model(), streamed.memory()));
  const long width = streamed.model().width(), record = streamed.model().record();
  const std::vector<float> x(ROWS * 9, 0.5f);
  const auto steps = [&](int threads) {
    int64_t ids[ROWS], passing;
    streams.join(ROWS, ids);
    std::vector<float> out(ROWS * width), states(ROWS * record);
    for (int step = 0; step < 20; step++) {
      streams.join(1, &passing);
      Decoding call;
      call.rows = ROWS;
      call.threads = threads;
      call.x = x.data();
      call.out = out.data();
      streams.run(ids, call);
      streams.leave(&passing, 1);
    }
    streams.read_states(ids, ROWS, states.data());
    streams.leave(ids, ROWS);
    out.insert(out.end(), states.begin(), states.end());
    return out;
  };
  const auto want = steps(1);
  std::atomic<bool> same{true};
  std::vector<std::thread> callers;
  for (int k = 0; k < CALLERS; k++) {
    callers.emplace_back([&, k] {
      if (steps(k + 1) != want) same = false;
    });
  }
  for (auto& caller : callers) caller.join();
  check(same && streams.count() == 0, variant.name + ", streamed, " + kernels.name + ": other bits beside other callers");
}

inline void check_decoding(const std::vector<Case>& cases) {
  check_bytes();
  std::string last;
  unsigned number = 0;
  for (const Case& c : cases) {
    const auto& sets = supported_kernels();
    for (const Kernels* kernels : sets) check_streamed(c, *kernels);
    if (c.variant.name == last) continue;  // once for each variant
    last = c.variant.name;
    const Kernels& kernels = *sets[number % sets.size()];
    if (number % 4 == 0) check_teams(c.variant, kernels, number / 4);
    if (number % 8 == 1) check_texts(c.variant, kernels, number);
    if (number % 16 == 0) check_callers(c.variant, kernels, number);
    number++;
  }
}

}  // namespace peephole::tests
