#pragma once
// Distinct values, and places in sorted sequences. Element types and length as in
// sort.h.
#include <cstdint>

#include "tensor/buffer.h"

namespace gotorch::kernels {

// The runs of equal values of n elements, which are sorted first or taken as they stand. A NaN
// equals nothing, not even NaN.
struct Runs {
  Buffer<int64_t> first;    // position in x of the first element of each run
  Buffer<int64_t> count;    // elements of each run
  Buffer<int64_t> inverse;  // run of each element of x; empty unless asked for
};
template <class T>
Runs unique(const T* x, int64_t n, bool sorted, bool want_inverse);

// y[r, j] = the number of elements of row r of `sequence` [rows, n] that are < value[r, j] (or <=,
// if right), given that rows ascend. A shared sequence is one row for all. value and y are [rows,
// m]. As in PyTorch, the place of NaN is n, and NaNs in the sequence count as small.
template <class T>
void searchsorted(const T* sequence, bool shared, int64_t rows, int64_t n, const T* value,
                  int64_t m, bool right, int64_t* y);

}  // namespace gotorch::kernels
