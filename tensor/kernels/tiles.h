#pragma once
// Work along the middle axis of [outer, n, inner], cut into tiles of neighbouring columns.
#include "runtime/parallel.h"
#include "tensor/kernels/axis.h"

namespace gotorch::kernels {

inline constexpr int64_t kMaxTile = 1024;

// `width` columns of outer index `outer`, from column `first` on.
struct Tile {
  int64_t outer, first, width;
};

// An array cut into tiles: wide ones, because memory is slow in short pieces, as long as they fit
// the second-level cache and there are some for every worker.
class Tiles {
 public:
  explicit Tiles(Axis a)
      : axis_(a),
        width_(std::clamp<int64_t>(
            std::min(65536 / std::max<int64_t>(1, a.n), a.rows() / 16) / 64 * 64, 128, kMaxTile)),
        per_outer_((a.inner + width_ - 1) / width_) {}
  int64_t count() const { return axis_.outer * per_outer_; }
  // Tiles per parallel chunk when an element costs `cost`.
  int64_t grain(int64_t cost) const {
    return grain_of(axis_.n * std::min(axis_.inner, width_) * cost);
  }
  Tile operator[](int64_t i) const {
    const int64_t first = i % per_outer_ * width_;
    return {i / per_outer_, first, std::min(width_, axis_.inner - first)};
  }
  template <class F>
  void for_each(int64_t cost, F f) const {
    runtime::parallel_for(count(), grain(cost), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; i++) f((*this)[i]);
    });
  }

 private:
  Axis axis_;
  int64_t width_, per_outer_;
};

// Calls f(row, begin, end) in parallel for pieces of the m elements of every row; an element costs
// `cost`.
template <class F>
void for_pieces(int64_t rows, int64_t m, int64_t cost, F f) {
  runtime::parallel_for(rows * m, grain_of(cost), [&](int64_t b, int64_t e) {
    for (int64_t r = b / m; b < e; r++) {
      const int64_t end = std::min(e, (r + 1) * m);
      f(r, b - r * m, end - r * m);
      b = end;
    }
  });
}

}  // namespace gotorch::kernels
