// Windows over a text, drawn and learnt from: skip-gram and CBOW, one source for every instruction set.
#include "learning.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "../team.h"
#include "draws.h"
#include "learn.h"
#include "update.h"

namespace peephole::PEEPHOLE_ISA {
namespace {

// A word in the middle, what surrounds it, and what it is told apart from: of each group of contexts its own.
struct Window {
  long center, first, last;  // contexts are first … last without the center
  long groups;
  std::vector<long> counts;      // of targets
  std::vector<int32_t> targets;  // room for as many in each group

  long contexts() const { return last - first; }
  long place(long context) const { return first + context + (first + context >= center); }
};

class Learner {
 public:
  explicit Learner(const WordLearning& call)
      : call_(call), most_(most_targets(call)), update_(call.size, call.bag ? 1 : most_contexts(call), most_) {
    int64_t longest = 0;
    for (int64_t part = 0; part < call.parts; part++) longest = std::max(longest, call.starts[part + 1] - call.starts[part]);
    sentence_.reserve(longest);
    const long groups = groups_of(2 * call.window);
    for (Window& window : windows_) {
      window.counts.resize(groups);
      window.targets.resize(groups * most_);
    }
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

  static long most_contexts(const WordLearning& call) {
    return call.paths ? 2 * call.window : std::min(2 * call.window, call.sharing);
  }

  // How many groups so many contexts fall into.
  long groups_of(long contexts) const {
    return call_.bag || call_.paths ? 1 : (contexts + call_.sharing - 1) / call_.sharing;
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
    window.groups = groups_of(window.contexts());
    for (long group = 0; group < window.groups; group++) {
      int32_t* targets = window.targets.data() + group * most_;
      const long count = window.counts[group] = draw_targets(sentence_[center], targets);
      for (long k = 0; k < count; k++) update_.rows.prefetch(output(targets[k]));
    }
  }

  // What a word is told apart from, itself first, or the nodes on its path; how many that are.
  long draw_targets(int32_t word, int32_t* targets) {
    if (call_.paths) {
      std::copy(call_.nodes + call_.paths[word], call_.nodes + call_.paths[word + 1], targets);
      return call_.paths[word + 1] - call_.paths[word];
    }
    long count = 0;
    targets[count++] = word;
    for (int k = 0; k < call_.negatives; k++) {
      const uint64_t random = draws_.next();
      const int32_t slot = int32_t((random >> 32) * uint64_t(call_.words) >> 32);
      const int32_t drawn = uint32_t(random) < call_.noise[slot].below ? slot : call_.noise[slot].other;
      if (drawn != word) targets[count++] = drawn;
    }
    return count;
  }

  double learn_rows(const Window& window, long group, long contexts) {
    const int32_t* targets = window.targets.data() + group * most_;
    const long count = window.counts[group];
    if (call_.paths) {
      const uint8_t* turns = call_.turns + call_.paths[sentence_[window.center]];
      return update_.learn(contexts, call_.outputs, call_.size, targets, count, rate_,
                           [=](long k) { return turns[k] ? 0.f : 1.f; });
    }
    return update_.learn(contexts, call_.outputs, call_.size, targets, count, rate_,
                         [](long k) { return k ? 0.f : 1.f; });
  }

  void learn_from_each(const Window& window) {
    const long contexts = window.contexts();
    for (long group = 0; group < window.groups; group++) {
      const long first = contexts * group / window.groups, last = contexts * (group + 1) / window.groups;
      for (long i = first; i < last; i++) update_.rows.copy(row(window, i), update_.context(i - first));
      loss_ += learn_rows(window, group, last - first);
      for (long i = first; i < last; i++) update_.rows.add(update_.change(i - first), row(window, i));
    }
    predicted_ += contexts;
  }

  float* row(const Window& window, long context) const { return input(sentence_[window.place(context)]); }

  void learn_from_bag(const Window& window) {
    const long contexts = window.contexts(), width = update_.rows.width();
    float *mean = update_.context(0), *change = update_.change(0);
    const float share = 1.f / float(contexts);
    std::fill_n(mean, width, 0.f);
    for (long i = 0; i < contexts; i++) update_.rows.add_to_copy(row(window, i), mean);
    for (long i = 0; i < width; i += LANES<float>) store(mean + i, load(mean + i) * share);
    loss_ += learn_rows(window, 0, 1);
    predicted_++;
    if (call_.divided) {
      for (long i = 0; i < width; i += LANES<float>) store(change + i, load(change + i) * share);
    }
    for (long i = 0; i < contexts; i++) update_.rows.add(change, row(window, i));
  }
};

}  // namespace

void learn_words(const WordLearning& call) {
  const Turn turn(call.threads);
  std::vector<std::unique_ptr<Learner>> learners;  // made here: where memory runs out, no thread may throw
  for (int member = 0; member < turn.threads(); member++) learners.push_back(std::make_unique<Learner>(call));
  std::atomic<int64_t> next{0};
  with_team(turn.threads(), [&](int member, Barrier&, int) {
    const DenormalsAreZero guard;
    for (int64_t part = next++; part < call.parts; part = next++) learners[member]->learn(part);
  });
}

}  // namespace peephole::PEEPHOLE_ISA
