#include "tensor/kernels/winograd.h"

#include <algorithm>

#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kTogether =
    8;  // channels that are copied before the first is read, since what is read at once waits for the write

template <class T>
inline constexpr int kTiles = 32 / sizeof(T);  // side by side in a vector
template <class T>
using TileVec = VecOf<T, kTiles<T>>;

template <class V>
inline V even(V a, V b) {
  if constexpr (sizeof(V) / sizeof(a[0]) == 8)
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  else return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
template <class V>
inline V odd(V a, V b) {
  if constexpr (sizeof(V) / sizeof(a[0]) == 8)
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
  else return __builtin_shufflevector(a, b, 1, 3, 5, 7);
}
template <class V>
inline V zip_low(V a, V b) {
  if constexpr (sizeof(V) / sizeof(a[0]) == 8)
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  else return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
template <class V>
inline V zip_high(V a, V b) {
  if constexpr (sizeof(V) / sizeof(a[0]) == 8)
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  else return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}

// Not so if a lane is NaN, as the sum of infinite values times 0 is.
template <class V>
inline bool is_zero(V v) {
  auto sum = v[0] * 0;
  for (size_t l = 0; l < sizeof(V) / sizeof(v[0]); l++) sum += v[l];
  return sum == 0;
}

// B^T of four things.
template <class V>
inline void filter_inputs(V& a, V& b, V& c, V& d) {
  const V first = a - c, second = b + c, third = c - b, last = b - d;
  a = first, b = second, c = third, d = last;
}

// Tiles whose inputs start at from + 2 j, rows `pitch` apart. There is room for a number of tiles behind `to`.
template <class T>
void input_tiles(const T* from, int64_t pitch, int64_t count, T* to, int64_t step, int64_t room) {
  using V = typename TileVec<T>::Type;
  constexpr int L = kTiles<T>;
  for (int64_t j = 0; j < count; j += L, from += 2 * L) {
    T aside[kTilePlaces * L];
    const bool fits = j + L <= room;
    T* target = fits ? to + j : aside;
    const int64_t apart = fits ? step : L;
    V v[4][4];  // by row; columns: 0 and L of the inputs, 2 and L + 2
    for (int i = 0; i < 4; i++) {
      const T* row = from + i * pitch;
      v[i][0] = TileVec<T>::load(row), v[i][1] = TileVec<T>::load(row + L);
      v[i][2] = TileVec<T>::load(row + 2), v[i][3] = TileVec<T>::load(row + L + 2);
    }
    for (int l = 0; l < 4; l++) filter_inputs(v[0][l], v[1][l], v[2][l], v[3][l]);
    for (int i = 0; i < 4; i++) {
      V a = even(v[i][0], v[i][1]), b = odd(v[i][0], v[i][1]);
      V c = even(v[i][2], v[i][3]), d = odd(v[i][2], v[i][3]);
      filter_inputs(a, b, c, d);
      TileVec<T>::store(target + (4 * i) * apart, a);
      TileVec<T>::store(target + (4 * i + 1) * apart, b);
      TileVec<T>::store(target + (4 * i + 2) * apart, c);
      TileVec<T>::store(target + (4 * i + 3) * apart, d);
    }
    for (int64_t i = 0; !fits && i < kTilePlaces; i++)
      std::copy_n(aside + i * L, count - j, to + i * step + j);
  }
}

// G of three things.
template <class V>
inline void filter_kernel(V a, V b, V c, V (&u)[4]) {
  const V ends = (a + c) / 2, middle = b / 2;
  u[0] = a, u[1] = ends + middle, u[2] = ends - middle, u[3] = c;
}

template <class T>
void kernel_columns(const T* w, int64_t ld, const int* order, int64_t n, T* u, int64_t step) {
  using V = typename TileVec<T>::Type;
  for (int64_t j = 0; j < n; j += kTiles<T>) {
    V rows[3][4];
    for (int l = 0; l < 3; l++) {
      const auto tap = [&](int y) { return TileVec<T>::load(w + order[3 * y + l] * ld + j); };
      filter_kernel(tap(0), tap(1), tap(2), rows[l]);
    }
    for (int i = 0; i < 4; i++) {
      V place[4];
      filter_kernel(rows[0][i], rows[1][i], rows[2][i], place);
      for (int l = 0; l < 4; l++) TileVec<T>::store(u + (4 * i + l) * step + j, place[l]);
    }
  }
}

// G of two things.
template <class V>
inline void filter_kernel(V a, V b, V (&u)[4]) {
  u[0] = a, u[1] = (a + b) / 2, u[2] = (a - b) / 2, u[3] = b;
}

template <class T>
void gradient_tiles(const T* top, const T* bottom, int64_t tiles, T* u, int64_t step) {
  using V = typename TileVec<T>::Type;
  for (int64_t i = 0; i < tiles; i++) {
    for (int64_t j = 0; j < kTilePanel; j += kTiles<T>) {
      V columns[2][4];
      for (int64_t x = 0; x < 2; x++) {
        const int64_t at = (2 * i + x) * kTilePanel + j;
        filter_kernel(TileVec<T>::load(top + at), TileVec<T>::load(bottom + at), columns[x]);
      }
      for (int y = 0; y < 4; y++) {
        V place[4];
        filter_kernel(columns[0][y], columns[1][y], place);
        for (int x = 0; x < 4; x++)
          TileVec<T>::store(u + (4 * y + x) * step + i * kTilePanel + j, place[x]);
      }
    }
  }
}

// A^T for three results.
template <class V>
inline void three_results(V a, V b, V c, V d, V (&y)[3]) {
  y[0] = a + b + c, y[1] = b - c, y[2] = b + c - d;
}

template <class T>
bool weight_tiles(const T* m, int64_t m_step, int64_t n, T* dw, int64_t dw_step) {
  using V = typename TileVec<T>::Type;
  constexpr int L = kTiles<T>;
  V check = {};
  for (int64_t j = 0; j < n; j += L) {
    T sums[kTilePlaces * L] = {}, results[9 * L];
    for (int64_t i = 0; i < kTilePlaces; i++)
      std::copy_n(m + i * m_step + j, std::min<int64_t>(L, n - j), sums + i * L);
    V columns[4][3];
    for (int x = 0; x < 4; x++) {
      const auto sum = [&](int y) { return TileVec<T>::load(sums + (4 * y + x) * L); };
      three_results(sum(0), sum(1), sum(2), sum(3), columns[x]);
    }
    for (int y = 0; y < 3; y++) {
      V row[3];
      three_results(columns[0][y], columns[1][y], columns[2][y], columns[3][y], row);
      for (int x = 0; x < 3; x++) {
        TileVec<T>::store(results + (3 * y + x) * L, row[x]);
        check += row[x] * T(0);
      }
    }
    for (int64_t i = 0; i < 9; i++)
      std::copy_n(results + i * L, std::min<int64_t>(L, n - j), dw + i * dw_step + j);
  }
  return is_zero(check);
}

template <class T>
bool output_tiles(const TileOutputs<T>& out) {
  using V = typename TileVec<T>::Type;
  constexpr int L = kTiles<T>;
  const T* from = out.from;
  V check = {};
  for (int64_t x = 0; x < out.columns; x += 2 * L, from += L) {
    V row[2][4];
    for (int l = 0; l < 4; l++) {
      const V a = TileVec<T>::load(from + l * out.step),
              b = TileVec<T>::load(from + (4 + l) * out.step),
              c = TileVec<T>::load(from + (8 + l) * out.step),
              d = TileVec<T>::load(from + (12 + l) * out.step);
      row[0][l] = a + b + c;
      row[1][l] = b - c - d;
    }
    const int64_t n = std::min<int64_t>(2 * L, out.columns - x);
    for (int64_t i = 0; i < out.rows; i++) {
      const V y0 = row[i][0] + row[i][1] + row[i][2] + out.bias,
              y1 = row[i][1] - row[i][2] - row[i][3] + out.bias;
      V low = zip_low(y0, y1), high = zip_high(y0, y1);
      T* to = out.to + i * out.pitch + x;
      if (n == 2 * L) {
        TileVec<T>::store(to, low);
        TileVec<T>::store(to + L, high);
      } else {
        T some[2 * L];
        TileVec<T>::store(some, low);
        TileVec<T>::store(some + L, high);
        for (int64_t l = n; l < 2 * L; l++) some[l] = 0;
        for (int64_t l = 0; l < n; l++) to[l] = some[l];
        low = TileVec<T>::load(some), high = TileVec<T>::load(some + L);
      }
      check += (low + high) * T(0);
    }
  }
  return is_zero(check);
}

std::vector<int64_t> four_from(int64_t first) { return {first, first + 1, first + 2, first + 3}; }

}  // namespace

TileGrid::TileGrid(int64_t batch, const Spatial& in, const Spatial& out, int64_t z_stride,
                   const std::vector<int64_t>& z_taps, int64_t first_y, int64_t first_x,
                   int64_t most_tiles)
    : planes_(batch * out[0]),
      rows_(ceil_div(out[1], 2)),
      columns_(ceil_div(out[2], 2)),
      batch_(batch),
      depth_(out[0]),
      in_(in),
      z_taps_(static_cast<int64_t>(z_taps.size())),
      layout_(in, {out[0], rows_, columns_}, {z_stride, 2, 2},
              {z_taps, four_from(first_y), four_from(first_x)},
              std::min(rows_, ceil_div(most_tiles, columns_) + 1), PaddedLayout::Read::Copy) {}

std::vector<TileRun> TileGrid::runs(Range tiles) const {
  std::vector<TileRun> runs;
  for (int64_t at = tiles.begin; at < tiles.end;) {
    const int64_t row = at / columns_, column = at % columns_, place = at - tiles.begin;
    const int64_t count =
        std::min({columns_ - column, tiles.end - at, kTilePanel - place % kTilePanel});
    runs.push_back({row / rows_, row % rows_, column, count, place});
    at += count;
  }
  return runs;
}

template <class T>
void TileGrid::transform_inputs(const Inputs<T>& from, const std::vector<TileRun>& runs,
                                const Transformed<T>& to) const {
  static const auto transform = best_variant<&input_tiles<T>>();
  const int64_t size = in_[0] * in_[1] * in_[2], plane_size = layout_.channel_size() / z_taps_;
  const int64_t pitch = layout_.position(1, 0) / 2;
  T* slab = scratch<T>(Scratch::C, kTogether * layout_.channel_size() + SlabLayout::kSlack);
  const T* end = from.data + batch_ * from.all * size;
  for (size_t i = 0, next; i < runs.size(); i = next) {
    const TileRun& first = runs[i];
    for (next = i + 1; next < runs.size() && runs[next].plane == first.plane;) next++;
    const T* image = from.data + (first.plane / depth_ * from.all + from.first) * size;
    for (int64_t c = 0; c < from.channels; c += kTogether) {
      const int64_t channels = std::min(kTogether, from.channels - c);
      layout_.fill(slab, image + c * size, end, channels, first.plane % depth_, first.row,
                   runs[next - 1].row - first.row + 1);
      for (int64_t plane = 0; plane < channels * z_taps_; plane++) {
        for (size_t k = i; k < next; k++) {
          const TileRun& r = runs[k];
          const int64_t place = r.at % kTilePanel;
          transform(slab + plane * plane_size + layout_.position(r.row - first.row, r.column),
                    pitch, r.count,
                    to.data + r.at / kTilePanel * to.panel + (c * z_taps_ + plane) * to.row + place,
                    to.place, kTilePanel - place);
        }
      }
    }
  }
}

template <class T>
void transform_kernels(const T* w, int64_t ld, const int (&order)[9], int64_t n, T* u,
                       int64_t step) {
  static const auto transform = best_variant<&kernel_columns<T>>();
  transform(w, ld, order, n, u, step);
}

template <class T>
void transform_gradients(const T* const (&dy)[2], int64_t tiles, T* u, int64_t step) {
  static const auto transform = best_variant<&gradient_tiles<T>>();
  transform(dy[0], dy[1], tiles, u, step);
}

template <class T>
bool transform_weights(const T* m, int64_t m_step, int64_t n, T* dw, int64_t dw_step) {
  static const auto transform = best_variant<&weight_tiles<T>>();
  return transform(m, m_step, n, dw, dw_step);
}

template <class T>
bool transform_outputs(const TileOutputs<T>& out) {
  static const auto transform = best_variant<&output_tiles<T>>();
  return transform(out);
}

#define GOTORCH_WINOGRAD(T)                                                                  \
  template void TileGrid::transform_inputs(const Inputs<T>&, const std::vector<TileRun>&,    \
                                           const Transformed<T>&) const;                     \
  template void transform_gradients(const T* const(&)[2], int64_t, T*, int64_t);             \
  template bool transform_weights(const T*, int64_t, int64_t, T*, int64_t);                  \
  template void transform_kernels(const T*, int64_t, const int(&)[9], int64_t, T*, int64_t); \
  template bool transform_outputs(const TileOutputs<T>&);
GOTORCH_WINOGRAD(float)
GOTORCH_WINOGRAD(double)
#undef GOTORCH_WINOGRAD

}  // namespace gotorch::kernels
