// Skip-gram and CBOW (Mikolov et al. 2013, arXiv 1301.3781 and 1310.4546): what one call learns from, and into what.
//
// The contexts of a window and the words they are told apart from are two small matrices, so that scores and gradients
// are matrix products (Ji et al. 2016, arXiv 1604.04661): negatives are shared by several contexts of a window.
#pragma once

#include <cstdint>

namespace peephole {

// A slot of the alias method (Walker 1977): itself where a draw is below the limit, else the other.
struct NoiseSlot {
  uint32_t below;
  int32_t other;
};

struct WordLearning {
  // The text: words by their rows, and -1 where a sentence ends. A part is what one thread takes at a time: its draws
  // depend on the seed and its number alone, not on the thread.
  const int32_t* tokens;
  const int64_t* starts;  // [parts + 1], within tokens
  const double* rates;    // [parts] learning rates
  int64_t parts, first;   // `first` is the number of the first one in its epoch
  uint64_t seed;          // of the epoch

  // The tables, rows of `size` numbers without gaps.
  float *inputs, *outputs;
  int64_t size;

  const uint32_t* kept;  // [words]: a word stays where a draw is below that; UINT32_MAX stays always
  int window;            // most words to either side
  bool shrink;           // each window is drawn from 1 to that
  bool bag;              // the mean of the contexts predicts (CBOW), not each of them (skip-gram)
  bool divided;          // the gradient of a mean is shared out; word2vec gives all of it to each context

  // What outputs are: a row a word, told apart from drawn ones …
  int negatives;
  int sharing;             // at most so many contexts, neighbours of each other, share what is drawn
  const NoiseSlot* noise;  // [words]
  int64_t words;
  // … or a row an inner node of a tree, whose leaves are the words (Morin & Bengio 2005); paths lie one after another.
  const int64_t* paths;  // [words + 1], null for negatives
  const int32_t* nodes;
  const uint8_t* turns;  // 0: the branch that counts as positive

  int threads;
  double* losses;   // [parts] sums of -log P in nats
  int64_t* targets; // [parts] how many predictions these are sums of
};

}  // namespace peephole
