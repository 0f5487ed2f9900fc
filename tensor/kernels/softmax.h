#pragma once
// Softmax and its relatives along the middle axis of a contiguous [outer, n, inner] array.
// T is float or double. The output may be an input. Rows with +inf, NaN, or nothing but -inf become
// NaN, as the definition gives. Bits depend on neither workers nor instruction set.
#include "tensor/kernels/axis.h"

namespace gotorch::kernels {

// y = exp(x - max) / sum(exp(x - max)): not exp(x - logsumexp), which loses digits.
template <class T>
void softmax(const T* x, T* y, Axis axis);

// y = (x - max) - log(sum(exp(x - max)))
template <class T>
void log_softmax(const T* x, T* y, Axis axis);

// y[outer, inner] = log(sum(exp(x))): -inf for an empty row, +inf for a row with +inf.
template <class T>
void logsumexp(const T* x, T* y, Axis axis);

// From y = softmax(x): gx = y * (g - sum(g * y)).
template <class T>
void softmax_backward(const T* g, const T* y, T* gx, Axis axis);

// From y = log_softmax(x): gx = g - exp(y) * sum(g).
template <class T>
void log_softmax_backward(const T* g, const T* y, T* gx, Axis axis);

}  // namespace gotorch::kernels
