#pragma once
// Views as plain functions, for kernels: they check nothing that their callers have checked and are never recorded.
// Users call the ops of tensor/ops/view.cpp.
#include "tensor/tensor.h"

namespace gotorch {

// Dim i of the result is dim order[i] of x.
Tensor permuted(const Tensor& x, Dims order);
Tensor transposed(const Tensor& x, int64_t dim0, int64_t dim1);
// `length` elements of `dim` from `start`, every step-th.
Tensor sliced(const Tensor& x, int64_t dim, int64_t start, int64_t length, int64_t step = 1);
// x[index] along `dim`, which is dropped.
Tensor selected(const Tensor& x, int64_t dim, int64_t index);
Tensor expanded(const Tensor& x, Dims shape);
// A new dim of size 1 before `dim`.
Tensor unsqueezed(const Tensor& x, int64_t dim);
// The diagonal of (dim1, dim2), as the last dim.
Tensor diagonal_of(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2);
// All windows of `size` along `dim`, `step` apart; the place within a window is the last dim.
Tensor windows(const Tensor& x, int64_t dim, int64_t size, int64_t step);
// x, contiguous or not, as `shape`, if strides can say so; else undefined.
Tensor viewed(const Tensor& x, Dims shape);

}  // namespace gotorch
