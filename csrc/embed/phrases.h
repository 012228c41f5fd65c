// Pairs of words that follow each other, counted, and a text whose pairs are joined to phrases. One thread at a time.
#pragma once

#include <unordered_set>

#include "embed/vocabulary.h"

namespace peephole::embed {

// Words by number, side by side.
constexpr uint64_t pair_of(uint32_t first, uint32_t second) { return uint64_t(first) << 32 | second; }

// Counts the pairs whose score (count(ab) − discount) / count(a) / count(b) · words can lie above a threshold: a pair
// comes at most as often as the rarer of its words.
//
// Memory is bounded: where there are more different pairs than there is room for, only half of them, by their hashes,
// go on being counted. `parts` then says of how many parts this is one, and the others take further passes.
class Pairs {
 public:
  struct Pair {
    uint64_t words;
    int64_t count;
  };

  // `vocabulary` is cut, and outlives this. `part` of `parts`, a power of two, is counted, at most `room` at once.
  Pairs(const Vocabulary& vocabulary, double words, int64_t discount, double threshold, size_t room, uint64_t parts,
        uint64_t part);

  void count(std::string_view block);

  uint64_t parts() const { return parts_; }

  // The pairs that came more often than the discount, in no order that means anything.
  std::vector<Pair> frequent() const;

 private:
  static constexpr uint64_t EMPTY = ~uint64_t(0);

  bool can_score(uint32_t first, uint32_t second) const;
  void add(uint64_t words);
  Pair& slot_of(uint64_t words);
  void make_room();
  void put_into(size_t count, const std::vector<Pair>& pairs);

  const WordTable& table_;
  const double words_, threshold_;
  const int64_t discount_;
  const size_t room_;
  uint64_t parts_, part_;
  Cutter cutter_;
  uint32_t before_ = WordTable::NONE;
  size_t size_ = 0;
  std::vector<Pair> slots_;
};

// Writes a text again with pairs of words joined by `_`, from left to right within a line: a joined word joins no more.
// White space becomes one space or a line end.
class Joiner {
 public:
  void add(std::string_view first, std::string_view second);
  void join(std::string_view block, std::string& out);

 private:
  WordTable table_;
  std::unordered_set<uint64_t> pairs_;
  Cutter cutter_;
  uint32_t before_ = WordTable::NONE;
  bool begun_ = false;  // whether the line has a word
};

}  // namespace peephole::embed
