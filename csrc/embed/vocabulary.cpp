#include "embed/vocabulary.h"

namespace peephole::embed {

uint32_t WordTable::store(std::string_view word) {
  const size_t place = arena_.size() / PLACE;
  if (place >= NONE || entries_.size() >= size_t(INT32_MAX)) {
    throw std::length_error("more different words than there are numbers for");
  }
  const uint16_t length = uint16_t(word.size());
  char* at = arena_.extend((sizeof length + word.size() + PLACE - 1) / PLACE * PLACE);
  std::memcpy(at, &length, sizeof length);
  std::memcpy(at + sizeof length, word.data(), word.size());
  return uint32_t(place);
}

void WordTable::make_slots(size_t words) {
  size_t count = 1 << 12;
  while (7 * count < 10 * (words + 1)) count *= 2;
  std::vector<uint32_t>().swap(slots_);  // given back before the larger ones are taken: entries know their hashes
  slots_.resize(count);
  for (size_t number = 0; number < entries_.size(); number++) {
    size_t at = entries_[number].hash & (count - 1);
    while (slots_[at]) at = (at + 1) & (count - 1);
    slots_[at] = uint32_t(number + 1);
  }
}

void WordTable::keep(int64_t least, size_t most) {
  // Places in the arena rise in the order in which words were first seen.
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.count != b.count ? a.count > b.count : a.place < b.place;
  });
  size_t kept = 0;
  while (kept < std::min(most, entries_.size()) && entries_[kept].count >= least) kept++;
  if (kept < entries_.size()) entries_.shorten(kept);
  make_slots(entries_.size());
}

void Vocabulary::count(std::string_view block) {
  if (cut_) throw std::logic_error("words are counted before the vocabulary is cut");
  counted_.cut(
      block,
      [&](std::string_view word) {
        words_++;
        word.size() > LONGEST ? void(too_long_++) : void(table_.add(word));
      },
      [] {});
}

void Vocabulary::cut(int64_t least, size_t most) {
  table_.keep(least, most);
  cut_ = true;
}

size_t Vocabulary::encode(std::string_view block, int32_t* out) {
  if (!cut_) throw std::logic_error("the vocabulary is cut before a text is encoded");
  const int32_t* const begin = out;
  encoded_.cut(
      block,
      [&](std::string_view word) {
        const uint32_t number = table_.find(word);
        if (number == WordTable::NONE) return;
        *out++ = int32_t(number);
        begun_ = true;
      },
      [&] {
        if (begun_) *out++ = END;
        begun_ = false;
      });
  return size_t(out - begin);
}

}  // namespace peephole::embed
