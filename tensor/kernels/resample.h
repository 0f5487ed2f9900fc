#pragma once
// Weighted sums of a few places along an axis, the same for every row: interpolation along one dimension.
#include "tensor/kernels/axis.h"

namespace gotorch::kernels {

// y[i] = sum over k of weight[k][i] * x[place[k][i]] for i < out. Places are in range.
template <class T>
struct Resample {
  const int64_t* place;  // [taps][out]
  const T* weight;       // the same
  int64_t taps, out;
};

// x is [outer, n, inner] and y [outer, out, inner]. Float and double.
template <class T>
void resample(const Resample<T>& p, const T* x, T* y, Axis a);
// gx[place[k][i]] += weight[k][i] * g[i], from 0 on, in the order of i.
template <class T>
void resample_backward(const Resample<T>& p, const T* g, T* gx, Axis a);

}  // namespace gotorch::kernels
