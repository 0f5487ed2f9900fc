#pragma once
// Running results along the middle axis of a contiguous [outer, n, inner] array. Rows are scanned
// in order and in parallel; y may be x. Floats are accumulated in double.
#include "tensor/kernels/axis.h"

namespace gotorch::kernels {

// T is int64_t (wraps around), float or double.
template <class T>
void cumsum(const T* x, T* y, Axis axis);
template <class T>
void cumprod(const T* x, T* y, Axis axis);

// y[i] = log(exp(x[0]) + ... + exp(x[i])). T is float or double.
template <class T>
void logcumsumexp(const T* x, T* y, Axis axis);

// The largest (smallest) value so far and the last position where it was met; NaN beats every
// number. T is any integer type, float or double.
template <class T>
void cummax(const T* x, T* y, int64_t* indices, Axis axis);
template <class T>
void cummin(const T* x, T* y, int64_t* indices, Axis axis);

}  // namespace gotorch::kernels
