#pragma once
// lgamma, digamma.
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_log.h"
#include "tensor/simd/math_trig.h"

namespace gotorch::math {
namespace detail {

// log(gamma(2 + t)) for |t| <= 1/2; 2^-56.4.
GOTORCH_MATH double lgamma_near_two(double t) {
  return t * poly(t, 0x1.b0ee6072093cep-2, 0x1.4a34cc4a60fa8p-2, -0x1.13e001a55755ep-4,
                  0x1.51322ac7d6f81p-6, -0x1.e404fc21d64d2p-8, 0x1.7add6eb024197p-9,
                  -0x1.38ac5bfe39fccp-10, 0x1.0b36ae80e0b33p-11, -0x1.d3fd69ea15f49p-13,
                  0x1.a12827cca28ecp-14, -0x1.78d90e69b4a4ep-15, 0x1.57fe057dec382p-16,
                  -0x1.3d4b49e8553b4p-17, 0x1.26d89208e42c3p-18, -0x1.090c85d941a03p-19,
                  0x1.e31a16ae4dc7cp-21, -0x1.37bf41698014fp-21, 0x1.3fb525f2fa39p-22);
}

// log(gamma(a)) for a > 0. Below 10 the recurrence leads to [1.5, 2.5], above is Stirling's series.
GOTORCH_MATH double lgamma_positive(double a) {
  // a < 1.5: gamma(a) = gamma(a + 1) / a, twice below 1/2.
  const double below = a < 0.5 ? a * (a + 1.0) : a, t = a < 0.5 ? a : a - 1.0;
  double b = a, product = 1.0;
  for (int i = 0; i < 8; i++) {  // b >= 2.5: gamma(b) = (b - 1) gamma(b - 1)
    const bool down = b > 2.5;
    b = down ? b - 1.0 : b;
    product = down ? product * b : product;
  }
  const bool large = a >= 10.0;
  const double factor = a < 1.5 ? below : product, l = log(large ? a : factor), z = 1.0 / (a * a);
  const double small = lgamma_near_two(a < 1.5 ? t : b - 2.0) + (a < 1.5 ? -l : l);
  const double series = poly(z, 0x1.5555555555555p-4, -0x1.6c16c16c16c17p-9, 0x1.a01a01a01a01ap-11,
                             -0x1.3813813813814p-11, 0x1.b951e2b18ff23p-11, -0x1.f6ab0d9993c7dp-10,
                             0x1.a41a41a41a41ap-8, -0x1.e4286cb0f5398p-6, 0x1.6fe96381e068p-3) /
                        a;
  const double stirling = (a - 0.5) * (l - 1.0) + (0x1.acfe390c97d69p-2 + series);
  return large ? stirling : small;
}

// digamma(x) for 1 <= x <= 2: the distance from the zero, which needs two doubles, times a polynomial; 2^-53.6.
GOTORCH_MATH double digamma_near_zero(double x) {
  const double distance = (x - 0x1.762d86356be3fp+0) - 0x1.b86a722197829p-54;
  return distance * poly(x - 1.5, 0x1.e6f0cbb873617p-1, -0x1.b1cb63005ee97p-2, 0x1.eca189b8e6da1p-3,
                         -0x1.2feeeb98a7cd8p-3, 0x1.8512e5905d180p-4, -0x1.fb442029cdbf4p-5,
                         0x1.4de9aa05d3418p-5, -0x1.b9f8b1367959dp-6, 0x1.256475e5ac975p-6,
                         -0x1.86355f6f68797p-7, 0x1.03c00801ba958p-7, -0x1.5a071c746535bp-8,
                         0x1.cd3e42d157015p-9, -0x1.33661f9073563p-9, 0x1.980fc9c9f0be8p-10,
                         -0x1.1002aaf6255f5p-10, 0x1.7b3b41b0b38cdp-11, -0x1.f99f529bd0771p-12,
                         0x1.dc8ae08af0fc4p-13, -0x1.3db05b36d9a48p-13, 0x1.104c9d0897b58p-12,
                         -0x1.6b107f71aa124p-13);
}

// digamma(a) for a > 0. Below 10 the recurrence leads to [1, 2], above is the asymptotic series.
GOTORCH_MATH double digamma_positive(double a) {
  // psi(a) = psi(a + 1) - 1 / a = psi(a - 1) + 1 / (a - 1)
  double b = a < 1.0 ? a + 1.0 : a, sum = a < 1.0 ? -1.0 / a : 0.0;
  for (int i = 0; i < 8; i++) {
    const bool down = b > 2.0;
    b = down ? b - 1.0 : b;
    sum = down ? sum + 1.0 / b : sum;
  }
  const double z = 1.0 / (a * a);
  const double series =
      poly(z, -0x1.5555555555555p-4, 0x1.1111111111111p-7, -0x1.041041041041p-8,
           0x1.1111111111111p-8, -0x1.f07c1f07c1f08p-8, 0x1.5995995995996p-6, -0x1.5555555555555p-4,
           0x1.c5e5e5e5e5e5ep-2, -0x1.86e7f9b9fe6e8p+1, 0x1.a74ca514ca515p+4) *
      z;
  return a < 10.0 ? digamma_near_zero(b) + sum : (log(a) - 0.5 / a) + series;
}

}  // namespace detail

// All x; infinity at 0, -1, -2, ... Positive x: 5 ULP. Negative: 1e-15 (5 + |result|), as there are zeros.
GOTORCH_MATH double lgamma(double x) {
  const double a = abs(x);
  // gamma(-a) gamma(1 + a) = -pi / sin(pi a)
  const double p = detail::lgamma_positive(x < 0.0 ? 1.0 + a : a);
  const double s = abs(sin(0x1.921fb54442d18p+1 * (a - round(a))));
  const double reflected = s == 0.0 ? Layout<double>::kInf : -log(s * 0x1.45f306dc9c883p-2) - p;
  const double y = x < 0.0 ? reflected : p;
  return a == Layout<double>::kInf ? a : y;
}

// All x; NaN at -1, -2, ..., infinity of the opposite sign at 0. Positive x: 4 ULP. Negative: 2e-15 (1 + |result|), as
// there are zeros.
GOTORCH_MATH double digamma(double x) {
  // psi(x) = psi(1 - x) - pi / tan(pi x)
  const double p = detail::digamma_positive(x < 0.0 ? 1.0 - x : x), r = x - round(x);
  const double cotangent =
      r == 0.0 ? Layout<double>::kNan : 0x1.921fb54442d18p+1 / tan(0x1.921fb54442d18p+1 * r);
  const double y = x < 0.0 ? p - cotangent : p;
  return x == 0.0 ? -copysign(Layout<double>::kInf, x) : y;
}

// By way of double: 0.6 ULP on samples.
GOTORCH_MATH float lgamma(float x) { return static_cast<float>(lgamma(static_cast<double>(x))); }
GOTORCH_MATH float digamma(float x) { return static_cast<float>(digamma(static_cast<double>(x))); }

}  // namespace gotorch::math
