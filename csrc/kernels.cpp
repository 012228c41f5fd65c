// The kernels of one instruction set: compiled once for each, with PEEPHOLE_ISA and PEEPHOLE_BYTES defined.
#include "kernels.h"

#include "cells/gru.h"
#include "cells/lstm_backward.h"
#include "cells/lstm_forward.h"
#include "cells/rnn.h"
#include "embed/learn.h"
#include "noise.h"

#define PEEPHOLE_TEXT_OF(x) #x
#define PEEPHOLE_TEXT(x) PEEPHOLE_TEXT_OF(x)

#if defined(PEEPHOLE_BFLOAT16_OF)
namespace peephole::PEEPHOLE_BFLOAT16_OF {
extern const Kernels KERNELS;
}
#endif

namespace peephole::PEEPHOLE_ISA {

// decode/decoder.cpp; a set that only multiplies bfloat16 otherwise takes those of the set that it extends.
size_t decoder_size(const DecoderModel&, const ByteProducts&);
void pack_decoder(const DecoderModel&, const ByteProducts&, char* memory);
std::unique_ptr<Decoder> open_decoder(const DecoderModel&, const ByteProducts&, char* memory);

namespace {

template <class P>
void forward_in(const Layer& layer) {
  switch (layer.cell.family) {
    case Family::rnn:
      return RnnForward<P>::template run<RnnForward<P>>(layer);
    case Family::lstm:
      return LstmForward<P>::template run<LstmForward<P>>(layer);
    case Family::gru:
      return GruForward<P>::template run<GruForward<P>>(layer);
  }
}

template <class P>
void backward_in(const Layer& layer) {
  switch (layer.cell.family) {
    case Family::rnn:
      return RnnBackward<P>::template run<RnnBackward<P>>(layer);
    case Family::lstm:
      return LstmBackward<P>::template run<LstmBackward<P>>(layer);
    case Family::gru:
      return GruBackward<P>::template run<GruBackward<P>>(layer);
  }
}

#if defined(PEEPHOLE_BFLOAT16_OF)
// Only products of bfloat16 are other instructions than those of the set that this one extends.
const Kernels& extended() { return PEEPHOLE_BFLOAT16_OF::KERNELS; }

void forward(const Layer& layer) {
  layer.precision == Precision::bfloat16 ? forward_in<Half>(layer) : extended().forward(layer);
}

void backward(const Layer& layer) {
  layer.precision == Precision::bfloat16 ? backward_in<Half>(layer) : extended().backward(layer);
}
#else
void forward(const Layer& layer) {
  switch (layer.precision) {
    case Precision::single:
      return forward_in<Single>(layer);
    case Precision::bfloat16:
      return forward_in<Half>(layer);
    case Precision::full:
      return forward_in<Double>(layer);
  }
}

void backward(const Layer& layer) {
  switch (layer.precision) {
    case Precision::single:
      return backward_in<Single>(layer);
    case Precision::bfloat16:
      return backward_in<Half>(layer);
    case Precision::full:
      return backward_in<Double>(layer);
  }
}
#endif

template <class P>
long saved_size_in(const Layer& layer) {
  switch (layer.cell.family) {
    case Family::rnn:
      return RnnForward<P>(layer).saved_size();
    case Family::lstm:
      return LstmForward<P>(layer).saved_size();
    case Family::gru:
      return GruForward<P>(layer).saved_size();
  }
  return 0;
}

long saved_size(const Layer& layer) {
#if defined(PEEPHOLE_BFLOAT16_OF)
  return layer.precision == Precision::bfloat16 ? saved_size_in<Half>(layer) : extended().saved_size(layer);
#else
  return layer.precision == Precision::full ? saved_size_in<Double>(layer) : saved_size_in<Single>(layer);
#endif
}

constexpr long NUMBERS_WORTH_A_TEAM = 1 << 15;

template <class Out, class Value>
void draw_all(const Stream& stream, Out* out, int threads, Value value) {
  const long rows = stream.steps * stream.rows;
  const Turn turn(rows * stream.units < NUMBERS_WORTH_A_TEAM ? 1 : threads);
  with_team(turn.threads(), [&](int member, Barrier&, int members) {
    draw(stream, rows * member / members, rows * (member + 1) / members, out, value);
  });
}

void words(const Stream& stream, int64_t* out, int threads) {
  draw_all(stream, out, threads, [](uint32_t word) { return int64_t(word); });
}

template <class Real>
void choose_in(const Stream& stream, uint64_t limit, Real yes, Real no, void* out, int threads) {
  if (limit > UINT32_MAX) {  // always
    draw_all(stream, static_cast<Real*>(out), threads, [=](uint32_t) { return yes; });
  } else {
    const uint32_t below = uint32_t(limit);
    draw_all(stream, static_cast<Real*>(out), threads, [=](uint32_t word) { return word < below ? yes : no; });
  }
}

void choose(const Stream& stream, uint64_t limit, double yes, double no, void* out, bool full, int threads) {
  if (full) {
    choose_in<double>(stream, limit, yes, no, out, threads);
  } else {
    choose_in<float>(stream, limit, float(yes), float(no), out, threads);
  }
}

}  // namespace

#if defined(PEEPHOLE_BFLOAT16_OF)
size_t decoder_size(const DecoderModel& model, const ByteProducts& products) {
  return extended().decoder_size(model, products);
}

void pack_decoder(const DecoderModel& model, const ByteProducts& products, char* memory) {
  extended().pack_decoder(model, products, memory);
}

std::unique_ptr<Decoder> open_decoder(const DecoderModel& model, const ByteProducts& products, char* memory) {
  return extended().open_decoder(model, products, memory);
}

void learn_words(const WordLearning& call) { extended().learn_words(call); }
#endif

extern const Kernels KERNELS;
const Kernels KERNELS = {PEEPHOLE_TEXT(PEEPHOLE_ISA), PEEPHOLE_BYTES, BFLOAT16_PRODUCTS, forward,      backward,
                         saved_size,                  words,          choose,            decoder_size, pack_decoder,
                         open_decoder,                learn_words};

}  // namespace peephole::PEEPHOLE_ISA
