#pragma once
// Copying elements between two layouts of two dimensions.
#include <cstdint>

namespace gotorch::kernels {

// y[r * y_row + i * y_step] = x[r * x_row + i * x_step] for r < rows, i < n. Steps count elements and may be negative or 0.
struct Plane {
  void* y;
  const void* x;
  int64_t rows, n;
  int64_t y_row, y_step, x_row, x_step;
};

// Elements of `item` bytes: 1, 2, 4 or 8. y and x do not overlap.
void copy_plane(const Plane& p, int64_t item);

}  // namespace gotorch::kernels
