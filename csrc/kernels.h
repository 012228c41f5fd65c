// What one instruction set offers, and the choice among them at run time.
#pragma once

#include <string>
#include <vector>

#include "decode/model.h"
#include "embed/learning.h"
#include "layer.h"

namespace peephole {

struct Stream;

struct Kernels {
  const char* name;       // avx512bf16, avx512, avx2, portable
  int bytes;              // of a register
  bool bfloat16_products;
  void (*forward)(const Layer&);
  void (*backward)(const Layer&);
  long (*saved_size)(const Layer&);  // Reals that forward saves
  // [steps, rows, units] int64 words, or `yes` where the word is below the limit and else `no`, as float or double.
  void (*words)(const Stream&, int64_t* out, int threads);
  void (*choose)(const Stream&, uint64_t limit, double yes, double no, void* out, bool full, int threads);
  // Decoding: bytes that the packed weights of a model take, packing them, and stepping over them. Memory that was packed
  // with registers of as many bytes will do.
  size_t (*decoder_size)(const DecoderModel&, const ByteProducts&);
  void (*pack_decoder)(const DecoderModel&, const ByteProducts&, char* memory);
  std::unique_ptr<Decoder> (*open_decoder)(const DecoderModel&, const ByteProducts&, char* memory);
  void (*learn_words)(const WordLearning&);
};

// Those that this processor can run, best first.
const std::vector<const Kernels*>& supported_kernels();

// The one called `name`; throws std::invalid_argument where it is unknown or this processor lacks it.
const Kernels& kernels_called(const std::string& name);

}  // namespace peephole
