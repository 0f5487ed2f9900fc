#pragma once
// Distances of all pairs of rows.
#include <cstdint>

namespace gotorch::kernels {

// y[b, i, j] = the p-norm of x1[b, i] - x2[b, j], rows of m; p >= 0, also infinite. Float and double.
template <class T>
struct Distances {
  const T *x1, *x2;
  int64_t batch, rows1, rows2, m;
  double p;
};
template <class T>
void distances(const Distances<T>& d, T* y);

}  // namespace gotorch::kernels
