#pragma once
// tanh, sinh, cosh and their inverses: an odd polynomial for small arguments, exp or log1p for others.
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_exp.h"
#include "tensor/simd/math_log.h"

namespace gotorch::math {
namespace detail {

// tanh(x) for |x| <= 0.95 (float, 2^-27.4), |x| <= 1 (double, 2^-56). In float a polynomial in x^2 minus
// a middle value: its terms, and so the rounding errors, are smaller.
GOTORCH_MATH float tanh_small(float x) {
  return x + x * poly(x * x - 0.5625f, -0x1.399eb4p-3f, -0x1.c79ea8p-3f, 0x1.273fbp-4f,
                      -0x1.84f758p-6f, 0x1.0065aep-7f, -0x1.50489ep-9f, 0x1.da7d9cp-11f,
                      -0x1.5e0962p-12f);
}
GOTORCH_MATH double tanh_small(double x) {
  const double z = x * x;
  return x + x * z *
                 poly(z, -0x1.555555555550fp-2, 0x1.111111110d7ep-3, -0x1.ba1ba1b80feb1p-5,
                      0x1.664f4836897b3p-6, -0x1.226e2ebd349bap-7, 0x1.d6d30fbccf63fp-9,
                      -0x1.7d9bca26e75e2p-10, 0x1.352132246a4bcp-11, -0x1.f336253bc1a0ap-13,
                      0x1.8d7a9923aa05fp-14, -0x1.2eb3831cbe58p-15, 0x1.9e107e80781dcp-17,
                      -0x1.cae8838d0b93fp-19, 0x1.5f4e78cbab873p-21, -0x1.0d3443795b1edp-24);
}

// sinh(x) = x + x^3 P(x^2) for |x| <= 1; 2^-31.6 and 2^-61.8.
GOTORCH_MATH float sinh_small(float x) {
  const float z = x * x;
  return x + x * z * poly(z, 0x1.555556p-3f, 0x1.1110ep-7f, 0x1.a022bap-13f, 0x1.756ca6p-19f);
}
GOTORCH_MATH double sinh_small(double x) {
  const double z = x * x;
  return x + x * z *
                 poly(z, 0x1.5555555555556p-3, 0x1.111111111101ep-7, 0x1.a01a01a03726ap-13,
                      0x1.71de3a3b05f27p-19, 0x1.ae646ff6a34c7p-26, 0x1.6116f3840660ap-33,
                      0x1.b5c91ab505a18p-41);
}

// exp(a) / 2 for a >= 0, finite beyond the overflow of exp.
template <class T>
GOTORCH_MATH T half_exp(T a) {
  const auto e = reduce_exp(a > ExpConst<T>::kOverflow ? ExpConst<T>::kOverflow : a);
  return scale(T(1) + (e.r + e.r * e.r * exp_tail(e.r)), e.biased - 1);
}

}  // namespace detail

// All x. Float 0.99 ULP, double 1.04.
template <class T>
GOTORCH_MATH T tanh(T x) {
  const T a = abs(x);
  // 1 - 2 / (exp(2a) + 1) subtracts little from 1 there; it is 1 from 20 on in both types.
  const T capped = a > T(20) ? T(20) : a;
  const T large = T(1) - T(2) / (detail::exp_normal(capped + capped) + T(1));
  return mulsign(a < T(0.95) ? detail::tanh_small(a) : large, x);
}

// All x. Float 1.62 ULP, double 1.57.
template <class T>
GOTORCH_MATH T sinh(T x) {
  const T a = abs(x), h = detail::half_exp(a);
  return mulsign(a < T(1) ? detail::sinh_small(a) : h - T(0.25) / h, x);
}

// All x. Float 1.44 ULP, double 1.41.
template <class T>
GOTORCH_MATH T cosh(T x) {
  const T h = detail::half_exp(abs(x));
  return h + T(0.25) / h;
}

// All x. 1.74 ULP.
GOTORCH_MATH double asinh(double x) {
  const double a = abs(x);
  // From 2^60 on the result is log(a) + ln2 to the last bit, and log1p(a) is log(a).
  const bool large = a > 0x1p60;
  const double z = large ? 1.0 : a * a;
  const double y = log1p(large ? a : a + z / (1.0 + sqrt(1.0 + z)));
  return mulsign(large ? y + 0x1.62e42fefa39efp-1 : y, x);
}

// All x; NaN below 1. 1.92 ULP.
GOTORCH_MATH double acosh(double x) {
  const double t = x < 1.0 ? Layout<double>::kNan : x - 1.0;
  const bool large = x > 0x1p60;
  const double y = log1p(large ? x : t + sqrt(t * (t + 2.0)));
  return large ? y + 0x1.62e42fefa39efp-1 : y;
}

// All x; NaN beyond -1 and 1. 1.91 ULP.
GOTORCH_MATH double atanh(double x) {
  const double a = abs(x);
  return mulsign(0.5 * log1p(2.0 * a / (1.0 - a)), x);
}

// By way of double: 0.50 ULP.
GOTORCH_MATH float asinh(float x) { return static_cast<float>(asinh(static_cast<double>(x))); }
GOTORCH_MATH float acosh(float x) { return static_cast<float>(acosh(static_cast<double>(x))); }
GOTORCH_MATH float atanh(float x) { return static_cast<float>(atanh(static_cast<double>(x))); }

}  // namespace gotorch::math
