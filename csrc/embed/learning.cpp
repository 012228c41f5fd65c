// Windows over a text, drawn and learnt from: skip-gram and CBOW, one source for every instruction set.
#include "learning.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "../team.h"
#include "draws.h"
#include "learn.h"
#include "update.h"

namespace peephole::PEEPHOLE_ISA {
namespace {

// A word in the middle, what surrounds it, and what it is told apart from.
struct Window {
  long center, first, last;  // contexts are first … last without the center
  long count;                // of targets
  std::vector<int32_t> targets;
};

class Learner {
 public:
  explicit Learner(const WordLearning& call)
      : call_(call), most_(most_targets(call)), update_(call.size, call.bag ? 1 : 2 * call.window, most_) {
    for (Window& window : windows_) window.targets.resize(most_);
  }

  void learn(int64_t part) {
    draws_ = Draws(call_.seed, uint64_t(call_.first + part));
    rate_ = float(call_.rates[part]);
    loss_ = 0;
    predicted_ = 0;
    const int32_t* end = call_.tokens + call_.starts[part + 1];
    for (const int32_t* next = call_.tokens + call_.starts[part]; next < end; next++) {
      sentence_.clear();
      for (; next < end && *next >= 0; next++) {
        if (stays(*next)) sentence_.push_back(*next);
      }
      if (sentence_.size() > 1) learn_sentence(long(sentence_.size()));
    }
    call_.losses[part] = loss_;
    call_.targets[part] = predicted_;
  }

 private:
  const WordLearning& call_;
  long most_;
  Update update_;
  Draws draws_{0, 0};
  std::vector<int32_t> sentence_;
  Window windows_[2];
  float rate_ = 0;
  double loss_ = 0;
  int64_t predicted_ = 0;

  static long most_targets(const WordLearning& call) {
    if (!call.paths) return 1 + call.negatives;
    long most = 1;
    for (int64_t word = 0; word < call.words; word++) most = std::max<long>(most, call.paths[word + 1] - call.paths[word]);
    return most;
  }

  bool stays(int32_t word) { return call_.kept[word] == UINT32_MAX || draws_.word() < call_.kept[word]; }

  float* input(int32_t word) const { return call_.inputs + int64_t(word) * call_.size; }
  const float* output(int32_t row) const { return call_.outputs + int64_t(row) * call_.size; }

  // The rows of a window are fetched while the one before is learnt from.
  void learn_sentence(long count) {
    const Rows& rows = update_.rows;
    for (long i = 0; i < std::min<long>(count, call_.window + 1); i++) rows.prefetch(input(sentence_[i]));
    draw(windows_[0], 0, count);
    for (long i = 0; i < count; i++) {
      if (i + 1 < count) {
        draw(windows_[(i + 1) & 1], i + 1, count);
        if (i + 1 + call_.window < count) rows.prefetch(input(sentence_[i + 1 + call_.window]));
      }
      call_.bag ? learn_from_bag(windows_[i & 1]) : learn_from_each(windows_[i & 1]);
    }
  }

  void draw(Window& window, long center, long count) {
    const long reach = call_.shrink ? 1 + draws_.below(call_.window) : call_.window;
    window.center = center;
    window.first = std::max<long>(0, center - reach);
    window.last = std::min<long>(count - 1, center + reach);
    const int32_t word = sentence_[center];
    if (call_.paths) {
      window.count = call_.paths[word + 1] - call_.paths[word];
      std::copy_n(call_.nodes + call_.paths[word], window.count, window.targets.data());
    } else {
      window.targets[0] = word;
      window.count = 1;
      for (int k = 0; k < call_.negatives; k++) {
        const uint64_t random = draws_.next();
        const int32_t slot = int32_t((random >> 32) * uint64_t(call_.words) >> 32);
        const int32_t drawn = uint32_t(random) < call_.noise[slot].below ? slot : call_.noise[slot].other;
        if (drawn != word) window.targets[window.count++] = drawn;
      }
    }
    for (long k = 0; k < window.count; k++) update_.rows.prefetch(output(window.targets[k]));
  }

  double learn_rows(const Window& window, long contexts) {
    const int32_t* targets = window.targets.data();
    if (call_.paths) {
      const uint8_t* turns = call_.turns + call_.paths[sentence_[window.center]];
      return update_.learn(contexts, call_.outputs, call_.size, targets, window.count, rate_,
                           [=](long k) { return turns[k] ? 0.f : 1.f; });
    }
    return update_.learn(contexts, call_.outputs, call_.size, targets, window.count, rate_,
                         [](long k) { return k ? 0.f : 1.f; });
  }

  template <class Work>
  void each_context(const Window& window, Work work) {
    for (long i = window.first; i <= window.last; i++) {
      if (i != window.center) work(input(sentence_[i]));
    }
  }

  void learn_from_each(const Window& window) {
    long contexts = 0;
    each_context(window, [&](const float* row) { update_.rows.copy(row, update_.context(contexts++)); });
    loss_ += learn_rows(window, contexts);
    predicted_ += contexts;
    contexts = 0;
    each_context(window, [&](float* row) { update_.rows.add(update_.change(contexts++), row); });
  }

  void learn_from_bag(const Window& window) {
    const long contexts = window.last - window.first, width = update_.rows.width();
    float *mean = update_.context(0), *change = update_.change(0);
    const float share = 1.f / float(contexts);
    std::fill_n(mean, width, 0.f);
    each_context(window, [&](const float* row) { update_.rows.add_to_copy(row, mean); });
    for (long i = 0; i < width; i += LANES<float>) store(mean + i, load(mean + i) * share);
    loss_ += learn_rows(window, 1);
    predicted_++;
    if (call_.divided) {
      for (long i = 0; i < width; i += LANES<float>) store(change + i, load(change + i) * share);
    }
    each_context(window, [&](float* row) { update_.rows.add(change, row); });
  }
};

}  // namespace

void learn_words(const WordLearning& call) {
  const Turn turn(call.threads);
  std::atomic<int64_t> next{0};
  with_team(turn.threads(), [&](int, Barrier&, int) {
    const DenormalsAreZero guard;
    Learner learner(call);
    for (int64_t part = next++; part < call.parts; part = next++) learner.learn(part);
  });
}

}  // namespace peephole::PEEPHOLE_ISA
