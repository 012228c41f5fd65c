// Words, which are what stands between ASCII white space: a text cut into them block by block, and a table of those
// that differ. Knows no encoding: in UTF-8 no byte of another character looks like ASCII.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace peephole::embed {

constexpr size_t LONGEST = 1000;  // bytes of a word: what is longer is no word, and must not fill memory

inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The words of a text that comes in blocks; a word may begin in one and end in another.
class Cutter {
 public:
  // Calls `word` with each word that has ended (only LONGEST + 1 bytes of one that is longer), `line` at each line end.
  template <class Word, class Line>
  void cut(std::string_view block, Word&& word, Line&& line) {
    const char *at = block.data(), *const last = at + block.size();
    if (!kept_.empty()) {
      const char* const begin = at;
      at = end_of_word(at, last);
      keep(begin, at);
      if (at == last) return;
      word(std::string_view(kept_));
      kept_.clear();
    }
    while (at != last) {
      if (is_space(*at)) {
        if (*at++ == '\n') line();
        continue;
      }
      const char* const begin = at;
      at = end_of_word(at, last);
      if (at == last) return keep(begin, at);
      word(std::string_view(begin, std::min(size_t(at - begin), LONGEST + 1)));
    }
  }

 private:
  static const char* end_of_word(const char* at, const char* last) {
    while (at != last && !is_space(*at)) at++;
    return at;
  }

  void keep(const char* begin, const char* end) {
    kept_.append(begin, std::min(size_t(end - begin), LONGEST + 1 - kept_.size()));
  }

  std::string kept_;
};

// An array of plain values that grows by `realloc`: the system moves the pages of a large one, and copies nothing.
template <class T>
class Grown {
 public:
  Grown() = default;
  Grown(const Grown&) = delete;
  Grown& operator=(const Grown&) = delete;
  ~Grown() { std::free(data_); }

  size_t size() const { return size_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  T& operator[](size_t place) { return data_[place]; }
  const T& operator[](size_t place) const { return data_[place]; }

  // Room for `count` values more, which are not set.
  T* extend(size_t count) {
    if (size_ + count > room_) resize_room(std::max(size_ + count, 2 * room_));
    size_ += count;
    return data_ + size_ - count;
  }

  void shorten(size_t size) {
    size_ = size;
    if (size) resize_room(size);
  }

 private:
  void resize_room(size_t room) {
    T* moved = static_cast<T*>(std::realloc(data_, room * sizeof(T)));
    if (!moved) throw std::bad_alloc();
    data_ = moved;
    room_ = room;
  }

  T* data_ = nullptr;
  size_t size_ = 0, room_ = 0;
};

// Different words and how often each came: bytes in one arena, entries in the order in which they were first seen, and
// an open-addressing hash of the entries' numbers. About 36 bytes a word of English.
class WordTable {
 public:
  static constexpr uint32_t NONE = ~uint32_t(0);

  size_t size() const { return entries_.size(); }
  int64_t count(size_t number) const { return entries_[number].count; }
  std::string_view word(size_t number) const { return text_at(entries_[number].place); }

  // The number of a word, or NONE.
  uint32_t find(std::string_view word) const {
    if (slots_.empty()) return NONE;
    const uint32_t hash = hash_of(word);
    return slots_[place_of(word, hash)] - 1;
  }

  // The number of a word, which joins the table if it is new, and counts once more.
  uint32_t add(std::string_view word) {
    if (10 * (entries_.size() + 1) > 7 * slots_.size()) make_slots(2 * entries_.size());
    const uint32_t hash = hash_of(word);
    uint32_t& slot = slots_[place_of(word, hash)];
    if (!slot) {
      *entries_.extend(1) = {0, store(word), hash};
      slot = uint32_t(entries_.size());
    }
    entries_[slot - 1].count++;
    return slot - 1;
  }

  // Puts the most frequent words first, of equal ones that which was seen first, and forgets those that came fewer than
  // `least` times, and all but `most`.
  void keep(int64_t least, size_t most);

 private:
  struct Entry {
    int64_t count;
    uint32_t place;  // in the arena, in steps of PLACE bytes: a length, then the bytes
    uint32_t hash;
  };
  static constexpr size_t PLACE = 4;

  static uint32_t hash_of(std::string_view word) {
    constexpr uint64_t ODD = 0x9E3779B97F4A7C15u;
    const char* at = word.data();
    size_t left = word.size();
    uint64_t hash = left * ODD;
    const auto mix = [&](uint64_t piece) {
      hash = (hash ^ piece) * ODD;
      hash ^= hash >> 32;
    };
    for (; left >= 8; at += 8, left -= 8) mix(piece_at<uint64_t>(at));
    if (left & 4) mix(piece_at<uint32_t>(at)), at += 4;
    if (left & 2) mix(piece_at<uint16_t>(at)), at += 2;
    if (left & 1) mix(uint8_t(*at));
    return uint32_t(hash * ODD >> 32);
  }

  template <class T>
  static T piece_at(const char* at) {
    T piece;
    std::memcpy(&piece, at, sizeof piece);
    return piece;
  }

  // Where the slot of a word is, or the empty one where it would be.
  size_t place_of(std::string_view word, uint32_t hash) const {
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
      if (!slots_[at]) return at;
      const Entry& entry = entries_[slots_[at] - 1];
      if (entry.hash == hash && text_at(entry.place) == word) return at;
    }
  }

  std::string_view text_at(uint32_t place) const {
    const char* at = &arena_[place * PLACE];
    return {at + sizeof(uint16_t), piece_at<uint16_t>(at)};
  }

  uint32_t store(std::string_view word);
  void make_slots(size_t words);

  Grown<char> arena_;
  Grown<Entry> entries_;
  std::vector<uint32_t> slots_;  // numbers of entries, from 1 on; 0 is empty
};

}  // namespace peephole::embed
