#pragma once
// The normal distribution: its distribution function Phi and its density phi, which share an exponential.
#include "tensor/simd/math_erf.h"

namespace gotorch::math {

template <class T>
struct Normal {
  T cdf, density;
};

// All x. Float cdf 6.2 ULP for x > -13.2 (2.7 times the rounding of t counts in it), below it is 0; double: as erfc of a rounded x / sqrt(2).
GOTORCH_MATH Normal<float> normal(float x) {
  // Phi(-a) = exp(-a^2 / 2) t P(t) with t = 1 / (1 + 0.3 a), P to 2^-24; the square of a in two parts, of which the first is exact.
  constexpr float kFar = 13.2f;
  const float a = abs(x), c = min(a, kFar), hi = upper_half(c), t = 1.0f / (1.0f + 0.3f * c);
  const float near = detail::exp_normal_pair(-0.5f * hi * hi, -0.5f * (c - hi) * (c + hi));
  const float e = a > kFar ? 0.0f : near;
  const float p =
      poly(t - 0.5f, 0x1.c69888p-3f, 0x1.510f0cp-2f, 0x1.6281f2p-2f, 0x1.c6d352p-3f, 0x1.dc0f6ep-6f,
           -0x1.3da88ap-4f, -0x1.2aa5dep-5f, 0x1.264db6p-5f, 0x1.40ff18p-6f, -0x1.515808p-6f);
  const float tail = e * (t * p);
  return {x < 0.0f ? tail : 1.0f - tail, e * 0x1.988454p-2f};
}
GOTORCH_MATH Normal<double> normal(double x) {
  return {0.5 * erfc(x * -0x1.6a09e667f3bcdp-1), exp(x * x * -0.5) * 0x1.9884533d43651p-2};
}

template <class T>
GOTORCH_MATH T normal_cdf(T x) {
  return normal(x).cdf;
}

}  // namespace gotorch::math
