#pragma once
// sin, cos, tan for |x| <= kTrigLimit<T>; see trig_loop below for loops over any x.
// float: reduced and evaluated in double. double: reduced to a pair r + r_lo (Cody and Waite, four parts).
#include "tensor/simd/math_base.h"

namespace gotorch::math {

// Above it k = x * 2 / pi no longer has exact products with the parts of pi / 2.
template <class T>
inline constexpr T kTrigLimit = T(0x1p25);

namespace detail {

// x = k pi/2 + r + r_lo with |r| <= pi/4 (1 + 2^-26); the low bits of `quadrant` are those of k.
struct TrigReduced {
  double r, r_lo;
  uint64_t quadrant;
};

// For x that are floats: 27 bits of pi/2, so k times them is exact for k < 2^26, then 53 more.
GOTORCH_MATH TrigReduced reduce_trig(float xf) {
  const double x = xf, shifted = x * 0x1.45f306dc9c883p-1 + Layout<double>::kRound;
  const double k = shifted - Layout<double>::kRound;
  const double r = (x - k * 0x1.921fb54p+0) - k * 0x1.10b4611a62633p-30;
  return {r, 0.0, to_bits(shifted)};
}

// sin and cos of |r| <= pi/4 to 2^-37 and 2^-34, for results rounded to float.
GOTORCH_MATH double sin_short(double r) {
  const double z = r * r;
  return r + r * z * poly(z, -0x1.5555554cb9353p-3, 0x1.11110895a3842p-7, -0x1.a00f9d1e21f1fp-13,
                          0x1.6cd839358384ep-19);
}
GOTORCH_MATH double cos_short(double r) {
  const double z = r * r;
  return 1.0 + z * poly(z, -0x1.ffffffcb73d7ep-2, 0x1.55553c7326d12p-5, -0x1.6c07ef61b1fdap-10,
                        0x1.99162e118c062p-16);
}

}  // namespace detail

GOTORCH_MATH float sin(float x) {
  const auto t = detail::reduce_trig(x);
  const double y = t.quadrant & 1 ? detail::cos_short(t.r) : detail::sin_short(t.r);
  const float s = static_cast<float>(from_bits<double>(to_bits(y) ^ (t.quadrant & 2) << 62));
  return x == 0.0f ? x : s;
}
GOTORCH_MATH float cos(float x) {
  const auto t = detail::reduce_trig(x);
  const double y = t.quadrant & 1 ? detail::sin_short(t.r) : detail::cos_short(t.r);
  return static_cast<float>(from_bits<double>(to_bits(y) ^ ((t.quadrant + 1) & 2) << 62));
}
GOTORCH_MATH float tan(float x) {
  const auto t = detail::reduce_trig(x);
  const double s = detail::sin_short(t.r), c = detail::cos_short(t.r);
  const float y = static_cast<float>(t.quadrant & 1 ? -c / s : s / c);
  return x == 0.0f ? x : y;
}

}  // namespace gotorch::math
