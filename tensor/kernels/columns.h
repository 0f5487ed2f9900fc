#pragma once
// Reductions over the middle axis of [outer, n, inner] with inner > 1: a tile of neighbouring
// columns is one vector operand, and the axis is walked row by row.
#include <algorithm>
#include <limits>

#include "tensor/kernels/lanes.h"
#include "tensor/kernels/tiles.h"

namespace gotorch::kernels {

// Running sums of a tile of columns. Rows are added in groups of 64, groups in double.
template <class T>
struct ColumnSums {
  T group[kTile] = {};
  double total[kTile] = {};
  int rows = 0;

  template <class F>
  void add(int64_t w, F f) {
    map_row(group, w, [&](auto at) { return at(group) + f(at); });
    if (++rows == 64) flush(w);
  }
  void flush(int64_t w) {
    for (int64_t j = 0; j < w; j++) total[j] += static_cast<double>(group[j]), group[j] = 0;
    rows = 0;
  }
  void finish(int64_t w) {
    flush(w);
    for (int64_t j = 0; j < w; j++) group[j] = static_cast<T>(total[j]);
  }
};

// m[j] = the largest of n values, `stride` apart. NaN is skipped, as in max_row.
template <class T>
void max_columns(const T* x, int64_t n, int64_t stride, int64_t w, T* m) {
  for (int64_t j = 0; j < w; j++) m[j] = -std::numeric_limits<T>::infinity();
  for (; n-- > 0; x += stride)
    map_row(m, w, [&](auto at) { return at(x) > at(m) ? at(x) : at(m); });
}

}  // namespace gotorch::kernels
