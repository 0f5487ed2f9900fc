#pragma once
// asin, acos, atan, atan2: odd polynomials, pi/2 and pi as pairs.
#include "tensor/simd/math_base.h"

namespace gotorch::math {
namespace detail {

template <class T>
struct PiConst;
template <>
struct PiConst<float> {
  static constexpr float kHalfHi = 0x1.921fb6p+0f, kHalfLo = -0x1.777a5cp-25f;
};
template <>
struct PiConst<double> {
  static constexpr double kHalfHi = 0x1.921fb54442d18p+0, kHalfLo = 0x1.1a62633145c07p-54;
};

// asin(s) = s + s P(z), z = s^2 <= 1/4, to 2^-27.6 and 2^-55.8.
GOTORCH_MATH float asin_tail(float z) {
  return z *
         poly(z, 0x1.5555c8p-3f, 0x1.3301fep-4f, 0x1.747cb4p-5f, 0x1.8c3174p-6f, 0x1.59699ap-5f);
}
GOTORCH_MATH double asin_tail(double z) {
  return z * poly(z, 0x1.555555555538ep-3, 0x1.333333336ec4fp-4, 0x1.6db6db424ae72p-5,
                  0x1.f1c72c491e4d5p-6, 0x1.6e89f2b1e0823p-6, 0x1.1c6bf966a8b5bp-6,
                  0x1.c6fbe8efae419p-7, 0x1.8ecf3d48de04ap-7, 0x1.ab6384869c29cp-8,
                  0x1.4040588dc11a2p-6, -0x1.0a4de102e40fcp-6, 0x1.059924d491e93p-5);
}

// atan(q) for |q| <= 1, to 2^-28.4 and 2^-57.2.
GOTORCH_MATH float atan_small(float q) {
  const float z = q * q;
  return q + q * z *
                 poly(z, -0x1.55553ep-2f, 0x1.9991e4p-3f, -0x1.242088p-3f, 0x1.c08c9p-4f,
                      -0x1.580adap-4f, 0x1.da357cp-5f, -0x1.fda424p-6f, 0x1.646274p-7f,
                      -0x1.d3f3fcp-10f);
}
GOTORCH_MATH double atan_small(double q) {
  const double z = q * q;
  return q + q * z *
                 poly(z, -0x1.5555555555525p-2, 0x1.999999999548dp-3, -0x1.249249237b67cp-3,
                      0x1.c71c717eee643p-4, -0x1.745d119f55045p-4, 0x1.3b1365f09d09dp-4,
                      -0x1.110e4c0dcc571p-4, 0x1.e1bb6e8b43569p-5, -0x1.ae5d93621979cp-5,
                      0x1.82d842950a73ap-5, -0x1.599e4f0a7d86p-5, 0x1.2c2516aeef87bp-5,
                      -0x1.e9e42dfc6cbb8p-6, 0x1.682b3ebdbecc2p-6, -0x1.c7803dfca988ap-7,
                      0x1.d7bb7d2022db1p-8, -0x1.7a547c9eb4369p-9, 0x1.b44247a5cbc36p-11,
                      -0x1.3f903626c3d8fp-13, 0x1.bca8aed85dad4p-17);
}

// Above 1/2 the angle is reckoned from 1: asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)).
// hi + lo is asin(a), or that inner one. NaN if a > 1.
template <class T>
GOTORCH_MATH Pair<T> arc_sine(T a) {
  const T z = a > T(0.5) ? T(0.5) * (T(1) - a) : a * a;
  const T root = sqrt(z), s = a > T(0.5) ? root : a;
  return {s, s * asin_tail(z)};
}

}  // namespace detail

// All x; NaN beyond -1 and 1. Float 1.68 ULP, double 1.69.
template <class T>
GOTORCH_MATH T asin(T x) {
  using P = detail::PiConst<T>;
  const T a = abs(x);
  const auto s = detail::arc_sine(a);
  const T large = P::kHalfHi - (T(2) * s.hi - (P::kHalfLo - T(2) * s.lo));
  return mulsign(a > T(0.5) ? large : s.hi + s.lo, x);
}

// All x; NaN beyond -1 and 1. Float 1.16 ULP, double 1.18.
template <class T>
GOTORCH_MATH T acos(T x) {
  using P = detail::PiConst<T>;
  const T a = abs(x);
  const auto s = detail::arc_sine(a);
  const T middle = P::kHalfHi - (x - (P::kHalfLo - mulsign(s.lo, x)));
  const T twice = T(2) * (s.hi + s.lo);
  const T left = T(2) * P::kHalfHi - (twice - T(2) * P::kHalfLo);
  const T outer = x < T(0) ? left : twice;
  return a > T(0.5) ? outer : middle;
}

// All arguments, the signs of zeros included; in [-pi, pi]. Float 1.5 ULP, double 1.7.
template <class T>
GOTORCH_MATH T atan2(T y, T x) {
  using P = detail::PiConst<T>;
  const T ax = abs(x), ay = abs(y);
  const bool steep = ay > ax, left = signbit(x);
  const T small = steep ? ax : ay, large = steep ? ay : ax;
  // 0 / 0 and infinity / infinity are the only quotients of numbers that are NaN.
  const T q = small == large ? (large == T(0) ? T(0) : T(1)) : small / large;
  const T t = detail::atan_small(q);
  const T base = steep ? T(1) : (left ? T(2) : T(0));
  const T signed_t = steep != left ? -t : t;
  const T r = base * P::kHalfHi + (signed_t + base * P::kHalfLo);
  return mulsign(isnan(x) | isnan(y) ? Layout<T>::kNan : r, y);
}

// All x. Float 1.60 ULP, double 1.64.
template <class T>
GOTORCH_MATH T atan(T x) {
  using P = detail::PiConst<T>;
  const T a = abs(x);
  const bool steep = a > T(1);
  const T t = detail::atan_small(steep ? T(1) / a : a);
  return mulsign(steep ? P::kHalfHi - (t - P::kHalfLo) : t, x);
}

}  // namespace gotorch::math
