#pragma once
// Products of a matrix with a vector, or with a few: bound by reading the matrix once, so nothing
// is packed but the vectors.
#include "tensor/kernels/gemm.h"

namespace gotorch::kernels {

// Computes g if it is thin, that is C or C^T has few columns and the matrix lies in memory in a way
// that suits; else returns false.
template <class T>
bool gemm_thin(const Gemm<T>& g);

// y[i] = dot product of the k elements at a[i] with x, for i < rows.
template <class T>
void row_dots(const T* const* a, int64_t rows, const T* x, int64_t k, T* y);

}  // namespace gotorch::kernels
