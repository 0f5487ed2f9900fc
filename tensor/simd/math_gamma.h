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

// All x; NaN at -1, -2, ..., infinity of the opposite sign at 0. The error is 2e-15 (1 + |result|).
GOTORCH_MATH double digamma(double x) {
  // psi(x) = psi(1 - x) - pi / tan(pi x)
  const double a = x < 0.0 ? 1.0 - x : x, b = a < 10.0 ? a + 8.0 : a, z = 1.0 / (b * b);
  const double series =
      poly(z, -0x1.5555555555555p-4, 0x1.1111111111111p-7, -0x1.041041041041p-8,
           0x1.1111111111111p-8, -0x1.f07c1f07c1f08p-8, 0x1.5995995995996p-6, -0x1.5555555555555p-4,
           0x1.c5e5e5e5e5e5ep-2, -0x1.86e7f9b9fe6e8p+1, 0x1.a74ca514ca515p+4) *
      z;
  // 1/a + 1/(a+1) + ... + 1/(a+7), as (2a + 7) q'(u) / q(u) with u = a (a + 7).
  const double u = a < 10.0 ? a * (a + 7.0) : 1.0;
  const double sum =
      (2.0 * a + 7.0) * poly(u, 720.0, 504.0, 84.0, 4.0) / (u * poly(u, 720.0, 252.0, 28.0, 1.0));
  const double shifted = (log(b) - 0.5 / b) + series;
  const double p = a < 10.0 ? shifted - sum : shifted;
  const double r = x - round(x);
  const double cotangent =
      r == 0.0 ? Layout<double>::kNan : 0x1.921fb54442d18p+1 / tan(0x1.921fb54442d18p+1 * r);
  const double y = x < 0.0 ? p - cotangent : p;
  return x == 0.0 ? -copysign(Layout<double>::kInf, x) : y;
}

// By way of double: 0.6 ULP on samples.
GOTORCH_MATH float lgamma(float x) { return static_cast<float>(lgamma(static_cast<double>(x))); }
GOTORCH_MATH float digamma(float x) { return static_cast<float>(digamma(static_cast<double>(x))); }

}  // namespace gotorch::math
