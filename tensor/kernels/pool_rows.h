#pragma once
// Rows of outputs of a pooling, for its kernels.
#include <algorithm>
#include <cstring>

#include "runtime/parallel.h"
#include "tensor/kernels/lanes.h"
#include "tensor/kernels/pool.h"

namespace gotorch::kernels {

inline constexpr int64_t kPoolGrain = 1 << 14;  // inputs of a chunk

inline int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

// Rows [begin, end) of all output rows, counted through planes and depths; f(row, plane, z, y).
template <class F>
void each_row(const Spatial& out, int64_t begin, int64_t end, F&& f) {
  int64_t plane = begin / (out[0] * out[1]), z = begin / out[1] % out[0], y = begin % out[1];
  for (int64_t row = begin; row < end; row++) {
    f(row, plane, z, y);
    if (++y < out[1]) continue;
    y = 0;
    if (++z < out[0]) continue;
    z = 0;
    plane++;
  }
}

inline int64_t most_inputs(const Buffer<PoolWindow>& windows) {
  int64_t most = 0;
  for (const PoolWindow& w : windows) most = std::max(most, w.count);
  return most;
}

// Output rows of a chunk, so that it reads about kPoolGrain inputs.
inline int64_t row_grain(const PoolWindows& w) {
  const int64_t outputs = std::max<int64_t>(1, w.out[0] * w.out[1]);
  return std::max<int64_t>(1, kPoolGrain * outputs / (volume(w.in) + 1));
}

// row(chunk, r, plane, z, y) for every output row; rows are computed in chunks, each with an object of its own, make().
template <class Make, class Row>
void for_rows(int64_t planes, const PoolWindows& w, Make make, Row row) {
  if (planes * volume(w.out) == 0) return;
  runtime::parallel_for(
      planes * w.out[0] * w.out[1], row_grain(w), [&](int64_t begin, int64_t end) {
        auto chunk = make();
        each_row(w.out, begin, end, [&](int64_t r, int64_t plane, int64_t z, int64_t y) {
          row(chunk, r, plane, z, y);
        });
      });
}

// Every Stride-th of the elements from p on, for neighbouring outputs of a run; reads kBehind elements, not all used.
template <int Stride, class T>
inline Vec<T> spaced(const T* p) {
  constexpr int W = kWidth<T>;
  const Vec<T> a = VecAt<T>{0}(p);
  if constexpr (Stride == 1) {
    return a;
  } else {
    static_assert(Stride == 2);
    const Vec<T> b = VecAt<T>{W}(p);
    if constexpr (W == 8) return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    else return __builtin_shufflevector(a, b, 0, 2, 4, 6);
  }
}
// Room behind a row for the inputs of a vector of outputs, of which one is in the row.
inline constexpr int64_t kBehind = 2 * kWidth<float>;

// Writes output i and its neighbours, of which n - i are wanted.
template <class T>
inline void store_some(T* y, int64_t i, int64_t n, Vec<T> v) {
  if (i + kWidth<T> <= n) std::memcpy(y + i, &v, sizeof v);
  else
    for (int64_t j = i; j < n; j++) y[j] = v[j - i];
}

}  // namespace gotorch::kernels
