// What the driver counts, and how it compares.
#pragma once

#include <algorithm>
#include <cstdio>

#include "call.h"

namespace peephole::tests {

inline long passed = 0, failed = 0;

inline void check(bool good, const std::string& what) {
  good ? passed++ : failed++;
  if (!good && failed <= 100) std::printf("FAILED %s\n", what.c_str());
}

inline double largest(const Numbers& of) {
  double most = 0;
  for (double one : of) most = std::max(most, std::abs(one));
  return most;
}

inline double norm(const Numbers& of) {
  double total = 0;
  for (double one : of) total += one * one;
  return std::sqrt(total);
}

inline bool filled(const Results& results) {
  for (const Named& one : results) {
    for (double value : one.values) {
      if (!std::isfinite(value)) return false;
    }
  }
  return true;
}

// Every number, and not nearly: a difference of zero's sign is one.
inline bool same_bits(const Results& a, const Results& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    const Numbers &one = a[i].values, &other = b[i].values;
    if (one.size() != other.size() || std::memcmp(one.data(), other.data(), one.size() * sizeof(double))) return false;
  }
  return true;
}

// The norm of the difference, relative to that of what is wanted; a tensor that cancels out counts as `floor` a number.
inline void compare(const Results& got, const Results& want, double tolerance, double floor, const std::string& what) {
  std::string worst;
  double most = tolerance;
  for (size_t i = 0; i < want.size(); i++) {
    Numbers difference = got[i].values;
    for (size_t j = 0; j < difference.size(); j++) difference[j] -= want[i].values[j];
    const double least = floor * std::sqrt(double(difference.size()));
    const double error = norm(difference) / std::max(norm(want[i].values), least);
    if (!(error <= most)) {
      most = error;
      worst = want[i].name + " is off by " + std::to_string(error);
    }
  }
  check(worst.empty(), what + ": " + worst);
}

}  // namespace peephole::tests
