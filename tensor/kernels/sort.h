#pragma once
// Sorting and selecting along the middle axis of a contiguous [outer, n, inner] array. T is uint8_t
// (bool too), int8_t, int16_t, int32_t, int64_t, Half, BFloat16, float or double. NaN is the
// largest value. Equal values come in the order of their positions, in every function: results are
// unique, whatever the number of workers. Rows are shorter than 2^32. Outputs may not overlap x; `values` or `indices` may be
// null.
#include "tensor/kernels/axis.h"

namespace gotorch::kernels {

// Stable, also when descending.
template <class T>
void sort(const T* x, Axis axis, bool descending, T* values, int64_t* indices);

// The k <= n largest (or smallest) of each row, sorted: [outer, k, inner].
template <class T>
void topk(const T* x, Axis axis, int64_t k, bool largest, T* values, int64_t* indices);

// The k-th smallest of each row, 1 <= k <= n: [outer, inner].
template <class T>
void kth_value(const T* x, Axis axis, int64_t k, T* values, int64_t* indices);

// The median of each row, n >= 1; of an even number, the lower one. A row with NaN gives its first
// NaN, unless NaNs are ignored; then only a row of nothing else does.
template <class T>
void median(const T* x, Axis axis, bool ignore_nan, T* values, int64_t* indices);

}  // namespace gotorch::kernels
