#include "tensor/kernels/scan.h"

#include <type_traits>

#include "tensor/kernels/lanes.h"
#include "tensor/kernels/tiles.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch::kernels {
namespace {

// What T is accumulated in: unsigned integers wrap around, signed ones must not overflow.
template <class T>
using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;

struct Add {
  static constexpr int start = 0;
  template <class A>
  A operator()(A a, A b) const {
    return a + b;
  }
};
struct Multiply {
  static constexpr int start = 1;
  template <class A>
  A operator()(A a, A b) const {
    return a * b;
  }
};
struct LogAddExp {
  static constexpr double start = -std::numeric_limits<double>::infinity();
  double operator()(double a, double b) const {
    const double hi = math::max(a, b), lo = math::min(a, b);
    // Equal infinities have no difference; any other pair, NaN included, has.
    return hi == lo && math::isinf(hi) ? hi : hi + math::log1p(math::exp(lo - hi));
  }
};

// x and y are a tile of w columns, `stride` apart along the axis of n elements.
template <class T, class Op>
void scan_columns(const T* x, T* y, int64_t n, int64_t stride, int64_t w) {
  Sum<T> so_far[kTile];
  for (int64_t j = 0; j < w; j++) so_far[j] = Op::start;
  for (; n-- > 0; x += stride, y += stride)
    for (int64_t j = 0; j < w; j++) {
      so_far[j] = Op()(so_far[j], static_cast<Sum<T>>(x[j]));
      y[j] = static_cast<T>(so_far[j]);
    }
}

template <class T, class Op>
void scan_row(const T* x, T* y, int64_t n) {
  Sum<T> so_far = Op::start;
  for (int64_t i = 0; i < n; i++) {
    so_far = Op()(so_far, static_cast<Sum<T>>(x[i]));
    y[i] = static_cast<T>(so_far);
  }
}

// Sums four elements among themselves before they meet the carry, which else waits for each
// addition in turn.
template <class T>
void cumsum_row(const T* x, T* y, int64_t n) {
  using A = Sum<T>;
  Vec<A> carry = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const Vec<A> zero = {};
    Vec<A> v = {static_cast<A>(x[i]), static_cast<A>(x[i + 1]), static_cast<A>(x[i + 2]),
                static_cast<A>(x[i + 3])};
    v += __builtin_shufflevector(zero, v, 0, 4, 5, 6);
    v += __builtin_shufflevector(zero, v, 0, 1, 4, 5);
    const Vec<A> sums = carry + v;
    carry += __builtin_shufflevector(v, v, 3, 3, 3, 3);
    for (int j = 0; j < 4; j++) y[i + j] = static_cast<T>(sums[j]);
  }
  A so_far = carry[0];
  for_tail(i, n, [&](int64_t e) { y[e] = static_cast<T>(so_far += static_cast<A>(x[e])); });
}

template <class T>
bool is_nan(T x) {
  return x != x;
}

template <class T, bool largest>
void extreme_columns(const T* x, T* y, int64_t* indices, int64_t n, int64_t stride, int64_t w) {
  T best[kTile];
  int64_t at[kTile] = {};
  if (n == 0) return;
  std::copy_n(x, w, best);
  for (int64_t i = 0; i < n; i++, x += stride, y += stride, indices += stride)
    for (int64_t j = 0; j < w; j++) {
      const T v = x[j];
      const bool better = largest ? v >= best[j] : v <= best[j];
      if (is_nan(v) || (!is_nan(best[j]) && better)) best[j] = v, at[j] = i;
      y[j] = best[j];
      indices[j] = at[j];
    }
}

template <class T, class Op>
void scan(const T* x, T* y, Axis a, int64_t cost) {
  constexpr bool is_sum = std::is_same_v<Op, Add>;
  static const auto row =
      is_sum ? best_variant<&cumsum_row<T>>() : best_variant<&scan_row<T, Op>>();
  static const auto columns = best_variant<&scan_columns<T, Op>>();
  Tiles(a).for_each(cost, [&](Tile t) {
    const int64_t at = t.outer * a.n * a.inner + t.first;
    if (a.inner == 1)
      row(x + at, y + at, a.n);
    else
      columns(x + at, y + at, a.n, a.inner, t.width);
  });
}

template <class T, bool largest>
void extreme(const T* x, T* y, int64_t* indices, Axis a) {
  Tiles(a).for_each(4, [&](Tile t) {
    const int64_t at = t.outer * a.n * a.inner + t.first;
    extreme_columns<T, largest>(x + at, y + at, indices + at, a.n, a.inner, t.width);
  });
}

}  // namespace

template <class T>
void cumsum(const T* x, T* y, Axis a) {
  scan<T, Add>(x, y, a, 2);
}
template <class T>
void cumprod(const T* x, T* y, Axis a) {
  scan<T, Multiply>(x, y, a, 4);
}
template <class T>
void logcumsumexp(const T* x, T* y, Axis a) {
  scan<T, LogAddExp>(x, y, a, 64);
}
template <class T>
void cummax(const T* x, T* y, int64_t* indices, Axis a) {
  extreme<T, true>(x, y, indices, a);
}
template <class T>
void cummin(const T* x, T* y, int64_t* indices, Axis a) {
  extreme<T, false>(x, y, indices, a);
}

#define GOTORCH_SUMS(T)                     \
  template void cumsum(const T*, T*, Axis); \
  template void cumprod(const T*, T*, Axis);
GOTORCH_SUMS(int64_t)
GOTORCH_SUMS(float)
GOTORCH_SUMS(double)
template void logcumsumexp(const float*, float*, Axis);
template void logcumsumexp(const double*, double*, Axis);
#define GOTORCH_EXTREMES(T)                           \
  template void cummax(const T*, T*, int64_t*, Axis); \
  template void cummin(const T*, T*, int64_t*, Axis);
GOTORCH_EXTREMES(uint8_t)
GOTORCH_EXTREMES(int8_t)
GOTORCH_EXTREMES(int16_t)
GOTORCH_EXTREMES(int32_t)
GOTORCH_EXTREMES(int64_t)
GOTORCH_EXTREMES(float)
GOTORCH_EXTREMES(double)

}  // namespace gotorch::kernels
