#include "workspace.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace peephole {
namespace {

constexpr size_t HUGE_PAGE = size_t(1) << 21;
constexpr size_t SMALL_STEP = size_t(1) << 16;  // sizes are whole multiples of it, large ones of huge pages
constexpr size_t MOST_KEPT = size_t(384) << 20;

struct Piece {
  char* memory;
  size_t size;
};

std::mutex guard;
size_t kept_bytes = 0;
std::vector<Piece>& kept() {
  static auto* pieces = new std::vector<Piece>;  // never destroyed: threads may outlive static objects
  return *pieces;
}

// A fork while another thread holds the guard would leave it locked in the child for good.
[[maybe_unused]] const int registered =
    pthread_atfork([] { guard.lock(); }, [] { guard.unlock(); }, [] { guard.unlock(); });

}  // namespace

Workspace::Workspace(size_t bytes) {
  const size_t step = bytes >= 4 * HUGE_PAGE ? HUGE_PAGE : SMALL_STEP;
  size_ = (bytes + step - 1) / step * step;
  {
    std::lock_guard<std::mutex> lock(guard);
    auto& pieces = kept();
    auto best = pieces.end();  // the smallest that is large enough, and not far too large
    for (auto piece = pieces.begin(); piece != pieces.end(); ++piece) {
      if (piece->size < size_ || piece->size > size_ + size_ / 4 + SMALL_STEP) continue;
      if (best == pieces.end() || piece->size < best->size) best = piece;
    }
    if (best != pieces.end()) {
      memory_ = best->memory;
      size_ = best->size;
      kept_bytes -= size_;
      pieces.erase(best);
      return;
    }
  }
  memory_ = static_cast<char*>(std::aligned_alloc(step, size_));
  if (!memory_) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (step == HUGE_PAGE) madvise(memory_, size_, MADV_HUGEPAGE);
#endif
}

Workspace::~Workspace() {
  std::lock_guard<std::mutex> lock(guard);
  auto& pieces = kept();
  pieces.push_back({memory_, size_});
  kept_bytes += size_;
  while (kept_bytes > MOST_KEPT) {  // the one that waited longest goes
    kept_bytes -= pieces.front().size;
    std::free(pieces.front().memory);
    pieces.erase(pieces.begin());
  }
}

}  // namespace peephole
