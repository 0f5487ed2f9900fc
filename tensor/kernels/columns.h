#pragma once
// Reductions over the middle axis of [outer, n, inner] with inner > 1: a tile of neighbouring
// columns is one vector operand, and the axis is walked row by row.
#include <algorithm>
#include <limits>

#include "runtime/parallel.h"
#include "tensor/kernels/axis.h"
#include "tensor/kernels/lanes.h"

namespace gotorch::kernels {

inline constexpr int64_t kTile = 256;

// `width` columns of outer index `outer`, from column `first` on.
struct Tile {
  int64_t outer, first, width;
};

// An array cut into tiles of at most kTile columns.
class Tiles {
 public:
  explicit Tiles(Axis a) : axis_(a), per_outer_((a.inner + kTile - 1) / kTile) {}
  int64_t count() const { return axis_.outer * per_outer_; }
  // Tiles per parallel chunk when an element costs `cost`.
  int64_t grain(int64_t cost) const {
    return grain_of(axis_.n * std::min(axis_.inner, kTile) * cost);
  }
  Tile operator[](int64_t i) const {
    const int64_t first = i % per_outer_ * kTile;
    return {i / per_outer_, first, std::min(kTile, axis_.inner - first)};
  }
  template <class F>
  void for_each(int64_t cost, F f) const {
    runtime::parallel_for(count(), grain(cost), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; i++) f((*this)[i]);
    });
  }

 private:
  Axis axis_;
  int64_t per_outer_;
};

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
