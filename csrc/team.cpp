#include "team.h"

#include <pthread.h>

namespace peephole {
namespace {

std::atomic<bool> busy{false};
std::atomic<bool> forked{false};

const int registered = pthread_atfork(nullptr, nullptr, [] {
  forked.store(true);
  busy.store(false);  // whoever held it stayed behind
});

bool inside_parallel_region() {
#if defined(PEEPHOLE_STD_THREADS)
  return false;
#else
  return omp_in_parallel();
#endif
}

}  // namespace

Turn::Turn(int asked) : threads_(asked < 1 ? 1 : asked) {
  if (threads_ == 1) return;
  if (forked.load() || inside_parallel_region() || busy.exchange(true)) {
    threads_ = 1;
  } else {
    holds_ = true;
  }
}

Turn::~Turn() {
  if (holds_) busy.store(false);
}

}  // namespace peephole
