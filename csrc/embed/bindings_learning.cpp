// What Python sees of learning word vectors: one call, pointers and sizes as whole numbers, in the order in which
// `_native/word_vectors.py` writes them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "../kernels.h"
#include "../reader.h"

namespace nb = nanobind;

namespace peephole {

static WordLearning read_call(const Numbers& numbers) {
  Reader read(numbers, "a call that learns word vectors");
  WordLearning call{};
  call.tokens = read.pointer<const int32_t>();
  call.starts = read.pointer<const int64_t>();
  call.rates = read.pointer<const double>();
  call.parts = read.number();
  call.first = read.number();
  call.seed = uint64_t(read.number());
  call.inputs = read.pointer<float>();
  call.outputs = read.pointer<float>();
  call.size = read.number();
  call.kept = read.pointer<const uint32_t>();
  call.window = int(read.number());
  call.shrink = read.flag();
  call.bag = read.flag();
  call.divided = read.flag();
  call.negatives = int(read.number());
  call.sharing = int(read.number());
  call.noise = read.pointer<const NoiseSlot>();
  call.words = read.number();
  call.paths = read.pointer<const int64_t>();
  call.nodes = read.pointer<const int32_t>();
  call.turns = read.pointer<const uint8_t>();
  call.threads = int(read.number());
  call.losses = read.pointer<double>();
  call.targets = read.pointer<int64_t>();
  return call;
}

static void learn_words(const std::string& instructions, const Numbers& numbers) {
  const WordLearning call = read_call(numbers);  // which throws where numbers are left over, before any is used
  kernels_called(instructions).learn_words(call);
}

void bind_learning(nb::module_& m) { m.def("learn_words", &learn_words, nb::call_guard<nb::gil_scoped_release>()); }

}  // namespace peephole
