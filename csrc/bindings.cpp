// What Python sees: pointers and sizes as whole numbers, in the order in which `_native/layer.py` writes them. The
// interpreter lock is released while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "decode/streams.h"
#include "kernels.h"
#include "noise.h"
#include "reader.h"
#include "workspace.h"

namespace nb = nanobind;
using namespace peephole;

namespace peephole {
void bind_learning(nb::module_& m);
void bind_vocabulary(nb::module_& m);
}

namespace {

void read_cell(Layer& layer, const Numbers& numbers) {
  Reader read(numbers, "the cell");
  Switches& cell = layer.cell;
  cell.family = read.choice<Family>();
  cell.layer_norm = read.flag();
  cell.nonlinearity = read.choice<Nonlinearity>();
  cell.taps = int(read.number());
  cell.residual = read.choice<Residual>();
  cell.peephole = read.choice<Peephole>();
  cell.candidate_peephole = read.flag();
  cell.coupled = read.flag();
  cell.input_gate = read.flag();
  cell.forget_gate = read.flag();
  cell.output_gate = read.flag();
  cell.input_activation = read.flag();
  cell.output_activation = read.flag();
  cell.gate_recurrence = read.flag();
  cell.reset = read.choice<Reset>();
  cell.update_writes = read.flag();
}

int read_sizes(Layer& layer, const Numbers& numbers) {
  Reader read(numbers, "sizes");
  layer.precision = read.choice<Precision>();
  layer.reverse = read.flag();
  layer.threads = int(read.number());
  layer.steps = read.number();
  layer.batch = read.number();
  layer.input = read.number();
  layer.hidden = read.number();
  layer.projection = read.number();
  layer.checkpoint_every = read.number();
  const int states = int(read.number());
  if (states < 1 || states > MAX_STATES) throw std::invalid_argument("a cell has 1 to 10 states");
  for (int k = 0; k < states; k++) {
    layer.zoneout[k].step = read.number();
    layer.zoneout[k].row = read.number();
    layer.zoneout[k].unit = read.number();
  }
  return states;
}

void read_inputs(Layer& layer, Reader& read, int states) {
  layer.x = read.pointer<>();
  layer.symbols = read.pointer<int64_t>();
  layer.table = read.pointer<>();
  for (auto& weight : layer.weights) weight = read.pointer<>();
  layer.lengths = read.pointer<int64_t>();
  layer.resets = read.pointer<uint8_t>();
  layer.recurrent_mask = read.pointer<>();
  for (int k = 0; k < states; k++) layer.states[k] = read.pointer<>();
  for (int k = 0; k < states; k++) layer.zoneout[k].data = read.pointer<>();
}

Layer read_layer(const Numbers& cell, const Numbers& sizes, int& states) {
  Layer layer{};
  read_cell(layer, cell);
  states = read_sizes(layer, sizes);
  return layer;
}

// A whole call: what both directions are given, then what `rest` reads.
template <class Rest>
Layer read_call(const Numbers& cell, const Numbers& sizes, const Numbers& pointers, Rest rest) {
  int states;
  Layer layer = read_layer(cell, sizes, states);
  Reader read(pointers, "pointers");
  read_inputs(layer, read, states);
  layer.y = read.pointer<>();
  layer.saved = read.pointer<>();
  rest(layer, read, states);
  return layer;
}

void forward(const std::string& instructions, const Numbers& cell, const Numbers& sizes, const Numbers& pointers) {
  kernels_called(instructions).forward(read_call(cell, sizes, pointers, [](Layer& layer, Reader& read, int states) {
    layer.checkpoints = read.pointer<>();
    layer.preactivations = read.pointer<>();
    for (int k = 0; k < states; k++) layer.finals[k] = read.pointer<>();
  }));
}

void backward(const std::string& instructions, const Numbers& cell, const Numbers& sizes, const Numbers& pointers) {
  kernels_called(instructions).backward(read_call(cell, sizes, pointers, [](Layer& layer, Reader& read, int states) {
    layer.dy = read.pointer<>();
    layer.dx = read.pointer<>();
    layer.dtable = read.pointer<>();
    for (auto& weight : layer.dweights) weight = read.pointer<>();
    for (int k = 0; k < states; k++) layer.dfinals[k] = read.pointer<>();
    for (int k = 0; k < states; k++) layer.dstates[k] = read.pointer<>();
    layer.dhidden = read.pointer<>();
    layer.dcell = read.pointer<>();
    layer.dz = read.pointer<>();
  }));
}

long saved_size(const std::string& instructions, const Numbers& cell, const Numbers& sizes) {
  int states;
  const Layer layer = read_layer(cell, sizes, states);
  return kernels_called(instructions).saved_size(layer);
}

// Numbers to a vector: how wide the blocks of what forward saves are.
long lanes(const std::string& instructions, bool full) {
  return kernels_called(instructions).bytes / long(full ? sizeof(double) : sizeof(float));
}

std::vector<std::string> supported() {
  std::vector<std::string> names;
  for (const Kernels* one : supported_kernels()) names.push_back(one->name);
  return names;
}

// Bytes from the memory that calls keep, given back when nobody holds them any more.
nb::ndarray<uint8_t, nb::ndim<1>> room(size_t bytes) {
  auto* workspace = new Workspace(bytes);
  nb::capsule owner(workspace, [](void* held) noexcept { delete static_cast<Workspace*>(held); });
  return nb::ndarray<uint8_t, nb::ndim<1>>(workspace->data(), {bytes}, owner);
}

Stream stream_of(int64_t seed, int64_t purpose, long steps, long rows, long units) {
  return {uint64_t(seed), uint32_t(purpose), steps, rows, units};
}

// --- decoding ---

// Sizes of a model, and where its numbers lie; `pointers` is empty where the model was packed before.
DecoderModel read_model(const Numbers& sizes, const std::vector<Numbers>& cells, const Numbers& pointers,
                        const std::vector<double>& kept) {
  DecoderModel model{};
  Reader size(sizes, "the model's sizes"), pointer(pointers, "the model's pointers");
  const bool packs = !pointers.empty();
  const auto floats = [&](bool there) { return packs && there ? pointer.pointer<const float>() : nullptr; };
  model.storage = size.choice<Storage>();
  model.learned = size.flag();
  model.symbols = size.number();
  model.folded = size.flag();
  model.outputs = size.number();
  model.head_bias = size.flag();
  model.softmax = size.flag();
  model.features = size.number();
  model.entry_bias = size.flag();
  size_t share = 0;
  for (const Numbers& cell : cells) {
    auto& stage = model.stages.emplace_back();
    read_cell(stage.layer, cell);
    stage.layer.input = size.number();
    stage.layer.hidden = size.number();
    stage.layer.projection = size.number();
    stage.states = int(size.number());
    if (stage.states < 1 || stage.states > MAX_STATES) throw std::invalid_argument("a cell has 1 to 10 states");
    for (int k = 0; k < stage.states; k++) {
      stage.state_sizes[k] = size.number();
      stage.kept[k] = float(kept.at(share++));
      stage.initial[k] = floats(model.learned);
    }
    for (int which = 0; which < WEIGHTS; which++) {
      stage.has[which] = size.flag();
      stage.layer.weights[which] = floats(stage.has[which]);
    }
  }
  model.table = floats(model.symbols > 0);
  model.head = floats(model.outputs > 0);
  model.bias = floats(model.head_bias);
  model.entry = floats(model.features > 0);
  model.entry_shift = floats(model.entry_bias);
  return model;
}

size_t snapshot_size(const std::string& instructions, const Numbers& sizes, const std::vector<Numbers>& cells,
                     const std::vector<double>& kept) {
  return Snapshot::size(instructions, read_model(sizes, cells, {}, kept));
}

void pack_snapshot(const std::string& instructions, const Numbers& sizes, const std::vector<Numbers>& cells,
                   const std::vector<double>& kept, const Numbers& pointers, int64_t memory) {
  Snapshot::pack(instructions, read_model(sizes, cells, pointers, kept), reinterpret_cast<char*>(memory));
}

std::shared_ptr<Snapshot> open_snapshot(const std::string& instructions, const Numbers& sizes,
                                        const std::vector<Numbers>& cells, const std::vector<double>& kept,
                                        int64_t memory) {
  return std::make_shared<Snapshot>(instructions, read_model(sizes, cells, {}, kept), reinterpret_cast<char*>(memory));
}

template <class T>
T* at(int64_t address) {
  return reinterpret_cast<T*>(address);
}

// Steps of given input: vectors or symbols; `out` and surprisals of `targets` where they are wanted.
void step_streams(Streams& streams, int64_t ids, long rows, long steps, int threads, int64_t x, int64_t symbols,
                  int64_t resets, int64_t out, int64_t targets, int64_t surprisals) {
  Decoding call;
  call.rows = rows;
  call.steps = steps;
  call.threads = threads;
  call.x = at<const float>(x);
  call.symbols = at<const int64_t>(symbols);
  call.resets = at<const uint8_t>(resets);
  call.out = at<float>(out);
  call.targets = at<const int64_t>(targets);
  call.surprisals = at<float>(surprisals);
  streams.run(at<const int64_t>(ids), call);
}

// One step, to which Python adds as little as it can.
void step_once(Streams& streams, int64_t ids, long rows, int threads, int64_t input, int64_t out) {
  Decoding call;
  call.rows = rows;
  call.threads = threads;
  if (streams.snapshot().model().symbols) {
    call.symbols = at<const int64_t>(input);
  } else {
    call.x = at<const float>(input);
  }
  call.out = at<float>(out);
  streams.run(at<const int64_t>(ids), call);
}

// Steps whose input is what the step before drew; `symbols` are the first.
void draw_streams(Streams& streams, int64_t ids, long rows, long steps, int threads, int64_t symbols, double temperature,
                  long top_k, double top_p, int64_t end, const Numbers& never, int64_t drawn) {
  Drawing drawing;
  drawing.temperature = temperature;
  drawing.top_k = top_k;
  drawing.top_p = top_p;
  drawing.end = end;
  drawing.never = never;
  Decoding call;
  call.rows = rows;
  call.steps = steps;
  call.threads = threads;
  call.symbols = at<const int64_t>(symbols);
  call.drawing = &drawing;
  call.drawn = at<int64_t>(drawn);
  streams.run(at<const int64_t>(ids), call);
}

void words(const std::string& instructions, int64_t seed, int64_t purpose, long steps, long rows, long units,
           int64_t out, int threads) {
  kernels_called(instructions).words(stream_of(seed, purpose, steps, rows, units), reinterpret_cast<int64_t*>(out), threads);
}

void choose(const std::string& instructions, int64_t seed, int64_t purpose, long steps, long rows, long units,
            int64_t limit, double yes, double no, int64_t out, bool full, int threads) {
  kernels_called(instructions)
      .choose(stream_of(seed, purpose, steps, rows, units), uint64_t(limit), yes, no, reinterpret_cast<void*>(out), full,
              threads);
}

}  // namespace

NB_MODULE(_core, m) {
  using Released = nb::call_guard<nb::gil_scoped_release>;
  m.def("supported", &supported);
  m.def("saved_size", &saved_size);
  m.def("lanes", &lanes);
  m.def("room", &room);
  m.def("forward", &forward, Released());
  m.def("backward", &backward, Released());
  m.def("words", &words, Released());
  m.def("choose", &choose, Released());
  m.def("snapshot_size", &snapshot_size);
  m.def("pack_snapshot", &pack_snapshot, Released());
  nb::class_<Snapshot>(m, "Snapshot");
  m.def("open_snapshot", &open_snapshot);
  nb::class_<Streams>(m, "Streams")
      .def(nb::init<std::shared_ptr<Snapshot>>())
      .def("count", &Streams::count)
      .def("join", [](Streams& s, long count, int64_t ids) { s.join(count, at<int64_t>(ids)); })
      .def("leave", [](Streams& s, int64_t ids, long count) { s.leave(at<const int64_t>(ids), count); })
      .def("reset", [](Streams& s, int64_t ids, long count) { s.reset(at<const int64_t>(ids), count); })
      .def("copy",
           [](Streams& s, int64_t from, int64_t to, long count) {
             s.copy(at<const int64_t>(from), at<const int64_t>(to), count);
           })
      .def("read_states",
           [](Streams& s, int64_t ids, long count, int64_t to) { s.read_states(at<const int64_t>(ids), count, at<float>(to)); })
      .def("write_states",
           [](Streams& s, int64_t ids, long count, int64_t from) {
             s.write_states(at<const int64_t>(ids), count, at<const float>(from));
           })
      .def("seed",
           [](Streams& s, int64_t ids, long count, int64_t seed, int64_t numbers, int64_t drawn) {
             s.seed(at<const int64_t>(ids), count, uint64_t(seed), at<const uint64_t>(numbers), at<const uint64_t>(drawn));
           })
      .def("read_generators",
           [](Streams& s, int64_t ids, long count, int64_t to) {
             s.read_generators(at<const int64_t>(ids), count, at<uint64_t>(to));
           })
      .def("step_once", &step_once, Released())
      .def("step", &step_streams, Released())
      .def("draw", &draw_streams, Released());
  bind_learning(m);
  bind_vocabulary(m);
}
