// Whether threads that meet at every step pay at the moment. Where other programs want the cores, a thread may be gone for
// milliseconds, and all that it would meet wait for it: then one alone is faster.
#pragma once

#include <algorithm>

namespace peephole {

class Pace {
 public:
  // Whether the next steps are to be taken together.
  bool together() const { return samples_ >= SAMPLES && rest_ == 0; }

  // How long each of `steps` took: alone, or together.
  void note(bool together, long steps, double seconds) {
    if (!together) {
      alone_ = samples_ == 0 ? seconds : samples_ < SAMPLES ? std::min(alone_, seconds) : (alone_ + seconds) / 2;
      samples_ = std::min(samples_ + 1, SAMPLES);
      rest_ = std::max(0L, rest_ - steps);
      return;
    }
    strikes_ = seconds > LATE * alone_ ? strikes_ + 1 : 0;
    if (seconds > GONE * alone_ || strikes_ == STRIKES) {
      rest_ = wait_;
      wait_ = std::min(2 * wait_, LONGEST);
      strikes_ = 0;
    } else if (strikes_ == 0) {
      wait_ = SHORTEST;
    }
  }

 private:
  static constexpr int SAMPLES = 2;  // of which the quicker counts: the first brings the weights into the caches
  static constexpr int STRIKES = 3;
  static constexpr double LATE = 1.2, GONE = 6;  // times what a step alone takes
  static constexpr long SHORTEST = 16, LONGEST = 1024;  // steps alone before they meet again

  double alone_ = 0;
  int samples_ = 0, strikes_ = 0;
  long rest_ = 0, wait_ = SHORTEST;
};

}  // namespace peephole
