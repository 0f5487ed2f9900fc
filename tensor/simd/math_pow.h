#pragma once
// pow by exp2(y log2 |x|), with the logarithm in more bits than the result has.
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_exp.h"
#include "tensor/simd/math_log.h"

namespace gotorch::math {
namespace detail {

// log2 of a positive float in double, to 2^-43.5 relative; 0 and infinity as in C.
GOTORCH_MATH double log2_extended(float x) {
  const auto [k, f] = reduce_log(static_cast<double>(x));
  const double s = f / (2.0 + f), z = s * s;
  const double y = k + s * poly(z, 0x1.71547652b825p+1, 0x1.ec709dc53def9p-1, 0x1.2776c291c0c8p-1,
                                0x1.a61a2fce57465p-2, 0x1.479531fc6889ep-2, 0x1.21b2ac71b9aafp-2);
  return log_special(static_cast<double>(x), y);
}

// 2^t to 2^-32 for a result that is rounded to float.
GOTORCH_MATH float exp2_extended(double t) {
  const auto e = split_integer(clamp(t, -200.0, 200.0));
  const double p = poly(e.r, 0x1.62e4300bc7842p-1, 0x1.ebfbe045e1726p-3, 0x1.c6b054e490af6p-5,
                        0x1.3b2a1b7a46efdp-7, 0x1.5dc073edd18d8p-10, 0x1.44400b1e27b83p-13,
                        0x1.c0394f6298c3ep-17);
  return static_cast<float>((1.0 + e.r * p) * power_of_two<double>(e.biased));
}

// log2 of a positive finite double as a pair, to 2^-64 relative. With s = f / (2 + f):
// log(1 + f) = 2/3 s (3 + s^2 + s^4 Q(s^2)); each product that matters is of two upper halves, so exact.
GOTORCH_MATH Pair<double> log2_pair(double x) {
  const auto [k, f] = reduce_log(x);
  const auto d = fast_two_sum(2.0, f);
  const double d_hi = upper_half(d.hi), d_lo = (d.hi - d_hi) + d.lo;
  const double s_hi = upper_half(f / d.hi), s_lo = ((f - s_hi * d_hi) - s_hi * d_lo) / d.hi;
  const double s = s_hi + s_lo, z = s * s, z_hi = s_hi * s_hi;
  const double rest =
      s_lo * (s_hi + s) + z * z *
                              poly(z, 0x1.3333333333464p-1, 0x1.b6db6db683c27p-2,
                                   0x1.555555a20a528p-2, 0x1.1745af6bea91ep-2, 0x1.d8ae615a981b6p-3,
                                   0x1.973ff3565e9dfp-3, 0x1.95631e1ddc1f9p-3);
  const double t = 3.0 + (z_hi + rest), t_hi = upper_half(t),
               t_lo = (t - t_hi) + (rest - ((t - 3.0) - z_hi));
  const auto w = fast_two_sum(s_hi * t_hi, s_hi * t_lo + s_lo * t);
  const double w_hi = upper_half(w.hi), w_lo = (w.hi - w_hi) + w.lo;
  // 2 / (3 ln2), in 26 bits and the rest.
  constexpr double kHi = 0x1.ec709d8p-1, kLo = 0x1.0e80ff5d27f05p-27;
  const auto sum = fast_two_sum(k, w_hi * kHi);
  return fast_two_sum(sum.hi, sum.lo + (w_hi * kLo + w_lo * (kHi + kLo)));
}

// The sign and the special cases of pow(x, y), given y0 = pow(|x|, y) where that is not one of them.
// What depends on y alone is made a mask or a number rather than a bool: for a constant exponent the
// compiler moves it out of the loop, and gcc 12 vectorises no selection by a bool from there.
template <class T>
GOTORCH_MATH T pow_special(T x, T y, T y0) {
  using L = Layout<T>;
  const T half = y * T(0.5);
  const bool integer = round(y) == y, odd = integer & (round(half) != half);
  const Bits<T> odd_mask = odd ? L::kSign : 0, zero_mask = y == T(0) ? ~Bits<T>(0) : 0;
  const T undefined = integer ? T(-0.0) : L::kNan;
  const T y1 = from_bits<T>(to_bits(y0) ^ (to_bits(x) & odd_mask));
  const T y2 = (x < T(0)) & isfinite(x) ? y1 + undefined : y1;
  const T y3 = x == T(1) ? T(1) : y2;
  // Anything to the power 0 is 1, NaN included.
  return from_bits<T>((to_bits(y3) & ~zero_mask) | (to_bits(T(1)) & zero_mask));
}

}  // namespace detail

// All arguments, with the special cases of C. 0.51 ULP on samples.
GOTORCH_MATH float pow(float x, float y) {
  const double l = detail::log2_extended(abs(x));
  const double t =
      l == 0.0 ? (isnan(y) ? static_cast<double>(y) : 0.0) : static_cast<double>(y) * l;
  return detail::pow_special(x, y, detail::exp2_extended(t));
}

// All arguments, with the special cases of C. 1.2 ULP on samples.
GOTORCH_MATH double pow(double x, double y) {
  using L = Layout<double>;
  const double a = abs(x);
  const auto l = detail::log2_pair(a);
  // Beyond 2^64 the result is the same as at 2^64: 0, 1 or infinity.
  const double c = clamp(y, -0x1p64, 0x1p64), c_hi = upper_half(c), c_lo = c - c_hi;
  const double l_hi = upper_half(l.hi), l_lo = (l.hi - l_hi) + l.lo;
  const auto t = fast_two_sum(c_hi * l_hi, c * l_lo + c_lo * l_hi);
  const auto e = detail::split_integer(clamp(t.hi, -1080.0, 1030.0));
  const double r_lo = abs(t.hi) < 1080.0 ? t.lo : 0.0, r = (e.r + r_lo) * 0x1.62e42fefa39efp-1;
  const double y0 = detail::scale(1.0 + (r + r * r * detail::exp_tail(r)), e.biased);
  // The logarithms of 0 and infinity are not numbers that can be split.
  const double large = a == 0.0 ? -y : y, extreme = large > 0.0 ? L::kInf : (isnan(y) ? y : 0.0);
  const double y1 = (a == 0.0) | (a == L::kInf) ? extreme : y0;
  return detail::pow_special(x, y, isnan(x) ? x : y1);
}

}  // namespace gotorch::math
