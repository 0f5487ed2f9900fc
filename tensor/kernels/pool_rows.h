#pragma once
// Rows of outputs of a pooling, for its kernels.
#include <algorithm>

#include "tensor/kernels/pool.h"

namespace gotorch::kernels {

inline constexpr int64_t kPoolGrain = 1 << 14;  // inputs of a chunk
inline constexpr int64_t kTogether = 16;        // outputs of a run that are computed at once

inline int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

// Rows [begin, end) of all output rows, counted through planes and depths; f(row, plane, z, y).
template <class F>
void each_row(const Spatial& out, int64_t begin, int64_t end, F&& f) {
  for (int64_t row = begin; row < end; row++) {
    f(row, row / (out[0] * out[1]), row / out[1] % out[0], row % out[1]);
  }
}

// Output rows of a chunk, so that it reads about kPoolGrain inputs.
inline int64_t row_grain(const PoolWindows& w) {
  const int64_t outputs = std::max<int64_t>(1, w.out[0] * w.out[1]);
  return std::max<int64_t>(1, kPoolGrain * outputs / (volume(w.in) + 1));
}

// Room behind a row for the inputs of kTogether windows, of which one is in the row.
template <int Stride>
inline constexpr int64_t kBehind = kTogether * Stride;

}  // namespace gotorch::kernels
