// As in pool_max.cpp: down the columns, then along the row of their sums.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/plane.h"
#include "tensor/kernels/pool_rows.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

template <class T>
void add_row(T* __restrict sum, const T* __restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

// The sum of a window of a row: of a long one in lanes.
template <class T>
inline T sum_of(const T* x, int64_t n) {
  T total = 0;
  if (n < 32) {
    for (int64_t k = 0; k < n; k++) total += x[k];
    return total;
  }
  T lane[16] = {};
  int64_t k = 0;
  for (; k + 16 <= n; k += 16)
    for (int l = 0; l < 16; l++) lane[l] += x[k + l];
  for (; k < n; k++) lane[k % 16] += x[k];
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lane[l] += lane[l + half];
  return lane[0];
}

// y[i] = sum of window i of the row over its divisor.
template <class T>
inline void average_each(const PoolWindow* window, int64_t n, const T* sum, int64_t rows,
                         int64_t divisor, T* y) {
  for (int64_t i = 0; i < n; i++) {
    const PoolWindow& w = window[i];
    const T total = sum_of(sum + w.begin, w.count);
    y[i] = w.count == 0 ? T(0) : total / static_cast<T>(divisor != 0 ? divisor : rows * w.divisor);
  }
}

// `n` windows like w, Stride columns apart.
template <class T, int Stride>
inline void average_run(const PoolWindow& w, int64_t n, const T* sum, T divisor, T* y) {
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const T* s = sum + w.begin + i * Stride;
    Vec<T> total = {};
    for (int64_t k = 0; k < w.count; k++) total += spaced<Stride>(s + k);
    store_some(y, i, n, total / divisor);
  }
}

template <class T>
inline void divide(T* __restrict y, const T* __restrict x, int64_t n, T divisor) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] / divisor;
}

template <class T>
T divisor_of(const PoolWindow& w, int64_t rows, int64_t divisor) {
  return static_cast<T>(divisor != 0 ? divisor : rows * w.divisor);
}

// The rows of outputs of one chunk.
template <class T>
class AverageRows {
 public:
  AverageRows(const PoolWindows& w, int64_t divisor)
      : w_(w), divisor_(divisor), n_(w.run.last - w.run.first) {
    sum_ = scratch<T>(Scratch::A, w.in[2] + kBehind);
    const int64_t count = w.window[2][w.run.first].count;
    const int64_t stride = count > 0 && count < 32 ? w.run.stride : 0;
    run_ = stride == 1   ? best_variant<&average_run<T, 1>>()
           : stride == 2 ? best_variant<&average_run<T, 2>>()
                         : nullptr;
  }

  // Row (z, y) of the outputs of plane x.
  void row(const T* x, int64_t z, int64_t yy, T* y) {
    const PoolWindow &wz = w_.window[0][z], &wy = w_.window[1][yy];
    const PoolWindow* window = w_.window[2].data();
    const int64_t width = w_.in[2], n = w_.out[2], rows = wz.divisor * wy.divisor;
    if (wz.count == 0 || wy.count == 0) return std::fill_n(y, n, T(0)), void();
    std::fill_n(sum_, width, T(0));
    for (int64_t kz = 0; kz < wz.count; kz++)
      for (int64_t ky = 0; ky < wy.count; ky++)
        add_(sum_, x + ((wz.begin + kz) * w_.in[1] + wy.begin + ky) * width, width);
    if (!run_) return each_(window, n, sum_, rows, divisor_, y);
    const auto [first, last, stride] = w_.run;
    each_(window, first, sum_, rows, divisor_, y);
    run_(window[first], n_, sum_, divisor_of<T>(window[first], rows, divisor_), y + first);
    each_(window + last, n - last, sum_, rows, divisor_, y + last);
  }

 private:
  const PoolWindows& w_;
  int64_t divisor_, n_;
  T* sum_;
  void (*run_)(const PoolWindow&, int64_t, const T*, T, T*);
  static inline const auto add_ = best_variant<&add_row<T>>();
  static inline const auto each_ = best_variant<&average_each<T>>();
};

// What a row of outputs gives to each column of its windows.
template <class T>
void spread_along(const PoolWindows& w, const T* dy, int64_t rows, int64_t divisor, T* share,
                  T* row) {
  static const auto divided = best_variant<&divide<T>>();
  const auto [first, last, stride] = w.run;
  const PoolWindow* window = w.window[2].data();
  std::fill_n(row, w.in[2], T(0));
  const auto each = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T part = dy[i] / divisor_of<T>(window[i], rows, divisor);
      for (int64_t k = 0; k < window[i].count; k++) row[window[i].begin + k] += part;
    }
  };
  const PoolWindow& like = window[first];
  if (like.count > stride) return each(0, w.out[2]);
  // Windows that do not overlap.
  divided(share, dy + first, last - first, divisor_of<T>(like, rows, divisor));
  copy_plane({row + like.begin, share, last - first, like.count, stride, 1, 1, 0}, sizeof(T));
  each(0, first);
  each(last, w.out[2]);
}

}  // namespace

template <class T>
void average_pool(int64_t planes, const PoolWindows& w, int64_t divisor, const T* x, T* y) {
  const int64_t n = w.out[2], size = volume(w.in);
  for_rows(
      planes, w, [&] { return AverageRows<T>(w, divisor); },
      [=](auto& chunk, int64_t r, int64_t plane, int64_t oz, int64_t oy) {
        chunk.row(x + plane * size, oz, oy, y + r * n);
      });
}

template <class T>
void average_pool_backward(int64_t planes, const PoolWindows& w, int64_t divisor, const T* dy,
                           T* dx) {
  static const auto add = best_variant<&add_row<T>>();
  const int64_t width = w.in[2], n = w.out[2], size = volume(w.in), rows = w.out[0] * w.out[1];
  const int64_t grain = std::max<int64_t>(1, kPoolGrain / (size + volume(w.out) + 1));
  runtime::parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    T* row = scratch<T>(Scratch::A, width + n);
    T* share = row + width;
    std::fill(dx + begin * size, dx + end * size, T(0));
    if (n == 0) return;
    each_row(w.out, begin * rows, end * rows, [&](int64_t r, int64_t plane, int64_t z, int64_t yy) {
      const PoolWindow &wz = w.window[0][z], &wy = w.window[1][yy];
      if (wz.count == 0 || wy.count == 0) return;
      spread_along(w, dy + r * n, wz.divisor * wy.divisor, divisor, share, row);
      for (int64_t kz = 0; kz < wz.count; kz++) {
        T* target = dx + plane * size + (wz.begin + kz) * w.in[1] * width;
        for (int64_t ky = 0; ky < wy.count; ky++) add(target + (wy.begin + ky) * width, row, width);
      }
    });
  });
}

#define GOTORCH_AVERAGE_POOL(T)                                                   \
  template void average_pool(int64_t, const PoolWindows&, int64_t, const T*, T*); \
  template void average_pool_backward(int64_t, const PoolWindows&, int64_t, const T*, T*);
GOTORCH_AVERAGE_POOL(float)
GOTORCH_AVERAGE_POOL(double)
#undef GOTORCH_AVERAGE_POOL

}  // namespace gotorch::kernels
