#pragma once
// The layout most kernels work on: a contiguous [outer, n, inner] array, reduced or scanned over
// its middle axis. A row is the n elements that share outer and inner index; they lie `inner`
// apart.
#include <algorithm>
#include <cstdint>

namespace gotorch::kernels {

struct Axis {
  int64_t outer = 1, n = 0, inner = 1;
  int64_t rows() const { return outer * inner; }
  int64_t size() const { return outer * n * inner; }
};

// Rows per parallel chunk when one row costs about `cost` element operations: a chunk is worth
// 20 microseconds or more. Depends on the shape only.
inline int64_t grain_of(int64_t cost) {
  constexpr int64_t kWork = 32768;
  return std::max<int64_t>(1, kWork / std::max<int64_t>(1, cost));
}

}  // namespace gotorch::kernels
