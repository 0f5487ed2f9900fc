#include "tensor/kernels/scan.h"

#include <type_traits>

#include "tensor/kernels/exp_row.h"
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
  Sum<T> so_far[kMaxTile];
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

// Combines four elements among themselves before they meet the carry, which else waits for each
// operation in turn.
template <class T, class Op>
void scan_row_by_four(const T* x, T* y, int64_t n) {
  using A = Sum<T>;
  const Vec<A> start = Vec<A>{} + static_cast<A>(Op::start);
  Vec<A> carry = start;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    Vec<A> v = {static_cast<A>(x[i]), static_cast<A>(x[i + 1]), static_cast<A>(x[i + 2]),
                static_cast<A>(x[i + 3])};
    v = Op()(v, __builtin_shufflevector(start, v, 0, 4, 5, 6));
    v = Op()(v, __builtin_shufflevector(start, v, 0, 1, 4, 5));
    const Vec<A> all = Op()(carry, v);
    carry = Op()(carry, __builtin_shufflevector(v, v, 3, 3, 3, 3));
    for (int j = 0; j < 4; j++) y[i + j] = static_cast<T>(all[j]);
  }
  A so_far = carry[0];
  for_tail(i, n, [&](int64_t e) {
    so_far = Op()(so_far, static_cast<A>(x[e]));
    y[e] = static_cast<T>(so_far);
  });
}

// Running sums s[j] = exp(x[0] - m) + ... + exp(x[j] - m) of a block in double, with m the largest
// value so far; the result is m + log(s[j]). Where the block spans so much that s[0] would be tiny or
// lost, or has infinities, elements are added one by one.
template <class T>
void logcumsumexp_row(const T* x, T* y, int64_t n) {
  constexpr int64_t kBlock = 64;
  // What log(s) may be: its rounding error is that of a number of this size.
  constexpr double limit = std::is_same_v<T, float> ? 600 : 16;
  double so_far = LogAddExp::start;
  for (int64_t b = 0; b < n; b += kBlock, x += kBlock, y += kBlock) {
    const int64_t len = std::min(kBlock, n - b);
    const double first = math::max(so_far, static_cast<double>(x[0]));
    const double m = math::max(so_far, static_cast<double>(max_row(x, len)));
    double s[kBlock] = {};
    if (!(m - first <= limit)) {
      for (int64_t j = 0; j < len; j++) {
        so_far = LogAddExp()(so_far, static_cast<double>(x[j]));
        y[j] = static_cast<T>(so_far);
      }
      continue;
    }
    for (int64_t j = 0; j < len; j++) s[j] = static_cast<double>(x[j]) - m;
    exp_row(s, len, [&](auto at) { return at(s); });
    s[0] += math::exp(so_far - m);
    scan_row_by_four<double, Add>(s, s, len);
    for (int64_t j = 0; j < kBlock; j++) s[j] = m + math::log(s[j]);
    for (int64_t j = 0; j < len; j++) y[j] = static_cast<T>(s[j]);
    so_far = s[len - 1];
  }
}

template <class T>
bool is_nan(T x) {
  return x != x;
}

template <class T, bool largest>
void extreme_columns(const T* x, T* y, int64_t* indices, int64_t n, int64_t stride, int64_t w) {
  T best[kMaxTile];
  int64_t at[kMaxTile] = {};
  if (n == 0) return;
  std::copy_n(x, w, best);
  for (int64_t i = 0; i < n; i++, x += stride, y += stride, indices += stride)
    for (int64_t j = 0; j < w; j++) {
      const T v = x[j];
      const bool better = largest ? v >= best[j] : v <= best[j];
      const bool take = is_nan(v) | (!is_nan(best[j]) & better);
      best[j] = take ? v : best[j];
      at[j] = take ? i : at[j];
      y[j] = best[j];
      indices[j] = at[j];
    }
}

template <class T, bool largest>
void extreme_row(const T* x, T* y, int64_t* indices, int64_t n) {
  T best = n > 0 ? x[0] : T(0);
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    const T v = x[i];
    if (is_nan(v) || (!is_nan(best) && (largest ? v >= best : v <= best))) best = v, at = i;
    y[i] = best;
    indices[i] = at;
  }
}

template <class T, class Op>
void scan(const T* x, T* y, Axis a, int64_t cost, void (*row)(const T*, T*, int64_t)) {
  static const auto columns = best_variant<&scan_columns<T, Op>>();
  Tiles(a).for_each(cost, [&](Tile t) {
    const int64_t at = t.outer * a.n * a.inner + t.first;
    if (a.inner == 1) row(x + at, y + at, a.n);
    else columns(x + at, y + at, a.n, a.inner, t.width);
  });
}

template <class T, bool largest>
void extreme(const T* x, T* y, int64_t* indices, Axis a) {
  static const auto columns = best_variant<&extreme_columns<T, largest>>();
  Tiles(a).for_each(4, [&](Tile t) {
    const int64_t at = t.outer * a.n * a.inner + t.first;
    if (a.inner == 1) extreme_row<T, largest>(x + at, y + at, indices + at, a.n);
    else columns(x + at, y + at, indices + at, a.n, a.inner, t.width);
  });
}

}  // namespace

template <class T>
void cumsum(const T* x, T* y, Axis a) {
  static const auto row = best_variant<&scan_row_by_four<T, Add>>();
  scan<T, Add>(x, y, a, 2, row);
}
template <class T>
void cumprod(const T* x, T* y, Axis a) {
  // Doubles one by one: products of four could leave the range where the running product does not.
  constexpr bool by_four = !std::is_same_v<T, double>;
  static const auto row = by_four ? best_variant<&scan_row_by_four<T, Multiply>>()
                                  : best_variant<&scan_row<T, Multiply>>();
  scan<T, Multiply>(x, y, a, 2, row);
}
template <class T>
void logcumsumexp(const T* x, T* y, Axis a) {
  static const auto row = best_variant<&logcumsumexp_row<T>>();
  scan<T, LogAddExp>(x, y, a, 32, row);
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
