// One step of learning: rows that predict, rows that are told apart, their scores, and the gradients of both.
#pragma once

#include <cstdlib>
#include <memory>

#include "../simd.h"

namespace peephole::PEEPHOLE_ISA {

// Rows of `size` numbers in a table of the caller, and copies of some of them with room to whole vectors, zeros in it.
class Rows {
 public:
  explicit Rows(long size) : size_(size), whole_(size / LANES<float>), lanes_(int(size % LANES<float>)) {}

  long vectors() const { return whole_ + (lanes_ > 0); }
  long width() const { return vectors() * LANES<float>; }

  void prefetch(const float* row) const {
    for (long i = 0; i < size_; i += 16) __builtin_prefetch(row + i);
    __builtin_prefetch(row + size_ - 1);
  }

  void copy(const float* row, float* to) const {
    for (long v = 0; v < whole_; v++) store(to + v * LANES<float>, load(row + v * LANES<float>));
    if (lanes_) store(to + whole_ * LANES<float>, load_part(row + whole_ * LANES<float>, lanes_));
  }

  void add(const float* change, float* row) const {
    for (long v = 0; v < whole_; v++) add_vector(load(change + v * LANES<float>), row, v);
    if (lanes_) add_vector(load(change + whole_ * LANES<float>), row, whole_);
  }

  void add_to_copy(const float* row, float* to) const {
    for (long v = 0; v < whole_; v++) {
      store(to + v * LANES<float>, load(to + v * LANES<float>) + load(row + v * LANES<float>));
    }
    if (lanes_) {
      float* last = to + whole_ * LANES<float>;
      store(last, load(last) + load_part(row + whole_ * LANES<float>, lanes_));
    }
  }

  PEEPHOLE_INLINE void add_vector(Vector<float> change, float* row, long v) const {
    float* place = row + v * LANES<float>;
    if (v < whole_) {
      store(place, load(place) + change);
    } else {
      store_part(place, load_part(place, lanes_) + change, lanes_);
    }
  }

 private:
  long size_, whole_;
  int lanes_;
};

// log(1 + x) for x from 0 to 1: 2 artanh(x / (2 + x)).
PEEPHOLE_INLINE Vector<float> log_of_one_and(Vector<float> x) {
  const Vector<float> w = x / (x + 2.f), square = w * w;
  Vector<float> series = square * (1.f / 15) + 1.f / 13;
  series = series * square + 1.f / 11;
  series = series * square + 1.f / 9;
  series = series * square + 1.f / 7;
  series = series * square + 1.f / 5;
  series = series * square + 1.f / 3;
  series = series * square + 1.f;
  return 2.f * w * series;
}

// Zeros, aligned to whole vectors, and a vector more than asked for.
class Room {
 public:
  explicit Room(long count) {
    const size_t bytes = (count * sizeof(float) / 64 + 2) * 64;
    numbers_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!numbers_) throw std::bad_alloc();
    std::memset(numbers_.get(), 0, bytes);
  }

  float* at(long i) { return numbers_.get() + i; }
  float& operator[](long i) { return numbers_.get()[i]; }

 private:
  struct Free {
    void operator()(float* held) const { std::free(held); }
  };
  std::unique_ptr<float[], Free> numbers_;
};

class Update {
 public:
  static constexpr int AT_ONCE = 8;  // targets whose rows a loop holds in registers

  Update(long size, long contexts, long targets)
      : rows(size), x_(contexts * rows.width()), dx_(contexts * rows.width()), y_(targets * rows.width()),
        scores_(contexts * targets), labels_(contexts * targets) {}

  const Rows rows;

  float* context(long r) { return x_.at(r * rows.width()); }
  float* change(long r) { return dx_.at(r * rows.width()); }

  // Contexts are there; rows of `count` targets lie in `table`. Leaves changes of the contexts, makes those of the
  // targets, and gives back the sum of -log P(label). `labels(k)` is 1 or 0.
  template <class Labels>
  double learn(long contexts, float* table, long size, const int32_t* targets, long count, float rate, Labels labels) {
    for (long k = 0; k < count; k++) rows.copy(table + targets[k] * size, y_.at(k * rows.width()));
    each_chunk(count, [&](auto many, long from) { score<many>(contexts, count, from); });
    for (long r = 0; r < contexts; r++) {
      for (long k = 0; k < count; k++) labels_[r * count + k] = labels(k);
    }
    const double loss = gradients(contexts * count, rate);
    each_chunk(count, [&](auto many, long from) { changes<many>(contexts, count, from, table, size, targets); });
    return loss;
  }

 private:
  Room x_, dx_, y_, scores_, labels_;

  template <class Work>
  static void each_chunk(long count, Work work) {
    long from = 0;
    for (; count - from >= AT_ONCE; from += AT_ONCE) work(std::integral_constant<int, AT_ONCE>{}, from);
    switch (count - from) {
      case 1: return work(std::integral_constant<int, 1>{}, from);
      case 2: return work(std::integral_constant<int, 2>{}, from);
      case 3: return work(std::integral_constant<int, 3>{}, from);
      case 4: return work(std::integral_constant<int, 4>{}, from);
      case 5: return work(std::integral_constant<int, 5>{}, from);
      case 6: return work(std::integral_constant<int, 6>{}, from);
      case 7: return work(std::integral_constant<int, 7>{}, from);
    }
  }

  template <int MANY>
  void score(long contexts, long count, long from) {
    const long width = rows.width(), vectors = rows.vectors();
    const float* y = y_.at(from * width);
    for (long r = 0; r < contexts; r++) {
      const float* x = context(r);
      Vector<float> sums[MANY]{};
      for (long v = 0; v < vectors; v++) {
        const Vector<float> value = load(x + v * LANES<float>);
        for (int k = 0; k < MANY; k++) sums[k] += value * load(y + k * width + v * LANES<float>);
      }
      for (int k = 0; k < MANY; k++) scores_[r * count + from + k] = sum<float>(sums[k]);
    }
  }

  // Scores become what they change by times the rate.
  double gradients(long count, float rate) {
    Vector<float> losses{};
    Vector<float> lane;
    for (int i = 0; i < LANES<float>; i++) lane[i] = float(i);
    for (long i = 0; i < count; i += LANES<float>) {
      const Vector<float> s = load(scores_.at(i)), label = load(labels_.at(i));
      const Vector<float> toward = label > splat(0.5f) ? s : -s;  // P(label) is its sigmoid
      const Vector<float> size = toward < splat(0.f) ? -toward : toward;
      const Vector<float> loss = log_of_one_and(exp<float>(-size)) + (toward < splat(0.f) ? -toward : splat(0.f));
      losses += lane < splat(float(count - i)) ? loss : splat(0.f);
      store(scores_.at(i), (label - sigmoid<float>(s)) * rate);
    }
    return sum<float>(losses);
  }

  template <int MANY>
  void changes(long contexts, long count, long from, float* table, long size, const int32_t* targets) {
    const long width = rows.width(), vectors = rows.vectors();
    const float* y = y_.at(from * width);
    for (long v = 0; v < vectors; v++) {
      Vector<float> row[MANY], change[MANY]{};
      for (int k = 0; k < MANY; k++) row[k] = load(y + k * width + v * LANES<float>);
      for (long r = 0; r < contexts; r++) {
        const float* g = scores_.at(r * count + from);
        const Vector<float> x = load(context(r) + v * LANES<float>);
        Vector<float> toward = from ? load(this->change(r) + v * LANES<float>) : Vector<float>{};
        for (int k = 0; k < MANY; k++) {
          toward += g[k] * row[k];
          change[k] += g[k] * x;
        }
        store(this->change(r) + v * LANES<float>, toward);
      }
      for (int k = 0; k < MANY; k++) rows.add_vector(change[k], table + targets[from + k] * size, v);
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
