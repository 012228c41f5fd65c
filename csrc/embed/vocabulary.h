// The vocabulary of a text that is read in blocks: every word counted, the frequent ones kept, and the text again as
// numbers of words. One thread at a time.
#pragma once

#include "embed/words.h"

namespace peephole::embed {

class Vocabulary {
 public:
  static constexpr int32_t END = -1;  // of a line

  // Counts the words of a block. One that the text ends in counts once white space follows.
  void count(std::string_view block);

  // Keeps words that came `least` times or more, at most `most` of them, the most frequent first; of equal ones that
  // which was seen first. No more can be counted after.
  void cut(int64_t least, size_t most);

  // How many numbers `encode` writes at most.
  static size_t room(size_t bytes) { return bytes + 2; }

  // Writes the number of each word that has ended, and END for the end of a line that had any; how many it wrote. Words
  // that were not kept are left out.
  size_t encode(std::string_view block, int32_t* out);

  const WordTable& table() const { return table_; }
  int64_t words() const { return words_; }    // of the text, those that are too long included
  int64_t too_long() const { return too_long_; }

 private:
  WordTable table_;
  Cutter counted_, encoded_;
  int64_t words_ = 0, too_long_ = 0;
  bool begun_ = false;  // whether the line has a word
  bool cut_ = false;
};

}  // namespace peephole::embed
