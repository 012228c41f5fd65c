#include "embed/phrases.h"

namespace peephole::embed {

namespace {

uint64_t hash_of(uint64_t words) {
  words = (words ^ words >> 32) * 0x9E3779B97F4A7C15u;
  return words ^ words >> 29;
}

}  // namespace

Pairs::Pairs(const Vocabulary& vocabulary, double words, int64_t discount, double threshold, size_t room,
             uint64_t parts, uint64_t part)
    : table_(vocabulary.table()),
      words_(words),
      threshold_(threshold),
      discount_(discount),
      room_(std::max<size_t>(room, 2)),
      parts_(parts),
      part_(part) {
  put_into(std::min<size_t>(1 << 12, room_), {});
}

bool Pairs::can_score(uint32_t first, uint32_t second) const {
  const double a = double(table_.count(first)), b = double(table_.count(second));
  const double most = std::min(a, b) - double(discount_);
  return most > 0 && most * words_ >= threshold_ * a * b * (1 - 1e-9);  // rounding decides when the score is computed
}

void Pairs::count(std::string_view block) {
  cutter_.cut(
      block,
      [&](std::string_view word) {
        const uint32_t number = table_.find(word);
        if (before_ != WordTable::NONE && number != WordTable::NONE && can_score(before_, number)) {
          add(pair_of(before_, number));
        }
        before_ = number;
      },
      [&] { before_ = WordTable::NONE; });
}

void Pairs::add(uint64_t words) {
  while ((hash_of(words) & (parts_ - 1)) == part_) {
    Pair& slot = slot_of(words);
    if (slot.words == words) {
      slot.count++;
      return;
    }
    if (size_ < room_ && 10 * (size_ + 1) <= 7 * slots_.size()) {
      slot = {words, 1};
      size_++;
      return;
    }
    make_room();
  }
}

Pairs::Pair& Pairs::slot_of(uint64_t words) {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash_of(words) >> 20 & mask;; at = (at + 1) & mask) {
    if (slots_[at].words == words || slots_[at].words == EMPTY) return slots_[at];
  }
}

// Twice the slots, or half of the pairs.
void Pairs::make_room() {
  const bool full = size_ >= room_;
  if (full) parts_ *= 2;
  std::vector<Pair> kept;
  kept.reserve(size_);
  for (const Pair& slot : slots_) {
    if (slot.words != EMPTY && (hash_of(slot.words) & (parts_ - 1)) == part_) kept.push_back(slot);
  }
  put_into(full ? room_ : std::min(2 * size_, room_), kept);
}

// Slots for `count` pairs, with `pairs` in them.
void Pairs::put_into(size_t count, const std::vector<Pair>& pairs) {
  size_t slots = 16;
  while (7 * slots < 10 * (count + 1)) slots *= 2;
  std::vector<Pair>().swap(slots_);
  slots_.assign(slots, {EMPTY, 0});
  size_ = pairs.size();
  for (const Pair& pair : pairs) slot_of(pair.words) = pair;
}

std::vector<Pairs::Pair> Pairs::frequent() const {
  std::vector<Pair> found;
  for (const Pair& slot : slots_) {
    if (slot.words != EMPTY && slot.count > discount_) found.push_back(slot);
  }
  return found;
}

void Joiner::add(std::string_view first, std::string_view second) {
  const uint32_t one = table_.add(first);
  pairs_.insert(pair_of(one, table_.add(second)));
}

void Joiner::join(std::string_view block, std::string& out) {
  cutter_.cut(
      block,
      [&](std::string_view word) {
        const uint32_t number = word.size() > LONGEST ? WordTable::NONE : table_.find(word);
        const bool joined =
            before_ != WordTable::NONE && number != WordTable::NONE && pairs_.count(pair_of(before_, number));
        if (begun_) out += joined ? '_' : ' ';
        out += word;
        begun_ = true;
        before_ = joined ? WordTable::NONE : number;
      },
      [&] {
        out += '\n';
        before_ = WordTable::NONE;
        begun_ = false;
      });
}

}  // namespace peephole::embed
