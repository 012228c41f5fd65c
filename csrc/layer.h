// One layer in one direction, as plain data: what a call is given and what it has to fill. Knows no instruction set.
//
// Every tensor is contiguous, owned by the caller, alive and untouched by others until the call returns; outputs overlap
// nothing. "External" is the dtype of x and the weights (float, double, BFloat16), "Real" that of the states (double for
// double, else float).
#pragma once

#include <cstdint>

namespace peephole {

enum class Family { rnn, lstm, gru };
enum class Precision { single, bfloat16, full };
enum class Nonlinearity { tanh, relu, sigmoid, identity, softmax };
enum class Residual { none, input, full };
enum class Peephole { none, diagonal, full };
enum class Reset { after, before, none };

class Shelf;

enum Weight { IH, HH, BIAS_IH, BIAS_HH, HR, CH, GH, LN, BIAS_LN, WEIGHTS };

constexpr int MAX_STATES = 10;  // of a cell: an rnn of ten taps

struct Switches {
  Family family;
  bool layer_norm, candidate_peephole, coupled, input_gate, forget_gate, output_gate;
  bool input_activation, output_activation, gate_recurrence, update_writes;
  Nonlinearity nonlinearity;
  Residual residual;
  Peephole peephole;
  Reset reset;
  int taps;
};

// How much of a state zoneout keeps: [T, B, units], Real; a stride of 0 repeats.
struct Share {
  const void* data;
  long step, row, unit;
};

struct Layer {
  Switches cell;
  Precision precision;
  bool reverse;
  int threads;
  long steps, batch, input, hidden, projection;  // T, B, I, H; P or 0

  const void* x;                    // [T, B, I] External; or null, and then
  const int64_t* symbols;           // [T, B], rows of `table`
  const void* table;                // [V, G H] Real: W_ih x of every symbol, without biases
  const void* weights[WEIGHTS];     // External, shapes as in spec.py; null where the cell has none
  const void* states[MAX_STATES];   // [B, units] Real
  const int64_t* lengths;           // [B] or null
  const uint8_t* resets;            // [T, B] or null
  const void* recurrent_mask;       // [B, units of h] Real, or null
  Share zoneout[MAX_STATES];        // of each state; data null without

  // In a decoder: where matrices lie packed. Then there is one step, its input comes apart (x is null only where it is
  // looked up in `table`), and matrices among the weights are null but when they are packed.
  Shelf* shelf;

  // Forward.
  void* y;                          // [T, B, units of h] External; null in a decoder
  void* finals[MAX_STATES];         // [B, units] Real
  void* saved;                      // saved_size() Reals, or null
  void* checkpoints;                // states before steps 0, n, 2n, … of the walk, [number, B, sum of units] Real, or null
  long checkpoint_every;            // n

  // Backward: y, saved and finals' gradients are read, the rest is written.
  const void* dy;                   // [T, B, units of h] External
  const void* dfinals[MAX_STATES];  // [B, units] Real
  void* dx;                         // [T, B, I] External, or null
  void* dtable;                     // [V, G H] Real, added to; with symbols
  void* dstates[MAX_STATES];        // [B, units] Real
  void* dweights[WEIGHTS];          // as the weights, in Real; null: not wanted. Added to what is there

  // What a trace looks at, or null; Real, steps in the order of time.
  void* preactivations;             // forward: [T, B, G H], what enters the activations
  void* dhidden;                    // backward: [T, B, units of h], all that reaches h_t; unwritten past a row's end
  void* dcell;                      // [T, B, H], likewise of an LSTM's c_t
  void* dz;                         // [T, B, G H], of the pre-activations, before they are normalised
};

}  // namespace peephole
