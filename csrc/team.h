// A team of threads for one call, and its barrier. Defines who computes what never: that is the caller's.
//
// OpenMP's threads, so that torch's pool and ours are one. With PEEPHOLE_STD_THREADS plain threads, which
// ThreadSanitizer understands.
#pragma once

#include <atomic>

#if defined(PEEPHOLE_STD_THREADS)
#include <thread>
#include <vector>
#else
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <sched.h>

namespace peephole {

class Barrier {
 public:
  explicit Barrier(int members) : members_(members) {}

  void wait() {
    if (members_ == 1) return;
    const unsigned turn = turn_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
      arrived_.store(0, std::memory_order_relaxed);
      turn_.store(turn + 1, std::memory_order_release);
      return;
    }
    // Whoever waits longer than a step takes gives its core to the one that it waits for.
    for (int pauses = 0; turn_.load(std::memory_order_acquire) == turn; pauses++) {
      if (pauses < PAUSES) {
        pause();
      } else {
        sched_yield();
      }
    }
  }

 private:
  static constexpr int PAUSES = 200;

  static void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> turn_{0};
  alignas(64) const int members_;
};

// How many threads a call may take: what was asked for, or one where the team is busy with another call, this process
// was forked (libgomp's threads did not come along), or the call comes from inside a parallel region.
class Turn {
 public:
  explicit Turn(int asked);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  int threads() const { return threads_; }

 private:
  int threads_;
  bool holds_ = false;
};

// Calls `work(member, barrier, members)` on each member of a team; `members` may be fewer than asked for.
template <class Work>
void with_team(int threads, Work&& work) {
  if (threads <= 1) {
    Barrier barrier(1);
    work(0, barrier, 1);
    return;
  }
#if defined(PEEPHOLE_STD_THREADS)
  Barrier barrier(threads);
  std::vector<std::thread> others;
  for (int member = 1; member < threads; member++) others.emplace_back([&, member] { work(member, barrier, threads); });
  work(0, barrier, threads);
  for (auto& other : others) other.join();
#else
  alignas(64) char room[sizeof(Barrier)];
  Barrier* barrier = nullptr;
#pragma omp parallel num_threads(threads) shared(barrier, room, work)
  {
#pragma omp single
    barrier = new (room) Barrier(omp_get_num_threads());
    work(omp_get_thread_num(), *barrier, omp_get_num_threads());
  }
#endif
}

}  // namespace peephole
