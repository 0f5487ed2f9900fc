#include "tensor/kernels/softmax.h"

#include <cmath>

#include "runtime/parallel.h"
#include "tensor/kernels/columns.h"
#include "tensor/kernels/exp_row.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {
namespace {

enum class Kind { Softmax, LogSoftmax, LogSumExp };

// logsumexp is log(sum(exp(d))) + m with d = x - m; here 0 takes the place of an infinite m and of
// a positive d. So inf - inf does not occur, and a row with +inf gives +inf unless it has a NaN.
template <class T>
T finite_or_zero(T m) {
  return std::isinf(m) ? T(0) : m;
}
template <class V>
V at_most_zero(V d) {
  return d > 0 ? V{} : d;
}

template <class T, Kind kind>
void forward_group(const T* x, T* y, int64_t rows, int64_t n) {
  T m[kRows], sum[kRows] = {};
  for (int64_t r = 0; r < rows; r++) m[r] = max_row(x + r * n, n);
  for (int64_t r = 0; r < rows; r++) {
    const T* xr = x + r * n;
    const T shift = kind == Kind::LogSumExp ? finite_or_zero(m[r]) : m[r];
    sum[r] = exp_sum<kind == Kind::Softmax>(kind == Kind::Softmax ? y + r * n : y, n, [&](auto at) {
      if constexpr (kind == Kind::LogSumExp) return at_most_zero(at(xr) - shift);
      else return at(xr) - shift;
    });
  }
  for (int64_t r = 0; r < kRows; r++)
    sum[r] = kind == Kind::Softmax ? 1 / sum[r] : math::log(sum[r]);
  for (int64_t r = 0; r < rows; r++, x += n, y += n) {
    if constexpr (kind == Kind::Softmax) map_row(y, n, [&](auto at) { return at(y) * sum[r]; });
    else if constexpr (kind == Kind::LogSoftmax)
      map_row(y, n, [&](auto at) { return (at(x) - m[r]) - sum[r]; });
    else *y = sum[r] + m[r], y -= n - 1;
  }
}

template <class T, Kind kind>
void forward_rows(const T* x, T* y, int64_t rows, int64_t n) {
  const int64_t group = row_group(n);
  for (int64_t r = 0; r < rows; r += group)
    forward_group<T, kind>(x + r * n, y + r * (kind == Kind::LogSumExp ? 1 : n),
                           std::min(group, rows - r), n);
}

template <class T, bool log>
void backward_rows(const T* g, const T* y, T* gx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++, g += n, y += n, gx += n) {
    if constexpr (log) {
      const T sum = static_cast<T>(sum_row<T, 1>(n, [&](auto at) { return terms(at(g)); })[0]);
      exp_row(
          gx, n, [&](auto at) { return at(y); }, [&](auto at, auto e) { return at(g) - e * sum; });
    } else {
      const T sum =
          static_cast<T>(sum_row<T, 1>(n, [&](auto at) { return terms(at(g) * at(y)); })[0]);
      map_row(gx, n, [&](auto at) { return at(y) * (at(g) - sum); });
    }
  }
}

template <class T, Kind kind>
void forward_columns(const T* x, T* y, int64_t n, int64_t stride, int64_t w) {
  T m[kMaxTile], shift[kMaxTile], e[kMaxTile];
  max_columns(x, n, stride, w, m);
  for (int64_t j = 0; j < w; j++) shift[j] = kind == Kind::LogSumExp ? finite_or_zero(m[j]) : m[j];
  ColumnSums<T> sums(w);
  for (int64_t i = 0; i < n; i++) {
    const T* xi = x + i * stride;
    T* ei = kind == Kind::Softmax ? y + i * stride : e;
    exp_row(ei, w, [&](auto at) {
      const auto d = at(xi) - at(shift);
      if constexpr (kind == Kind::LogSumExp) return at_most_zero(d);
      else return d;
    });
    sums.add(i, i + 1, [&](auto at, int64_t) { return terms(at(ei)); });
  }
  const T* sum = sums.rounded();
  for (int64_t j = 0; j < w; j++) e[j] = kind == Kind::Softmax ? 1 / sum[j] : math::log(sum[j]);
  if constexpr (kind == Kind::LogSumExp) {
    map_row(y, w, [&](auto at) { return at(e) + at(m); });
    return;
  }
  for (; n-- > 0; x += stride, y += stride) {
    if constexpr (kind == Kind::Softmax) map_row(y, w, [&](auto at) { return at(y) * at(e); });
    else map_row(y, w, [&](auto at) { return (at(x) - at(m)) - at(e); });
  }
}

template <class T, bool log>
void backward_columns(const T* g, const T* y, T* gx, int64_t n, int64_t stride, int64_t w) {
  ColumnSums<T> sums(w);
  sums.add(0, n, [&](auto at, int64_t i) {
    if constexpr (log) return terms(at(g + i * stride));
    else return terms(at(g + i * stride) * at(y + i * stride));
  });
  const T* sum = sums.rounded();
  for (int64_t i = 0; i < n; i++, g += stride, y += stride, gx += stride) {
    if constexpr (log) {
      exp_row(
          gx, w, [&](auto at) { return at(y); },
          [&](auto at, auto e) { return at(g) - e * at(sum); });
    } else {
      map_row(gx, w, [&](auto at) { return at(y) * (at(g) - at(sum)); });
    }
  }
}

template <class T, Kind kind>
void forward(const T* x, T* y, Axis a) {
  if (a.inner == 1) {
    static const auto rows = best_variant<&forward_rows<T, kind>>();
    runtime::parallel_for(a.outer, grain_of(a.n * kExpCost), [&](int64_t b, int64_t e) {
      rows(x + b * a.n, y + b * (kind == Kind::LogSumExp ? 1 : a.n), e - b, a.n);
    });
  } else {
    static const auto columns = best_variant<&forward_columns<T, kind>>();
    const int64_t y_outer = kind == Kind::LogSumExp ? a.inner : a.n * a.inner;
    Tiles(a).for_each(kExpCost, [&](Tile t) {
      columns(x + t.outer * a.n * a.inner + t.first, y + t.outer * y_outer + t.first, a.n, a.inner,
              t.width);
    });
  }
}

template <class T, bool log>
void backward(const T* g, const T* y, T* gx, Axis a) {
  const int64_t cost = log ? kExpCost : 1;
  if (a.inner == 1) {
    static const auto rows = best_variant<&backward_rows<T, log>>();
    runtime::parallel_for(a.outer, grain_of(a.n * cost), [&](int64_t b, int64_t e) {
      rows(g + b * a.n, y + b * a.n, gx + b * a.n, e - b, a.n);
    });
  } else {
    static const auto columns = best_variant<&backward_columns<T, log>>();
    Tiles(a).for_each(cost, [&](Tile t) {
      const int64_t at = t.outer * a.n * a.inner + t.first;
      columns(g + at, y + at, gx + at, a.n, a.inner, t.width);
    });
  }
}

}  // namespace

template <class T>
void softmax(const T* x, T* y, Axis a) {
  forward<T, Kind::Softmax>(x, y, a);
}
template <class T>
void log_softmax(const T* x, T* y, Axis a) {
  forward<T, Kind::LogSoftmax>(x, y, a);
}
template <class T>
void logsumexp(const T* x, T* y, Axis a) {
  forward<T, Kind::LogSumExp>(x, y, a);
}
template <class T>
void softmax_backward(const T* g, const T* y, T* gx, Axis a) {
  backward<T, false>(g, y, gx, a);
}
template <class T>
void log_softmax_backward(const T* g, const T* y, T* gx, Axis a) {
  backward<T, true>(g, y, gx, a);
}

#define GOTORCH_INSTANTIATE(T)                                  \
  template void softmax(const T*, T*, Axis);                    \
  template void log_softmax(const T*, T*, Axis);                \
  template void logsumexp(const T*, T*, Axis);                  \
  template void softmax_backward(const T*, const T*, T*, Axis); \
  template void log_softmax_backward(const T*, const T*, T*, Axis);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
