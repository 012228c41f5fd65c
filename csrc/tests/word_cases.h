// Learning word vectors: every instruction set does the same, inside its tables, whatever their sizes.
#pragma once

#include <random>

#include "../embed/learning.h"
#include "../kernels.h"
#include "checks.h"

namespace peephole::tests {

// A text with its settings, of made-up words whose tree is a chain.
struct Learning {
  std::vector<int32_t> tokens, nodes;
  std::vector<int64_t> starts, paths{0}, targets;
  std::vector<double> rates, losses;
  std::vector<uint32_t> kept;
  std::vector<uint8_t> turns;
  std::vector<NoiseSlot> noise;
  std::vector<float> inputs, outputs;
  WordLearning call{};

  Learning(int words, int size, bool bag, bool tree, int window) {
    std::mt19937 engine(words * 1000 + size);
    const int parts = 4;
    for (int i = 0; i < 600; i++) tokens.push_back(engine() % 11 ? int32_t(engine() % words) : -1);
    for (int part = 0; part <= parts; part++) starts.push_back(int64_t(tokens.size()) * part / parts);
    rates.assign(parts, 0.1);
    losses.assign(parts, 0);
    targets.assign(parts, 0);
    for (int word = 0; word < words; word++) {
      kept.push_back(word % 3 ? UINT32_MAX : 0x90000000u);
      noise.push_back({uint32_t(engine()), int32_t(engine() % words)});
      for (int node = 0; node <= std::min(word, words - 2); node++) {
        nodes.push_back(node);
        turns.push_back(node < word);
      }
      paths.push_back(int64_t(nodes.size()));
    }
    std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
    for (int i = 0; i < words * size; i++) inputs.push_back(uniform(engine));
    for (int i = 0; i < words * size; i++) outputs.push_back(uniform(engine));
    call = {tokens.data(), starts.data(), rates.data(), parts, 2, 5, inputs.data(), outputs.data(), size, kept.data(),
            window, true, bag, false, 7, 3, noise.data(), words, tree ? paths.data() : nullptr, nodes.data(), turns.data(),
            1, losses.data(), targets.data()};
  }

  Results results() const {
    return {{"inputs", Numbers(inputs.begin(), inputs.end())},
            {"outputs", Numbers(outputs.begin(), outputs.end())},
            {"losses", losses},
            {"targets", Numbers(targets.begin(), targets.end())}};
  }
};

inline void check_learning_of_words() {
  constexpr int SIZES[][3] = {{2, 1, 1}, {9, 7, 3}, {40, 16, 5}, {40, 33, 5}, {13, 100, 90}};  // words, numbers, window
  for (const auto& [words, size, window] : SIZES) {
    for (const bool bag : {false, true}) {
      for (const bool tree : {false, true}) {
        const std::string what = "words of " + std::to_string(size) + (bag ? ", bag" : "") + (tree ? ", tree" : "");
        Results want;
        for (const Kernels* kernels : supported_kernels()) {
          Learning one(words, size, bag, tree, window), again(words, size, bag, tree, window);
          kernels->learn_words(one.call);
          kernels->learn_words(again.call);
          check(filled(one.results()), what + ", " + kernels->name + ": finite");
          check(same_bits(one.results(), again.results()), what + ", " + kernels->name + ": the same twice");
          check(one.targets[0] > 0, what + ", " + kernels->name + ": learns");
          if (want.empty()) {
            want = one.results();
          } else {
            compare(one.results(), want, 1e-4, 1e-3, what + ", " + kernels->name);
          }
        }
      }
    }
  }
}

}  // namespace peephole::tests
