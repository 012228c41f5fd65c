// Whole numbers from Python, read one after another.
#pragma once

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace peephole {

using Numbers = std::vector<int64_t>;

class Reader {
 public:
  Reader(const Numbers& numbers, const char* what) : numbers_(numbers), what_(what) {}
  ~Reader() noexcept(false) {
    if (next_ != numbers_.size() && !std::uncaught_exceptions()) throw std::invalid_argument(what_ + " has too many numbers");
  }
  int64_t number() {
    if (next_ == numbers_.size()) throw std::invalid_argument(what_ + " has too few numbers");
    return numbers_[next_++];
  }
  bool flag() { return number() != 0; }
  template <class T>
  T choice() {
    return static_cast<T>(number());
  }
  template <class T = void>
  T* pointer() {
    return reinterpret_cast<T*>(number());
  }

 private:
  const Numbers& numbers_;
  std::string what_;
  size_t next_ = 0;
};

}  // namespace peephole
