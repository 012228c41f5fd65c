// How the weights of a decoder are stored, and the products of bytes that a set of instructions offers. Knows no
// instruction set.
#pragma once

#include <cstdint>
#include <string>

namespace peephole {

// bfloat16: rounded to nearest; rows and sums stay floats. int8: each column's weights are whole numbers from -127 to 127
// times a scale, each row's numbers likewise; sums are whole and exact, whatever instructions make them.
enum class Storage { float32, bfloat16, int8 };

// target[columns[j]][row] += row · weights, or in its place start[j] + row · weights, for column blocks j from `first` to
// `last`; a block of a target is [rows][V].
struct ByteProduct {
  const void* rows;         // as `convert` left them, `row_bytes` apart
  long row_bytes;
  const float* row_scales;  // what 1 stands for in each row
  long row_count;
  const int8_t* weights;    // column blocks of [K / 4][V][4], `block_bytes` apart
  long block_bytes;
  long size;                // K
  const float* scales;      // [column blocks][V], what 1 stands for in each column
  const int32_t* sums;      // [column blocks][V], the sum of each column's numbers
  const int* columns;
  int first, last;
  float* target;
  long target_stride;       // between blocks
  const float* start;       // [column blocks][V], or null
};

struct ByteProducts {
  const char* name;
  // A row of K floats, whose block b of V lies at from + blocks[b], as `multiply` reads it.
  void (*convert)(const float* from, const long* blocks, long size, void* to, float* scale);
  void (*multiply)(const ByteProduct&);
};

constexpr long CONVERTED_BYTES = 2;  // at most, of a number of a converted row

// Those for the kernels of that name on this processor, with the best instructions that it has for them; or with no
// others than the kernels' own.
const ByteProducts& byte_products_for(const std::string& kernels, bool best = true);

}  // namespace peephole
