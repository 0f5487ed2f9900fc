// Down the columns of a window's rows, then along the row of their sums; backward the other way round. A chunk's rows are computed
// within one function of an instruction set, as rows may be short.
#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/kernels/pool_rows.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

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

template <class T>
T divisor_of(const PoolWindow& w, int64_t rows, int64_t divisor) {
  return static_cast<T>(divisor != 0 ? divisor : rows * w.divisor);
}

template <class T>
struct AverageRows {
  const PoolWindows& w;
  int64_t divisor;
  const T* x;
  T* y;
  T* sum;  // room for a row of inputs, and kBehind
};

// sum[j] = the sum of column j of a window's rows. The last vector overlaps the one before it.
template <class T>
inline void add_columns(const PoolWindow& z, const PoolWindow& y, int64_t height, int64_t width,
                        const T* plane, T* sum) {
  const auto column = [&](auto at) {
    typename decltype(at)::Value total = {};
    for (int64_t kz = 0; kz < z.count; kz++) {
      const T* row = plane + ((z.begin + kz) * height + y.begin) * width;
      for (int64_t ky = 0; ky < y.count; ky++) total += at(row + ky * width);
    }
    return total;
  };
  constexpr int64_t W = kWidth<T>;
  for (int64_t j = 0; j < width; j += W) {
    if (width < W) {
      for_tail(0, width, [&](int64_t e) { sum[e] = column(ScalarAt<T>{e}); });
      return;
    }
    const int64_t at = std::min(j, width - W);
    const Vec<T> total = column(VecAt<T>{at});
    std::memcpy(sum + at, &total, sizeof total);
  }
}

// y[i] = sum of window i of the row over its divisor.
template <class T>
inline void average_each(const PoolWindow* window, int64_t n, const T* sum, int64_t rows,
                         int64_t divisor, T* y) {
  for (int64_t i = 0; i < n; i++) {
    const PoolWindow& w = window[i];
    const T total = sum_of(sum + w.begin, w.count);
    y[i] = w.count == 0 ? T(0) : total / divisor_of<T>(w, rows, divisor);
  }
}

// `n` windows like w, Stride columns apart. There is room for some outputs behind y, which are not yet computed.
template <class T, int Stride>
inline void average_run(const PoolWindow& w, int64_t n, const T* sum, T divisor, T* y,
                        int64_t room) {
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const T* s = sum + w.begin + i * Stride;
    Vec<T> total = {};
    for (int64_t k = 0; k < w.count; k++) total += spaced<Stride>(s + k);
    total /= divisor;
    if (i + kWidth<T> <= room) std::memcpy(y + i, &total, sizeof total);
    else store_some(y, i, n, total);
  }
}

// Rows [begin, end) of outputs; Stride is that of the run of like windows, or 0 if each is computed by itself.
template <class T, int Stride>
void average_rows(const AverageRows<T>& r, int64_t begin, int64_t end) {
  const PoolWindows& w = r.w;
  const PoolWindow* window = w.window[2].data();
  const int64_t n = w.out[2], size = volume(w.in);
  const auto [first, last, stride] = w.run;
  each_row(w.out, begin, end, [&](int64_t row, int64_t plane, int64_t oz, int64_t oy) {
    const PoolWindow &z = w.window[0][oz], &yy = w.window[1][oy];
    T* y = r.y + row * n;
    const int64_t rows = z.divisor * yy.divisor;
    if (z.count == 0 || yy.count == 0) return std::fill_n(y, n, T(0)), void();
    add_columns(z, yy, w.in[1], w.in[2], r.x + plane * size, r.sum);
    if constexpr (Stride == 0) {
      average_each(window, n, r.sum, rows, r.divisor, y);
    } else {
      average_each(window, first, r.sum, rows, r.divisor, y);
      average_run<T, Stride>(window[first], last - first, r.sum,
                             divisor_of<T>(window[first], rows, r.divisor), y + first,
                             (end - row) * n - first);
      average_each(window + last, n - last, r.sum, rows, r.divisor, y + last);
    }
  });
}

template <class T>
struct AverageGradient {
  const PoolWindows& w;
  int64_t divisor;
  const T* dy;
  T* dx;
  // A row of inputs, and what the outputs of a run give to every stride-th of them: `stride` rows. All have room behind them.
  T *row, *phases;
  int64_t phase_room;
};

// What a row of outputs gives to each column of its windows, where all are alike: phase p has columns p, p + stride, ...
template <class T>
inline void spread_run(const AverageGradient<T>& g, const T* dy, T divisor) {
  const auto [first, last, stride] = g.w.run;
  const PoolWindow& like = g.w.window[2][first];
  const int64_t n = last - first, length = n + (like.count - 1) / stride;
  for (int64_t p = 0; p < stride; p++) {
    T* phase = stride == 1 ? g.row + like.begin : g.phases + p * g.phase_room;
    std::fill_n(phase, length, T(0));
    if (p >= like.count) continue;
    for (int64_t q = (like.count - 1 - p) / stride; q >= 0; q--)
      map_row(phase + q, n, [&](auto at) { return at(phase + q) + at(dy + first) / divisor; });
  }
  T* row = g.row + like.begin;
  for (int64_t p = 0; p < stride && stride > 1; p++)
    for (int64_t j = 0; j < length; j++) row[j * stride + p] = g.phases[p * g.phase_room + j];
}

template <class T>
inline void spread_along(const AverageGradient<T>& g, const T* dy, int64_t rows) {
  const auto [first, last, stride] = g.w.run;
  const PoolWindow* window = g.w.window[2].data();
  const auto each = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T part = dy[i] / divisor_of<T>(window[i], rows, g.divisor);
      for (int64_t k = 0; k < window[i].count; k++) g.row[window[i].begin + k] += part;
    }
  };
  std::fill_n(g.row, g.w.in[2], T(0));
  if (last - first < kWidth<T> || stride < 1) return each(0, g.w.out[2]);
  spread_run(g, dy, divisor_of<T>(window[first], rows, g.divisor));
  each(0, first);
  each(last, g.w.out[2]);
}

// Planes [begin, end).
template <class T>
void average_gradients(const AverageGradient<T>& g, int64_t begin, int64_t end) {
  const PoolWindows& w = g.w;
  const int64_t width = w.in[2], size = volume(w.in), rows = w.out[0] * w.out[1];
  std::fill(g.dx + begin * size, g.dx + end * size, T(0));
  each_row(w.out, begin * rows, end * rows, [&](int64_t r, int64_t plane, int64_t oz, int64_t oy) {
    const PoolWindow &z = w.window[0][oz], &y = w.window[1][oy];
    if (z.count == 0 || y.count == 0) return;
    spread_along(g, g.dy + r * w.out[2], z.divisor * y.divisor);
    for (int64_t kz = 0; kz < z.count; kz++) {
      T* target = g.dx + plane * size + ((z.begin + kz) * w.in[1] + y.begin) * width;
      for (int64_t ky = 0; ky < y.count; ky++, target += width)
        map_row(target, width, [&](auto at) { return at(target) + at(g.row); });
    }
  });
}

}  // namespace

template <class T>
void average_pool(int64_t planes, const PoolWindows& w, int64_t divisor, const T* x, T* y) {
  if (planes * volume(w.out) == 0) return;
  const int64_t count = w.window[2][w.run.first].count;
  const int64_t stride = count > 0 && count < 32 ? w.run.stride : 0;
  const auto rows = stride == 1   ? best_variant<&average_rows<T, 1>>()
                    : stride == 2 ? best_variant<&average_rows<T, 2>>()
                                  : best_variant<&average_rows<T, 0>>();
  runtime::parallel_for(
      planes * w.out[0] * w.out[1], row_grain(w), [&](int64_t begin, int64_t end) {
        rows({w, divisor, x, y, scratch<T>(Scratch::A, w.in[2] + kBehind)}, begin, end);
      });
}

template <class T>
void average_pool_backward(int64_t planes, const PoolWindows& w, int64_t divisor, const T* dy,
                           T* dx) {
  static const auto gradients = best_variant<&average_gradients<T>>();
  if (volume(w.out) == 0) return std::fill_n(dx, planes * volume(w.in), T(0)), void();
  const PoolRun& run = w.run;
  const int64_t count = w.window[2][run.first].count, stride = std::max<int64_t>(1, run.stride);
  const int64_t phase_room = run.last - run.first + count / stride + 1;
  const int64_t room = w.in[2] + count + 2 * stride;
  const int64_t grain = std::max<int64_t>(1, kPoolGrain / (volume(w.in) + volume(w.out) + 1));
  runtime::parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    T* row = scratch<T>(Scratch::A, room + stride * phase_room);
    gradients({w, divisor, dy, dx, row, row + room, phase_room}, begin, end);
  });
}

#define GOTORCH_AVERAGE_POOL(T)                                                   \
  template void average_pool(int64_t, const PoolWindows&, int64_t, const T*, T*); \
  template void average_pool_backward(int64_t, const PoolWindows&, int64_t, const T*, T*);
GOTORCH_AVERAGE_POOL(float)
GOTORCH_AVERAGE_POOL(double)
#undef GOTORCH_AVERAGE_POOL

}  // namespace gotorch::kernels
