#pragma once
// sin, cos, tan. The functions of one number hold for |x| <= kTrigLimit; sin_loop, cos_loop and tan_loop for any x.
// float: reduced and evaluated in double. double: reduced to a pair (Cody and Waite, four parts of pi/2).
#include "tensor/simd/math_base.h"

namespace gotorch::math {

// Up to here k = x * 2 / pi has exact products with the parts of pi / 2.
inline constexpr double kTrigLimit = 0x1p25;

namespace detail {

// x = k pi/2 + r + r_lo with |r| <= pi/4 (1 + 2^-26); the low bits of `quadrant` are those of k.
struct TrigReduced {
  double r, r_lo;
  uint64_t quadrant;
};

// For any finite x, by as many bits of 2 / pi as it takes (Payne and Hanek). Not vectorised.
TrigReduced reduce_trig_large(double x);

// For x that are floats: 27 bits of pi/2, so k times them is exact for k < 2^26, then 53 more.
GOTORCH_MATH TrigReduced reduce_trig(float xf) {
  const double x = xf, shifted = x * 0x1.45f306dc9c883p-1 + Layout<double>::kRound;
  const double k = shifted - Layout<double>::kRound;
  const double r = (x - k * 0x1.921fb54p+0) - k * 0x1.10b4611a62633p-30;
  return {r, 0.0, to_bits(shifted)};
}
// Three parts of 27 bits with exact products, then 53 more: r + r_lo is right to 2^-113.
GOTORCH_MATH TrigReduced reduce_trig(double x) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + Layout<double>::kRound;
  const double k = shifted - Layout<double>::kRound;
  const auto a = two_sum(x - k * 0x1.921fb54p+0, -(k * 0x1.10b461p-30));
  const auto b = two_sum(a.hi, -(k * 0x1.a62633p-58));
  const auto r = fast_two_sum(b.hi, (a.lo + b.lo) - k * 0x1.45c06e0e68948p-86);
  return {r.hi, r.lo, to_bits(shifted)};
}

// sin and cos of |r| <= pi/4 to 2^-37 and 2^-34, for results rounded to float.
GOTORCH_MATH double sin_reduced(double r, float) {
  const double z = r * r;
  return r + r * z *
                 poly(z, -0x1.5555554cb9353p-3, 0x1.11110895a3842p-7, -0x1.a00f9d1e21f1fp-13,
                      0x1.6cd839358384ep-19);
}
GOTORCH_MATH double cos_reduced(double r, float) {
  const double z = r * r;
  return 1.0 + z * poly(z, -0x1.ffffffcb73d7ep-2, 0x1.55553c7326d12p-5, -0x1.6c07ef61b1fdap-10,
                        0x1.99162e118c062p-16);
}
// sin and cos of r + r_lo to 2^-58 and 2^-64, before rounding.
GOTORCH_MATH double sin_reduced(double r, double r_lo) {
  const double z = r * r;
  const double s = poly(z, -0x1.5555555555549p-3, 0x1.111111110f8a4p-7, -0x1.a01a019c15bb5p-13,
                        0x1.71de357ab8d8dp-19, -0x1.ae5e68475379ap-26, 0x1.5d9388b51e998p-33);
  return r + (z * (r * s - 0.5 * r_lo) + r_lo);
}
GOTORCH_MATH double cos_reduced(double r, double r_lo) {
  const double z = r * r, half = 0.5 * z, w = 1.0 - half;
  const double c = poly(z, 0x1.555555555554bp-5, -0x1.6c16c16c15014p-10, 0x1.a01a019c8ef85p-16,
                        -0x1.27e4f7f1660ebp-22, 0x1.1ee9dbac13e63p-29, -0x1.8fa670334f565p-37);
  return w + (((1.0 - w) - half) + (z * z * c - r * r_lo));
}

// The functions after reduction. T says how precise the result has to be.
template <class T>
GOTORCH_MATH T sin_of(const TrigReduced& t) {
  const T lo = static_cast<T>(t.r_lo);
  const double y = t.quadrant & 1 ? cos_reduced(t.r, lo) : sin_reduced(t.r, lo);
  return static_cast<T>(from_bits<double>(to_bits(y) ^ (t.quadrant & 2) << 62));
}
template <class T>
GOTORCH_MATH T cos_of(const TrigReduced& t) {
  const T lo = static_cast<T>(t.r_lo);
  const double y = t.quadrant & 1 ? sin_reduced(t.r, lo) : cos_reduced(t.r, lo);
  return static_cast<T>(from_bits<double>(to_bits(y) ^ ((t.quadrant + 1) & 2) << 62));
}
template <class T>
GOTORCH_MATH T tan_of(const TrigReduced& t) {
  const T lo = static_cast<T>(t.r_lo);
  const double s = sin_reduced(t.r, lo), c = cos_reduced(t.r, lo);
  return static_cast<T>(t.quadrant & 1 ? -c / s : s / c);
}

}  // namespace detail

// |x| <= kTrigLimit, infinities and NaN. Float 0.51 ULP; double 0.77, 0.80 and 2.13.
template <class T>
GOTORCH_MATH T sin(T x) {
  return x == T(0) ? x : detail::sin_of<T>(detail::reduce_trig(x));
}
template <class T>
GOTORCH_MATH T cos(T x) {
  return detail::cos_of<T>(detail::reduce_trig(x));
}
template <class T>
GOTORCH_MATH T tan(T x) {
  return x == T(0) ? x : detail::tan_of<T>(detail::reduce_trig(x));
}

namespace detail {

template <class T>
GOTORCH_MATH bool trig_is_near(T x) {
  return !((abs(x) > T(kTrigLimit)) & isfinite(x));
}

}  // namespace detail

// y[i] = sin(x[i]) and so on for any x. y may be x.
template <class T>
GOTORCH_MATH void sin_loop(const T* x, T* y, int64_t n) {
  guarded_loop(
      y, n, [](T v) { return detail::trig_is_near(v); }, [](T v) { return sin(v); },
      [](T v) { return detail::sin_of<T>(detail::reduce_trig_large(v)); }, x);
}
template <class T>
GOTORCH_MATH void cos_loop(const T* x, T* y, int64_t n) {
  guarded_loop(
      y, n, [](T v) { return detail::trig_is_near(v); }, [](T v) { return cos(v); },
      [](T v) { return detail::cos_of<T>(detail::reduce_trig_large(v)); }, x);
}
template <class T>
GOTORCH_MATH void tan_loop(const T* x, T* y, int64_t n) {
  guarded_loop(
      y, n, [](T v) { return detail::trig_is_near(v); }, [](T v) { return tan(v); },
      [](T v) { return detail::tan_of<T>(detail::reduce_trig_large(v)); }, x);
}

}  // namespace gotorch::math
