// A window is reduced in two steps: down its columns, for all columns of the image at once, which
// is one contiguous loop per row; then along that row of column results.
#include "tensor/kernels/pool.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "runtime/parallel.h"
#include "tensor/kernels/gemm_pack.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kGrain = 1 << 14;  // inputs of a chunk

int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

// Rows [begin, end) of all output rows, counted through planes and depths; f(row, plane, z, y).
template <class F>
void each_row(const Spatial& out, int64_t begin, int64_t end, F&& f) {
  for (int64_t row = begin; row < end; row++) {
    f(row, row / (out[0] * out[1]), row / out[1] % out[0], row % out[1]);
  }
}

// Output rows of a chunk, so that it reads about kGrain inputs.
int64_t row_grain(const PoolWindows& w) {
  const int64_t outputs = std::max<int64_t>(1, w.out[0] * w.out[1]);
  return std::max<int64_t>(1, kGrain * outputs / (volume(w.in) + 1));
}

// The largest input of each column so far, and which row of the window it is in. A row number has
// the size of an element, so that both fill the same number of vectors.
template <class T>
struct ColumnMax {
  using Row = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  static void start(T* __restrict best, Row* __restrict at, int64_t n, const T* __restrict x) {
    for (int64_t i = 0; i < n; i++) best[i] = x[i], at[i] = 0;
  }
  static void add(T* __restrict best, Row* __restrict at, int64_t n, const T* __restrict x,
                  Row row) {
    for (int64_t i = 0; i < n; i++) {
      const bool larger = (x[i] > best[i]) | (x[i] != x[i]);
      best[i] = larger ? x[i] : best[i];
      at[i] = larger ? row : at[i];
    }
  }
};

// Along the row: a column wins if its value is larger, or equal and in an earlier row. NaN wins
// over numbers, and over a NaN that comes earlier in the window.
template <class T, class Row>
void max_along(const PoolWindow* window, int64_t n, const T* best, const Row* at,
               const int64_t* line, T* y, int64_t* index) {
  for (int64_t i = 0; i < n; i++) {
    const PoolWindow& w = window[i];
    if (w.count == 0) {
      y[i] = -std::numeric_limits<T>::infinity();
      index[i] = 0;
      continue;
    }
    // Selected with a mask: which input is larger is not predictable, so a branch would miss.
    int64_t top = w.begin;
    for (int64_t k = 1; k < w.count; k++) {
      const int64_t c = w.begin + k * w.step;
      const T value = best[c], most = best[top];
      const bool larger = value > most, nan = value != value, was_nan = most != most;
      const bool earlier = (value == most) & (at[c] < at[top]);
      const bool wins = larger | earlier | (nan & (!was_nan | (at[c] >= at[top])));
      top += (c - top) & -static_cast<int64_t>(wins);
    }
    y[i] = best[top];
    index[i] = line[at[top]] + top;
  }
}

template <class T>
void add_row(T* __restrict sum, const T* __restrict x, int64_t n) {
  for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

// y[i] = sum of window i of the row over its divisor.
template <class T>
void average_along(const PoolWindow* window, int64_t n, const T* sum, int64_t rows, int64_t divisor,
                   T* y) {
  for (int64_t i = 0; i < n; i++) {
    const PoolWindow& w = window[i];
    T total = 0;
    if (w.count >= 32) {
      T lane[16] = {};
      int64_t k = 0;
      for (; k + 16 <= w.count; k += 16) {
        for (int l = 0; l < 16; l++) lane[l] += sum[w.begin + k + l];
      }
      for (; k < w.count; k++) lane[k % 16] += sum[w.begin + k];
      for (int half = 8; half > 0; half /= 2) {
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
      }
      total = lane[0];
    } else {
      for (int64_t k = 0; k < w.count; k++) total += sum[w.begin + k];
    }
    y[i] = w.count == 0 ? T(0) : total / static_cast<T>(divisor != 0 ? divisor : rows * w.divisor);
  }
}

template <class T>
void spread_along(const PoolWindow* window, int64_t n, const T* dy, int64_t rows, int64_t divisor,
                  int64_t width, T* row) {
  std::fill(row, row + width, T(0));
  for (int64_t i = 0; i < n; i++) {
    const PoolWindow& w = window[i];
    const T share = dy[i] / static_cast<T>(divisor != 0 ? divisor : rows * w.divisor);
    for (int64_t k = 0; k < w.count; k++) row[w.begin + k] += share;
  }
}

}  // namespace

void PoolShape::set_out(bool ceil_mode) {
  for (int d = 0; d < 3; d++) {
    const int64_t room = in[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
    const int64_t extra = ceil_mode ? stride[d] - 1 : 0;
    out[d] = room + extra < 0 ? 0 : (room + extra) / stride[d] + 1;
    if (ceil_mode && (out[d] - 1) * stride[d] >= in[d] + padding[d]) out[d]--;
  }
}

PoolWindows max_windows(const PoolShape& s) {
  PoolWindows w{s.in, s.out, {}};
  for (int d = 0; d < 3; d++) {
    w.window[d].reserve(static_cast<size_t>(s.out[d]));
    for (int64_t i = 0; i < s.out[d]; i++) {
      const int64_t start = i * s.stride[d] - s.padding[d], step = s.dilation[d];
      const int64_t skip = start < 0 ? (step - 1 - start) / step : 0;
      const int64_t begin = start + skip * step;
      const int64_t fit = begin < s.in[d] ? (s.in[d] - 1 - begin) / step + 1 : 0;
      const int64_t count = std::clamp<int64_t>(s.kernel[d] - skip, 0, fit);
      w.window[d].push_back({begin, step, count, count});
    }
  }
  return w;
}

PoolWindows average_windows(const PoolShape& s, bool count_include_pad) {
  PoolWindows w{s.in, s.out, {}};
  for (int d = 0; d < 3; d++) {
    w.window[d].reserve(static_cast<size_t>(s.out[d]));
    for (int64_t i = 0; i < s.out[d]; i++) {
      const int64_t start = i * s.stride[d] - s.padding[d];
      const int64_t end = std::min(start + s.kernel[d], s.in[d] + s.padding[d]);
      const int64_t begin = std::max<int64_t>(start, 0);
      const int64_t count = std::max<int64_t>(0, std::min(end, s.in[d]) - begin);
      w.window[d].push_back({begin, 1, count, count_include_pad ? end - start : count});
    }
  }
  return w;
}

PoolWindows adaptive_windows(const Spatial& in, const Spatial& out) {
  PoolWindows w{in, out, {}};
  for (int d = 0; d < 3; d++) {
    w.window[d].reserve(static_cast<size_t>(out[d]));
    for (int64_t i = 0; i < out[d]; i++) {
      const int64_t begin = i * in[d] / out[d], end = ((i + 1) * in[d] + out[d] - 1) / out[d];
      w.window[d].push_back({begin, 1, end - begin, end - begin});
    }
  }
  return w;
}

template <class T>
void max_pool(int64_t planes, const PoolWindows& w, const T* x, T* y, int64_t* index) {
  using Row = typename ColumnMax<T>::Row;
  static const auto start = best_variant<&ColumnMax<T>::start>();
  static const auto add = best_variant<&ColumnMax<T>::add>();
  static const auto along = best_variant<&max_along<T, Row>>();
  const int64_t width = w.in[2], n = w.out[2], size = volume(w.in);
  if (planes * volume(w.out) == 0) return;
  const int64_t rows = planes * w.out[0] * w.out[1];
  runtime::parallel_for(rows, row_grain(w), [&](int64_t begin, int64_t end) {
    T* best = scratch<T>(Scratch::A, width);
    Row* at = scratch<Row>(Scratch::B, width);
    each_row(w.out, begin, end, [&](int64_t r, int64_t plane, int64_t oz, int64_t oy) {
      const PoolWindow &wz = w.window[0][oz], &wy = w.window[1][oy];
      // Where in the plane each row of the window starts.
      int64_t* line = scratch<int64_t>(Scratch::C, wz.count * wy.count);
      Row number = 0;
      for (int64_t kz = 0; kz < wz.count; kz++) {
        const int64_t depth = (wz.begin + kz * wz.step) * w.in[1];
        for (int64_t ky = 0; ky < wy.count; ky++, number++) {
          line[number] = (depth + wy.begin + ky * wy.step) * width;
          const T* source = x + plane * size + line[number];
          if (number == 0) start(best, at, width, source);
          else add(best, at, width, source, number);
        }
      }
      if (number == 0) {
        std::fill_n(y + r * n, n, -std::numeric_limits<T>::infinity());
        std::fill_n(index + r * n, n, int64_t{0});
      } else {
        along(w.window[2].data(), n, best, at, line, y + r * n, index + r * n);
      }
    });
  });
}

template <class T>
void max_pool_backward(int64_t planes, int64_t in, int64_t out, const T* dy, const int64_t* index,
                       T* dx) {
  const int64_t grain = std::max<int64_t>(1, kGrain / (in + out + 1));
  runtime::parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    std::fill(dx + begin * in, dx + end * in, T(0));
    for (int64_t plane = begin; plane < end; plane++) {
      T* target = dx + plane * in;
      for (int64_t i = plane * out; i < (plane + 1) * out; i++) target[index[i]] += dy[i];
    }
  });
}

template <class T>
void average_pool(int64_t planes, const PoolWindows& w, int64_t divisor, const T* x, T* y) {
  static const auto add = best_variant<&add_row<T>>();
  const int64_t width = w.in[2], n = w.out[2], size = volume(w.in);
  if (planes * volume(w.out) == 0) return;
  runtime::parallel_for(
      planes * w.out[0] * w.out[1], row_grain(w), [&](int64_t begin, int64_t end) {
        T* sum = scratch<T>(Scratch::A, width);
        each_row(w.out, begin, end, [&](int64_t r, int64_t plane, int64_t z, int64_t yy) {
          const PoolWindow &wz = w.window[0][z], &wy = w.window[1][yy];
          std::fill(sum, sum + width, T(0));
          for (int64_t kz = 0; kz < wz.count; kz++) {
            const T* source = x + plane * size + (wz.begin + kz) * w.in[1] * width;
            for (int64_t ky = 0; ky < wy.count; ky++)
              add(sum, source + (wy.begin + ky) * width, width);
          }
          if (wz.count == 0 || wy.count == 0) std::fill(y + r * n, y + (r + 1) * n, T(0));
          else
            average_along(w.window[2].data(), n, sum, wz.divisor * wy.divisor, divisor, y + r * n);
        });
      });
}

template <class T>
void average_pool_backward(int64_t planes, const PoolWindows& w, int64_t divisor, const T* dy,
                           T* dx) {
  static const auto add = best_variant<&add_row<T>>();
  const int64_t width = w.in[2], n = w.out[2], size = volume(w.in), rows = w.out[0] * w.out[1];
  const int64_t grain = std::max<int64_t>(1, kGrain / (size + volume(w.out) + 1));
  runtime::parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    T* share = scratch<T>(Scratch::A, width);
    std::fill(dx + begin * size, dx + end * size, T(0));
    if (n == 0) return;
    each_row(w.out, begin * rows, end * rows, [&](int64_t r, int64_t plane, int64_t z, int64_t yy) {
      const PoolWindow &wz = w.window[0][z], &wy = w.window[1][yy];
      if (wz.count == 0 || wy.count == 0) return;
      spread_along(w.window[2].data(), n, dy + r * n, wz.divisor * wy.divisor, divisor, width,
                   share);
      for (int64_t kz = 0; kz < wz.count; kz++) {
        T* target = dx + plane * size + (wz.begin + kz) * w.in[1] * width;
        for (int64_t ky = 0; ky < wy.count; ky++)
          add(target + (wy.begin + ky) * width, share, width);
      }
    });
  });
}

#define GOTORCH_POOL(T)                                                                     \
  template void max_pool(int64_t, const PoolWindows&, const T*, T*, int64_t*);              \
  template void max_pool_backward(int64_t, int64_t, int64_t, const T*, const int64_t*, T*); \
  template void average_pool(int64_t, const PoolWindows&, int64_t, const T*, T*);           \
  template void average_pool_backward(int64_t, const PoolWindows&, int64_t, const T*, T*);
GOTORCH_POOL(float)
GOTORCH_POOL(double)
#undef GOTORCH_POOL

}  // namespace gotorch::kernels
