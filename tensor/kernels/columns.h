#pragma once
// Reductions over the middle axis of [outer, n, inner] with inner > 1: a tile of neighbouring
// columns is one vector operand, and the axis is walked row by row.
#include <algorithm>
#include <limits>

#include "tensor/kernels/lanes.h"
#include "tensor/kernels/tiles.h"

namespace gotorch::kernels {

// K running sums of each of w columns. Rows are added in fours, these in groups, groups in double.
template <class T, int K = 1>
class ColumnSums {
 public:
  explicit ColumnSums(int64_t w) : w_(w) {
    for (int k = 0; k < K; k++) {
      std::fill_n(group_[k], w, T(0));
      std::fill_n(total_[k], w, 0.0);
    }
  }

  // Adds rows b ... e - 1, where f(at, i) gives the K terms of row i.
  template <class F>
  void add(int64_t b, int64_t e, F f) {
    for (; b + 4 <= e; b += 4)
      add_terms(4, [&](auto at) {
        const auto p = f(at, b), q = f(at, b + 1), r = f(at, b + 2), s = f(at, b + 3);
        auto sum = p;
        for (int k = 0; k < K; k++) sum[k] = (p[k] + q[k]) + (r[k] + s[k]);
        return sum;
      });
    for (; b < e; b++) add_terms(1, [&](auto at) { return f(at, b); });
  }

  // The K sums, in double or rounded to T. Nothing can be added afterwards.
  const double* totals(int k) {
    flush();
    return total_[k];
  }
  const T* rounded(int k = 0) {
    flush();
    for (int64_t j = 0; j < w_; j++) group_[k][j] = static_cast<T>(total_[k][j]);
    rows_ = 0;
    return group_[k];
  }

 private:
  template <class F>
  void add_terms(int rows, F f) {
    int64_t j = 0;
    for (; j + kWidth<T> <= w_; j += kWidth<T>) {
      const auto t = f(VecAt<T>{j});
      for (int k = 0; k < K; k++) {
        const Vec<T> sum = VecAt<T>{j}(group_[k]) + t[k];
        std::memcpy(group_[k] + j, &sum, sizeof sum);
      }
    }
    for_tail(j, w_, [&](int64_t e) {
      const auto t = f(ScalarAt<T>{e});
      for (int k = 0; k < K; k++) group_[k][e] += t[k];
    });
    if ((rows_ += rows) >= 128) flush();
  }
  void flush() {
    if (rows_ == 0) return;
    for (int k = 0; k < K; k++)
      for (int64_t j = 0; j < w_; j++)
        total_[k][j] += static_cast<double>(group_[k][j]), group_[k][j] = 0;
    rows_ = 0;
  }

  int64_t w_;
  int rows_ = 0;
  T group_[K][kMaxTile];
  double total_[K][kMaxTile];
};

// m[j] = the largest of n values, `stride` apart. NaN is skipped, as in max_row.
template <class T>
void max_columns(const T* x, int64_t n, int64_t stride, int64_t w, T* m) {
  for (int64_t j = 0; j < w; j++) m[j] = -std::numeric_limits<T>::infinity();
  for (; n-- > 0; x += stride)
    map_row(m, w, [&](auto at) { return at(x) > at(m) ? at(x) : at(m); });
}

}  // namespace gotorch::kernels
