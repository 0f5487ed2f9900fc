#pragma once
// hypot, and the remainders fmod (sign of x) and remainder (sign of y, as Python's %).
#include "tensor/simd/math_base.h"

namespace gotorch::math {

// All arguments; infinity if one is infinite. Float 0.50 ULP, double 1.1.
GOTORCH_MATH float hypot(float x, float y) {
  const double a = x, b = y;
  const float h = static_cast<float>(sqrt(a * a + b * b));
  return isinf(x) | isinf(y) ? Layout<float>::kInf : h;
}
GOTORCH_MATH double hypot(double x, double y) {
  const double a = abs(x), b = abs(y), largest = a > b ? a : b;
  // Powers of two keep the squares in range.
  const double up = largest > 0x1p500 ? 0x1p-600 : (largest < 0x1p-400 ? 0x1p600 : 1.0);
  const double down = largest > 0x1p500 ? 0x1p600 : (largest < 0x1p-400 ? 0x1p-600 : 1.0);
  const double h = sqrt(a * up * (a * up) + b * up * (b * up)) * down;
  return isinf(x) | isinf(y) ? Layout<double>::kInf : h;
}

namespace detail {

// Where fmod_near is exact: quotients of floats below 2^26, of doubles below 2^50 if no product underflows.
GOTORCH_MATH bool fmod_is_near(float x, float y) {
  return abs(static_cast<double>(x)) < 0x1p26 * abs(static_cast<double>(y));
}
GOTORCH_MATH bool fmod_is_near(double x, double y) {
  const double a = abs(x), b = abs(y);
  return (a < b) | ((a < 0x1p50 * b) & (a > 0x1p-900));
}
// x - trunc(x / y) y. In double the quotient of two floats cannot round up to an integer, and the
// product is exact.
GOTORCH_MATH float fmod_near(float x, float y) {
  const double a = abs(static_cast<double>(x)), b = abs(static_cast<double>(y));
  return mulsign(static_cast<float>(a < b ? a : a - trunc(a / b) * b), x);
}
// Here it can; then the difference, exact as it is, is negative, and one b too small.
GOTORCH_MATH double fmod_near(double x, double y) {
  const double a = abs(x), b = abs(y);
  const auto p = two_product(trunc(a / b), b);
  const double r = (a - p.hi) - p.lo, r_up = r < 0.0 ? r + b : r;
  return mulsign(a < b ? a : r_up, x);
}

// C's remainder r of x / y moved to the sign of y.
template <class T>
GOTORCH_MATH T with_sign_of_divisor(T r, T y) {
  const T moved = (r != T(0)) & ((r < T(0)) != (y < T(0))) ? r + y : r;
  return moved;
}

}  // namespace detail

// Both are exact up to the last addition, for all arguments; NaN if x is infinite or y is 0. As functions of two
// numbers they branch; the loops are vectorised. out may be x or y.
GOTORCH_MATH float fmod(float x, float y) {
  return detail::fmod_is_near(x, y) ? detail::fmod_near(x, y) : __builtin_fmodf(x, y);
}
GOTORCH_MATH double fmod(double x, double y) {
  return detail::fmod_is_near(x, y) ? detail::fmod_near(x, y) : __builtin_fmod(x, y);
}
template <class T>
GOTORCH_MATH T remainder(T x, T y) {
  return detail::with_sign_of_divisor(fmod(x, y), y);
}

template <class T>
GOTORCH_MATH void fmod_loop(const T* x, const T* y, T* out, int64_t n) {
  guarded_loop(
      out, n, [](T a, T b) { return detail::fmod_is_near(a, b); },
      [](T a, T b) { return detail::fmod_near(a, b); }, [](T a, T b) { return fmod(a, b); }, x, y);
}
template <class T>
GOTORCH_MATH void remainder_loop(const T* x, const T* y, T* out, int64_t n) {
  guarded_loop(
      out, n, [](T a, T b) { return detail::fmod_is_near(a, b); },
      [](T a, T b) { return detail::with_sign_of_divisor(detail::fmod_near(a, b), b); },
      [](T a, T b) { return remainder(a, b); }, x, y);
}

}  // namespace gotorch::math
