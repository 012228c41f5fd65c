#include "workspace.h"

#include <sys/mman.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace peephole {
namespace {

constexpr size_t PAGE = size_t(1) << 21;       // a huge one
constexpr size_t LARGEST_KEPT = size_t(1) << 28;
constexpr size_t KEPT = 4;

struct Piece {
  char* memory;
  size_t size;
};

std::mutex guard;
std::vector<Piece>& kept() {
  static auto* pieces = new std::vector<Piece>;  // never destroyed: threads may outlive static objects
  return *pieces;
}

}  // namespace

Workspace::Workspace(size_t bytes) {
  {
    std::lock_guard<std::mutex> lock(guard);
    auto& pieces = kept();
    for (size_t i = 0; i < pieces.size(); i++) {
      if (pieces[i].size >= bytes) {
        memory_ = pieces[i].memory;
        size_ = pieces[i].size;
        pieces.erase(pieces.begin() + i);
        return;
      }
    }
    if (!pieces.empty()) {  // all too small: give one back rather than collect them
      std::free(pieces.front().memory);
      pieces.erase(pieces.begin());
    }
  }
  size_ = (bytes + PAGE - 1) / PAGE * PAGE;
  memory_ = static_cast<char*>(std::aligned_alloc(PAGE, size_));
  if (!memory_) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  madvise(memory_, size_, MADV_HUGEPAGE);
#endif
}

Workspace::~Workspace() {
  std::lock_guard<std::mutex> lock(guard);
  auto& pieces = kept();
  if (size_ <= LARGEST_KEPT && pieces.size() < KEPT) {
    pieces.push_back({memory_, size_});
  } else {
    std::free(memory_);
  }
}

}  // namespace peephole
