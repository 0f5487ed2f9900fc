#pragma once
// exp, exp2, expm1, sigmoid. x = n ln2 + r with |r| <= ln2 / 2 (Cody and Waite), a minimax
// polynomial for exp(r) - 1, and 2^n built from exponent bits.
#include "tensor/simd/math_base.h"

namespace gotorch::math {
namespace detail {

template <class T>
struct ExpConst;
template <>
struct ExpConst<float> {
  static constexpr float kLog2e = 0x1.715476p+0f;
  // ln2 in two parts; n times the first is exact for |n| < 2^14.
  static constexpr float kLn2Hi = 0x1.63p-1f, kLn2Lo = -0x1.bd0106p-13f;
  static constexpr float kOverflow = 90.0f, kUnderflow = -104.0f;  // beyond: infinity, zero
};
template <>
struct ExpConst<double> {
  static constexpr double kLog2e = 0x1.71547652b82fep+0;
  // n times the first part is exact for |n| < 2^21.
  static constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;
  static constexpr double kOverflow = 711.0, kUnderflow = -746.0;
};

// (exp(r) - 1 - r) / r^2 for |r| <= ln2 / 2; relative to exp, 2^-28.2 and 2^-63.
GOTORCH_MATH float exp_tail(float r) {
  return poly(r, 0x1.fffffcp-2f, 0x1.55548cp-3f, 0x1.555858p-5f, 0x1.123dfp-7f, 0x1.6ac806p-10f);
}
GOTORCH_MATH double exp_tail(double r) {
  return poly(r, 0x1p-1, 0x1.555555555555dp-3, 0x1.555555555556cp-5, 0x1.111111110e556p-7,
              0x1.6c16c16c0a609p-10, 0x1.a01a01b5e48ebp-13, 0x1.a01a01e702612p-16,
              0x1.71ddeaa83b386p-19, 0x1.27e44b4e1525cp-22, 0x1.af74ebcb8e8c4p-26,
              0x1.205a898c4109fp-29);
}

// exp(r) - 1 - r. In float with fewer roundings than r^2 times the above; 2^-31.
GOTORCH_MATH float expm1_tail(float r) {
  const float z = r * r;
  return 0.5f * z + r * z *
                        poly(r, 0x1.55553cp-3f, 0x1.5554f2p-5f, 0x1.1136fep-7f, 0x1.6d4086p-10f,
                             0x1.6bbac6p-13f);
}
GOTORCH_MATH double expm1_tail(double r) { return r * r * exp_tail(r); }

// x = n ln2 + r. `biased` is n + 2 * bias as an integer, never negative in the range of exp.
template <class T>
struct ExpReduced {
  T n, r;
  Bits<T> biased;
};

// n = t rounded to an integer, for |t| < 2^(fraction bits - 2).
template <class T>
GOTORCH_MATH ExpReduced<T> split_integer(T t) {
  using L = Layout<T>;
  constexpr T kShift = L::kRound + 2 * L::kBias;
  const T shifted = t + kShift;
  const T n = shifted - kShift;
  return {n, t - n, to_bits(shifted) - __builtin_bit_cast(Bits<T>, L::kRound)};
}

template <class T>
GOTORCH_MATH ExpReduced<T> reduce_exp(T x) {
  using C = ExpConst<T>;
  ExpReduced<T> e = split_integer(x * C::kLog2e);
  e.r = (x - e.n * C::kLn2Hi) - e.n * C::kLn2Lo;
  return e;
}

// y * 2^n in two factors, so that n may reach into the subnormals: only the last product rounds.
template <class T>
GOTORCH_MATH T scale(T y, Bits<T> biased) {
  const Bits<T> half = biased >> 1;
  return y * from_bits<T>(half << Layout<T>::kFraction) *
         from_bits<T>((biased - half) << Layout<T>::kFraction);
}
// 2^n where that is a normal number.
template <class T>
GOTORCH_MATH T power_of_two(Bits<T> biased) {
  return from_bits<T>((biased - Layout<T>::kBias) << Layout<T>::kFraction);
}

// exp(x) for x where the result is a normal number.
template <class T>
GOTORCH_MATH T exp_normal(T x) {
  const auto e = reduce_exp(x);
  return (T(1) + (e.r + e.r * e.r * exp_tail(e.r))) * power_of_two<T>(e.biased);
}

// exp(a + b) likewise, for a and b of like size.
template <class T>
GOTORCH_MATH T exp_normal_pair(T a, T b) {
  using C = ExpConst<T>;
  const auto e = reduce_exp(a + b);
  const T r = (a - e.n * C::kLn2Hi) + (b - e.n * C::kLn2Lo);
  return (T(1) + (r + r * r * exp_tail(r))) * power_of_two<T>(e.biased);
}

}  // namespace detail

// All x. Float 0.99 ULP, double 0.95.
template <class T>
GOTORCH_MATH T exp(T x) {
  using C = detail::ExpConst<T>;
  const auto e = detail::reduce_exp(clamp(x, C::kUnderflow, C::kOverflow));
  return detail::scale(T(1) + (e.r + e.r * e.r * detail::exp_tail(e.r)), e.biased);
}

// All x. Float 0.92 ULP, double 1.01.
template <class T>
GOTORCH_MATH T expm1(T x) {
  using C = detail::ExpConst<T>;
  // Below -40 the result is -1 in both types.
  const T c = clamp(x, T(-40), C::kOverflow);
  const auto e = detail::reduce_exp(c);
  // exp(x) - 1 = 2^n ((1 - 2^-n) + r + tail), r = high - n ln2_lo with `high` exact.
  // Where 2^-n has no normal number it is far below rounding.
  const Bits<T> inverse = (3 * Layout<T>::kBias - e.biased) << Layout<T>::kFraction;
  const T down = e.n < T(Layout<T>::kBias) ? from_bits<T>(inverse) : T(0);
  const T one_down = T(1) - down, one_down_lo = (T(1) - one_down) - down;
  const auto sum = fast_two_sum(one_down, c - e.n * C::kLn2Hi);
  const T tail = detail::expm1_tail(e.r) - e.n * C::kLn2Lo;
  const T y = detail::scale(sum.hi + (sum.lo + one_down_lo + tail), e.biased);
  return x == T(0) ? x : y;  // keeps -0
}

// All x. Float 2.40 ULP, double 2.35: one division, no correction. To within 1 ULP takes half as long again.
template <class T>
GOTORCH_MATH T sigmoid(T x) {
  // exp(-|x|) <= 1 cannot overflow, and keeps the subnormal results of large negative x.
  const T e = exp(-abs(x));
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

// All x. Float 1.00 ULP, double 1.00.
template <class T>
GOTORCH_MATH T exp2(T x) {
  constexpr T kLimit = T(Layout<T>::kBias + Layout<T>::kFraction + 2);
  const auto e = detail::split_integer(clamp(x, -kLimit, kLimit));
  const T r = e.r * T(0x1.62e42fefa39efp-1);
  return detail::scale(T(1) + (r + r * r * detail::exp_tail(r)), e.biased);
}

}  // namespace gotorch::math
