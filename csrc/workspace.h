// Memory for one call, or for what a forward saves for its backward. Freed memory is kept for the next call, up to a
// limit: fresh pages cost more than small layers compute.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peephole {

class Workspace {
 public:
  explicit Workspace(size_t bytes);  // throws std::bad_alloc
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  // The next `count` numbers, aligned to a cache line; not cleared.
  template <class T>
  T* take(size_t count) {
    T* result = reinterpret_cast<T*>(memory_ + used_);
    used_ += rounded(count * sizeof(T));
    return result;
  }

  char* data() const { return memory_; }

  static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64 + 64; }

 private:
  char* memory_;
  size_t size_, used_ = 0;
};

// First counts what will be taken, then hands it out: the same lines of code do both.
class Allocator {
 public:
  template <class T>
  void operator()(T*& pointer, size_t count) {
    if (workspace_) {
      pointer = workspace_->take<T>(count);
    } else {
      bytes_ += Workspace::rounded(count * sizeof(T));
    }
  }
  size_t bytes() const { return bytes_; }
  void serve_from(Workspace& workspace) { workspace_ = &workspace; }

 private:
  Workspace* workspace_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace peephole
