// Products of bytes: each set of instructions that this processor has gives the bits of a sum over whole numbers.
#pragma once

#include <set>

#include "checks.h"
#include "decode/storage.h"

namespace peephole::tests {

struct ByteSizes {
  long size, rows;  // K, rows of the left operand
  int blocks;       // of columns
};

// What a row of floats becomes: whole numbers from -127 to 127, and what 1 stands for.
inline float plain_bytes(const std::vector<float>& from, std::vector<int64_t>& to) {
  float most = 0;
  for (float one : from) {
    if (!std::isfinite(one)) {
      to.assign(from.size(), 0);
      return std::numeric_limits<float>::quiet_NaN();
    }
    most = std::max(most, std::abs(one));
  }
  if (most < 1e-30f) most = 0;
  const float inverse = most > 0 ? 127 / most : 0;
  to.clear();
  for (float one : from) {
    volatile const float scaled = one * inverse;  // rounded, before it is rounded to whole
    to.push_back(int64_t(std::nearbyint(scaled)));
  }
  return most / 127;
}

enum class RowKind { drawn, largest, smallest, ties, zero, tiny, huge, one_spike, not_finite, KINDS };

inline std::vector<float> row_of(RowKind kind, long size, std::mt19937& engine) {
  std::vector<float> row(size);
  for (float& one : row) one = float(double(engine()) / 2147483648.0 - 1);
  for (long k = 0; k < size; k++) {
    const float drawn = row[k];
    if (kind == RowKind::largest) row[k] = 3.5f;
    if (kind == RowKind::smallest) row[k] = -3.5f;
    if (kind == RowKind::ties) row[k] = k ? std::floor(drawn * 126) + 0.5f : 127;  // halves, of which none is rounded twice
    if (kind == RowKind::zero) row[k] = 0;
    if (kind == RowKind::tiny) row[k] = drawn * 1e-31f;
    if (kind == RowKind::huge) row[k] = drawn * 3e38f;
    if (kind == RowKind::one_spike) row[k] = k == size / 2 ? -1e20f : drawn;
    if (kind == RowKind::not_finite && k == size - 1) row[k] = drawn < 0 ? -INFINITY : NAN;
  }
  return row;
}

// One product by one table, from numbers that the sizes decide; `extreme`: weights of ±127 only.
inline std::vector<float> byte_product(const ByteProducts& table, int bytes, const ByteSizes& s, bool extreme, bool fresh,
                                       std::vector<float>& want) {
  const long V = bytes / sizeof(float), groups = (s.size + 3) / 4, block_bytes = groups * 4 * V + 64;
  const long row_blocks = (s.size + V - 1) / V, row_bytes = (row_blocks * V * CONVERTED_BYTES + 63) / 64 * 64;
  std::mt19937 engine(unsigned(s.size * 1000 + s.rows * 20 + s.blocks * 2 + extreme));
  // Columns by column and k, so that they are the same whatever the registers hold.
  const long columns = s.blocks * 16;
  std::vector<std::vector<int64_t>> weights(columns, std::vector<int64_t>(s.size));
  for (long c = 0; c < columns; c++) {
    for (auto& one : weights[c]) one = !extreme ? int64_t(engine() % 255) - 127 : c % 3 == 2 && engine() % 2 ? -127 : 127;
  }
  const long blocks = columns / V;
  std::vector<int8_t> packed(blocks * block_bytes);
  std::vector<float> scales(columns), start(columns), target(columns * s.rows);
  std::vector<int32_t> sums(columns);
  for (long c = 0; c < columns; c++) {
    for (long k = 0; k < s.size; k++) {
      packed[c / V * block_bytes + (k / 4 * V + c % V) * 4 + k % 4] = int8_t(weights[c][k]);
      sums[c] += int32_t(weights[c][k]);
    }
    scales[c] = float(engine() % 1000 + 1) * 1e-4f;
    start[c] = float(engine() % 1000) * 1e-2f;
  }
  std::vector<char> converted(s.rows * row_bytes);
  std::vector<float> row_scales(s.rows);
  std::vector<int> places;
  for (long b = 0; b < blocks; b++) places.push_back(int(blocks - 1 - b));
  want.assign(columns * s.rows, 0);
  for (long r = 0; r < s.rows; r++) {
    const auto row = row_of(RowKind((s.size + r) % int(RowKind::KINDS)), s.size, engine);
    // Its blocks lie apart, as those of a batch do, and behind each other; what lies behind the last is NaN.
    std::vector<float> apart(row_blocks * 2 * V, std::numeric_limits<float>::quiet_NaN());
    std::vector<long> offsets;
    for (long b = 0; b < row_blocks; b++) {
      offsets.push_back((row_blocks - 1 - b) * 2 * V);
      std::copy(row.begin() + b * V, row.begin() + std::min(s.size, (b + 1) * V), apart.begin() + offsets.back());
    }
    table.convert(apart.data(), offsets.data(), s.size, converted.data() + r * row_bytes, &row_scales[r]);
    std::vector<int64_t> plain;
    const float scale = plain_bytes(row, plain);
    for (long c = 0; c < columns; c++) {
      int64_t sum = 0;
      for (long k = 0; k < s.size; k++) sum += plain[k] * weights[c][k];
      volatile const float both = scales[c] * scale, product = float(sum) * both;  // each rounded by itself
      float& to = target[(places[c / V] * s.rows + r) * V + c % V];
      to = float(c + r);
      want[c * s.rows + r] = (fresh ? start[c] : to) + product;
    }
  }
  table.multiply({converted.data(), row_bytes, row_scales.data(), s.rows, packed.data(), block_bytes, s.size, scales.data(),
                  sums.data(), places.data(), 0, int(blocks), target.data(), s.rows * V, fresh ? start.data() : nullptr});
  std::vector<float> got;
  for (long c = 0; c < columns; c++) {
    for (long r = 0; r < s.rows; r++) got.push_back(target[(places[c / V] * s.rows + r) * V + c % V]);
  }
  return got;
}

inline bool same_or_none(const std::vector<float>& got, const std::vector<float>& want) {
  for (size_t i = 0; i < want.size(); i++) {
    if (std::isnan(want[i]) ? !std::isnan(got[i]) : std::memcmp(&got[i], &want[i], sizeof(float)) != 0) return false;
  }
  return true;
}

inline void check_bytes() {
  std::vector<ByteSizes> all;
  for (long size = 1; size <= 70; size++) all.push_back({size, 1 + size % 20, 1 + int(size % 7)});
  for (long rows = 1; rows <= 20; rows++) all.push_back({37, rows, 9});
  for (long size : {255, 1024, 4099}) all.push_back({size, 9, 2});
  std::set<const ByteProducts*> seen;
  for (const Kernels* kernels : supported_kernels()) {
    for (const bool best : {true, false}) {
      const ByteProducts& table = byte_products_for(kernels->name, best);
      if (!seen.insert(&table).second) continue;
      for (const ByteSizes& sizes : all) {
        for (const bool extreme : {false, true}) {
          std::vector<float> want;
          const auto got = byte_product(table, kernels->bytes, sizes, extreme, sizes.rows % 2, want);
          check(same_or_none(got, want),
                std::string("products of bytes, ") + table.name + ": other bits than whole numbers for K " +
                    std::to_string(sizes.size) + ", " + std::to_string(sizes.rows) + " rows, " +
                    std::to_string(sizes.blocks * 16) + " columns" + (extreme ? ", extreme" : ""));
        }
      }
    }
  }
}

}  // namespace peephole::tests
