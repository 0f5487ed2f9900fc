#pragma once
// Places in an array [outer, n, inner] named by indices along its middle axis.
#include "tensor/kernels/tiles.h"

namespace gotorch::kernels {

// What reading or writing at a place that the cache did not foresee costs, in element operations.
inline constexpr int64_t kRandomAccess = 4;

// For index [outer, m, inner] and one tile of columns, calls visit(place in the array, place in index)
// in order along the axis.
template <class F>
void for_places(Tile t, Axis a, const int64_t* index, int64_t m, F visit) {
  const int64_t base = t.outer * a.n * a.inner, first = t.outer * m * a.inner;
  if (a.inner == 1) {
    for (int64_t j = first; j < first + m; j++) visit(base + index[j], j);
    return;
  }
  for (int64_t j = 0; j < m; j++) {
    const int64_t row = first + j * a.inner;
    for (int64_t i = t.first; i < t.first + t.width; i++)
      visit(base + index[row + i] * a.inner + i, row + i);
  }
}

}  // namespace gotorch::kernels
