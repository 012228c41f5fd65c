// The memory of a decoder's weights. Whoever needs a part asks for it, always in the same order: first it is counted, then
// filled, and from then on found again, by this process or by another that maps the file into its memory.
#pragma once

#include <cstddef>
#include <cstring>

#include "storage.h"

namespace peephole {

class Shelf {
 public:
  Shelf(Storage storage, const ByteProducts& products) : storage_(storage), products_(products) {}

  Storage storage() const { return storage_; }
  const ByteProducts& products() const { return products_; }

  // From here on parts are handed out of `memory` (null: counted), and whoever gets one fills it or finds it filled.
  void open(char* memory, bool fills) {
    memory_ = memory;
    fills_ = fills;
    used_ = 0;
  }
  bool fills() const { return fills_ && memory_; }
  size_t used() const { return used_; }
  void go_to(size_t place) { used_ = place; }

  // The next `count` numbers, at a cache line's beginning; null while parts are counted.
  template <class T>
  T* next(size_t count) {
    char* place = memory_ ? memory_ + used_ : nullptr;
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(place);
  }

  // The next `count` floats, a copy of those at `from`; null, and no room, where there are none to copy.
  const float* copied(const float* from, size_t count, bool there) {
    if (!there) return nullptr;
    float* place = next<float>(count);
    if (fills()) std::memcpy(place, from, count * sizeof(float));
    return place;
  }

 private:
  const Storage storage_;
  const ByteProducts& products_;
  char* memory_ = nullptr;
  bool fills_ = false;
  size_t used_ = 0;
};

}  // namespace peephole
