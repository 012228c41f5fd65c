// Vocabularies and phrases, whose results may not depend on how a text comes in blocks.
#pragma once

#include <map>
#include <random>

#include "checks.h"
#include "embed/phrases.h"

namespace peephole::tests {

using embed::Vocabulary;

template <class Take>
void in_blocks(const std::string& text, size_t most, Take take) {
  std::mt19937 engine(unsigned(text.size() + most));
  for (size_t at = 0; at < text.size();) {
    // A block of its own on the heap, so that a read past its end is seen.
    const size_t size = std::min<size_t>(1 + engine() % most, text.size() - at);
    const std::vector<char> block(text.begin() + long(at), text.begin() + long(at + size));
    take(std::string_view(block.data(), size));
    at += size;
  }
}

inline void fill(Vocabulary& vocabulary, const std::string& text, size_t most, int64_t least, size_t kept) {
  in_blocks(text, most, [&](std::string_view block) { vocabulary.count(block); });
  vocabulary.cut(least, kept);
}

inline std::vector<int32_t> numbers_of(Vocabulary& vocabulary, const std::string& text, size_t most) {
  std::vector<int32_t> all;
  in_blocks(text, most, [&](std::string_view block) {
    std::vector<int32_t> some(Vocabulary::room(block.size()));
    some.resize(vocabulary.encode(block, some.data()));
    all.insert(all.end(), some.begin(), some.end());
  });
  return all;
}

// Words of Zipf's kind between spaces of every kind.
inline std::string random_text(int words, unsigned seed) {
  std::mt19937 engine(seed);
  const std::string spaces = " \t\n\v\f\r";
  std::string text = "\n\n ";
  for (int i = 0; i < words; i++) {
    const unsigned rank = unsigned(40 / (1 + engine() % 40));
    text += std::string(rank % 11, 'a') + char('b' + rank % 20);
    for (unsigned count = 1 + engine() % 3; count; count--) text += spaces[engine() % spaces.size()];
  }
  return text + "\n";
}

inline void check_counts(const std::string& text) {
  std::map<std::string, std::pair<int64_t, int64_t>> want;  // count, and when first seen
  std::vector<std::string> words;
  std::string word;
  for (char c : text) {
    if (c != ' ' && (c < '\t' || c > '\r')) {
      word += c;
      continue;
    }
    if (!word.empty()) words.push_back(word);
    if (c == '\n') words.push_back("\n");
    word.clear();
  }
  for (const auto& one : words) {
    if (one != "\n") want.try_emplace(one, 0, int64_t(want.size())).first->second.first++;
  }
  std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> order(want.begin(), want.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::make_pair(-a.second.first, a.second.second) < std::make_pair(-b.second.first, b.second.second);
  });
  order.resize(order.size() - 2);
  std::vector<int32_t> numbers;
  for (const auto& one : words) {
    size_t at = 0;
    while (at < order.size() && order[at].first != one) at++;
    if (one == "\n" && !numbers.empty() && numbers.back() != Vocabulary::END) numbers.push_back(Vocabulary::END);
    if (at < order.size()) numbers.push_back(int32_t(at));
  }
  for (size_t most : {1, 2, 3, 7, 100, 1 << 20}) {
    Vocabulary vocabulary;
    fill(vocabulary, text, most, 1, order.size());
    bool same = vocabulary.table().size() == order.size();
    for (size_t i = 0; same && i < order.size(); i++) {
      same = vocabulary.table().word(i) == order[i].first && vocabulary.table().count(i) == order[i].second.first;
    }
    const std::string blocks = ", in blocks of up to " + std::to_string(most);
    check(same, "words and their counts" + blocks);
    check(numbers_of(vocabulary, text, most) == numbers, "the numbers of a text's words" + blocks);
  }
}

inline void check_long_words() {
  const std::string longest(embed::LONGEST, 'x'), longer(embed::LONGEST + 1, 'x'), endless(200'000, 'x');
  const std::string text =
      longest + " " + longer + " a\n" + endless + " " + longest + " " + longer + "\n" + longer + "\na ";
  for (size_t most : {1, 999, 1001, 5000, 1 << 22}) {
    Vocabulary vocabulary;
    fill(vocabulary, text, most, 1, 10);
    const auto& table = vocabulary.table();
    check(table.size() == 2 && table.word(0) == longest && table.count(0) == 2 && table.word(1) == "a" &&
              table.count(1) == 2 && vocabulary.words() == 8 && vocabulary.too_long() == 4,
          "words that are too long are left out");
    check(numbers_of(vocabulary, text, most) == std::vector<int32_t>({0, 1, -1, 0, -1, 1}),
          "words that are too long have no number");
    embed::Joiner joiner;
    joiner.add(longest, longest);
    joiner.add("a", longest);
    std::string joined;
    in_blocks(text, most, [&](std::string_view block) { joiner.join(block, joined); });
    check(joined == longest + " " + longer + " a\n" + longer + " " + longest + " " + longer + "\n" + longer + "\na",
          "words that are too long are joined to none");
  }
}

inline void check_growth() {
  constexpr int WORDS = 60'000;
  std::string text;
  for (int i = 0; i < WORDS; i++) text += std::to_string(i * 7919LL % WORDS) + (i % 5 ? " " : "\n");
  text += text.substr(0, text.size() / 2);
  Vocabulary vocabulary;
  fill(vocabulary, text, 4096, 1, WORDS);
  bool good = vocabulary.table().size() == WORDS;
  for (int i = 0; i < WORDS && good; i++) {
    const uint32_t number = vocabulary.table().find(std::to_string(i));
    good = number < WORDS && vocabulary.table().word(number) == std::to_string(i);
  }
  check(good && vocabulary.table().find("60000") == embed::WordTable::NONE, "every one of many words is found again");
}

inline std::map<uint64_t, int64_t> pairs_of(const Vocabulary& vocabulary, const std::string& text, size_t room) {
  std::map<uint64_t, int64_t> found;
  std::vector<std::pair<uint64_t, uint64_t>> waiting{{1, 0}};
  while (!waiting.empty()) {
    const auto [parts, part] = waiting.back();
    waiting.pop_back();
    embed::Pairs pairs(vocabulary, double(vocabulary.words()), 1, 1e-3, room, parts, part);
    in_blocks(text, 50, [&](std::string_view block) { pairs.count(block); });
    for (uint64_t more = parts; more < pairs.parts(); more += parts) waiting.emplace_back(pairs.parts(), part + more);
    for (const auto& pair : pairs.frequent()) {
      check(found.emplace(pair.words, pair.count).second, "a pair is in one part only");
    }
  }
  return found;
}

inline void check_pairs(const std::string& text) {
  Vocabulary vocabulary;
  fill(vocabulary, text, 1 << 20, 3, 1000);
  std::map<uint64_t, int64_t> want;
  int32_t before = Vocabulary::END;
  Vocabulary whole;  // of all words, so that a rare one parts those beside it
  fill(whole, text, 1 << 20, 1, 1000);
  for (int32_t number : numbers_of(whole, text, 1 << 20)) {
    const auto in = [&](int32_t one) { return one >= 0 && size_t(one) < vocabulary.table().size(); };
    if (in(before) && in(number)) want[embed::pair_of(uint32_t(before), uint32_t(number))]++;
    before = number;
  }
  std::erase_if(want, [](const auto& pair) { return pair.second <= 1; });
  for (size_t room : {1, 20, 1 << 16}) {
    check(pairs_of(vocabulary, text, room) == want, "pairs with room for " + std::to_string(room));
  }
}

inline void check_vocabulary() {
  const std::string text = random_text(3000, 1);
  check_counts(text);
  check_long_words();
  check_growth();
  check_pairs(text);
}

}  // namespace peephole::tests
