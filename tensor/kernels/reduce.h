#pragma once
// The inner loops of reductions, as data for one driver (tensor/reduce.cpp): how a block of elements becomes a state,
// how two states become one, and what a state is finally worth.
//
// A state covers some elements of one output. States of neighbouring outputs ("columns") lie side by side: field f of
// column c is element c of array f, and the arrays of a group of `room` columns follow each other. `room` is even, so
// 8-byte fields stay aligned.
//
// Bits depend on neither workers nor instruction set: lanes are fixed, and the driver merges in a fixed order.
#include <cstdint>

#include "tensor/dtype.h"

namespace gotorch::kernels {

// Elements per state before the first merge: rows are cut into blocks of this many, columns into panels of this many
// rows.
inline constexpr int64_t kRowBlock = 4096;
inline constexpr int64_t kPanelRows = 16;
// Columns of a panel that stays in the first-level cache with its states, and of one that is read but once, in the order
// of memory.
inline constexpr int64_t kPanelCols = 512, kOrderedCols = 2048;

struct ReduceKernel {
  Dtype reads;           // the dtype of the elements
  Dtype result;          // of finish()'s y0
  int64_t column_bytes;  // of one state, at most 16
  bool indexed;          // states know places, so elements must come in order
  // state[r] = of row r, n <= kRowBlock elements each, one row after the other. Elements have indices first, first + 1, ...
  void (*rows)(const void* x, int64_t rows, int64_t n, int64_t first, void* state, int64_t room);
  // state[c] = of column c of a panel of rows <= kPanelRows, `stride` elements apart, with indices first, first + 1, ...
  void (*panel)(const void* x, int64_t rows, int64_t cols, int64_t stride, int64_t first,
                void* state, int64_t room);
  // a[c] = a[c] and then b[c], for states of na and nb elements. a's elements come first.
  void (*merge)(void* a, const void* b, int64_t cols, int64_t room, double na, double nb);
  // The state of no elements; null where there is none (maximum).
  void (*empty)(void* state, int64_t cols, int64_t room);
  // y0[c], y1[c] = results of states of n elements. y1 is null unless there are two results.
  void (*finish)(const void* state, int64_t cols, int64_t room, double n, double option, void* y0,
                 void* y1);
  int64_t panel_cols = kPanelCols;  // that panel() takes at most
};

// T is what PyTorch accumulates and returns: float, double or int64_t.
const ReduceKernel& sum_kernel(Dtype d);
const ReduceKernel& mean_kernel(Dtype d);
const ReduceKernel& prod_kernel(Dtype d);
// The square root of the sum of squares. Float and double.
const ReduceKernel& norm2_kernel(Dtype d);
// Any dtype but the 16-bit floats. NaN is larger, and smaller, than anything.
const ReduceKernel& max_kernel(Dtype d);
const ReduceKernel& min_kernel(Dtype d);
// y0 = the extreme value, y1 = the int64 index of its first occurrence; the option is ignored.
const ReduceKernel& argmax_kernel(Dtype d);
const ReduceKernel& argmin_kernel(Dtype d);
// y0 = variance (or standard deviation), y1 = mean; the option is the correction. Float and double.
const ReduceKernel& var_kernel(Dtype d);
const ReduceKernel& std_kernel(Dtype d);

}  // namespace gotorch::kernels
