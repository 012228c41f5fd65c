// A decoder as plain data: recurrent layers in one direction, what feeds them and what reads them, and one call of it.
// Knows no instruction set.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../layer.h"
#include "storage.h"

namespace peephole {

// Floats of the caller, alive and untouched while the model is packed. Pointers are null where there is nothing, and
// where the model was packed before: the flags say what there is.
struct DecoderModel {
  struct Stage {
    Layer layer;                       // cell, sizes, weights; the rest is the decoder's
    long state_sizes[MAX_STATES];
    float kept[MAX_STATES];            // zoneout's share of each state
    const float* initial[MAX_STATES];  // [units], what a stream starts from
    int states;
    bool has[WEIGHTS];
  };

  Storage storage;
  std::vector<Stage> stages;
  bool learned;                    // initial states other than zero
  long symbols = 0;                // V: the input is a symbol
  bool folded = false;             // its product with W_ih is looked up
  const float* table = nullptr;    // folded: [V, G H], products without biases; else [V, I], the embedding
  long features = 0;               // of a linear map before the layers; 0 without one
  bool entry_bias = false;
  const float* entry = nullptr;    // [I, features]
  const float* entry_shift = nullptr;
  long outputs = 0;                // of the linear head; 0 without one
  bool softmax = false;            // they are logits: a step gives log-probabilities
  bool head_bias = false;
  const float* head = nullptr;     // [outputs, units of h]
  const float* bias = nullptr;

  long input() const { return stages.front().layer.input; }
  long fed() const { return features ? features : input(); }  // numbers of a vector that comes from outside
  long top() const { return stages.back().state_sizes[0]; }
  long width() const { return outputs ? outputs : top(); }  // of what a step gives
  // Floats of one stream: the states of all layers.
  long record() const {
    long total = 0;
    for (const Stage& stage : stages) {
      for (int k = 0; k < stage.states; k++) total += stage.state_sizes[k];
    }
    return total;
  }
};

// How symbols are drawn: from the likeliest `top_k` (0: all), of these from the likeliest that together reach `top_p`.
struct Drawing {
  double temperature = 1, top_p = 1;
  long top_k = 0;
  int64_t end = -1;                // nothing is drawn after it
  std::vector<int64_t> never;
};

// The random numbers of one stream: those of (seed, number), of which `drawn` have been taken.
struct Generator {
  uint64_t seed = 0, number = 0, drawn = 0;
};

// Several steps of several streams. Exactly one of x, symbols and `generators` feeds them (generators: `symbols` holds the
// first step's, every other is what the step before drew).
struct Decoding {
  long steps = 1, rows = 0;
  int threads = 1;
  const float* x = nullptr;              // [steps, rows, fed()]
  const int64_t* symbols = nullptr;      // [steps, rows]
  const uint8_t* resets = nullptr;       // [steps, rows]: 1 where a row starts anew before the step
  float* const* records = nullptr;       // [rows], each [record()]
  float* out = nullptr;                  // [steps, rows, width()]
  const int64_t* targets = nullptr;      // [steps, rows]
  float* surprisals = nullptr;           // [steps, rows]: -log of the probability of each target
  Generator* const* generators = nullptr;  // [rows]
  const Drawing* drawing = nullptr;
  int64_t* drawn = nullptr;              // [steps, rows]
};

// Buffers for steps over packed weights. One call at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void run(const Decoding&) = 0;
  // The record that a stream begins with.
  virtual void begin(float* record) = 0;
};

}  // namespace peephole
