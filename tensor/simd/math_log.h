#pragma once
// log, log2, log10, log1p, log_sigmoid, softplus. x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and a minimax
// polynomial for log(1 + f). k ln2 + f is summed exactly, so cancellation between them costs nothing.
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_exp.h"

namespace gotorch::math {
namespace detail {

template <class T>
struct LogReduced {
  T k, f;
};

// x = 2^k (1 + f) for positive finite x; f is exact.
template <class T>
GOTORCH_MATH LogReduced<T> reduce_log(T x) {
  using L = Layout<T>;
  constexpr Bits<T> kOne = __builtin_bit_cast(Bits<T>, T(1));
  constexpr Bits<T> kSqrtHalf = __builtin_bit_cast(Bits<T>, T(0x1.6a09e667f3bcdp-1));
  constexpr T kTwoFraction = T(Bits<T>(1) << L::kFraction);
  const bool subnormal = x < L::kMinNormal;
  const Bits<T> u = to_bits(subnormal ? x * kTwoFraction : x) + (kOne - kSqrtHalf);
  // An integer below 2^fraction in the low bits of 2^fraction: a conversion that every vector unit has.
  const T k = from_bits<T>((u >> L::kFraction) | __builtin_bit_cast(Bits<T>, kTwoFraction)) -
              (subnormal ? kTwoFraction + (L::kBias + L::kFraction) : kTwoFraction + L::kBias);
  const T m = from_bits<T>((u & ((Bits<T>(1) << L::kFraction) - 1)) + kSqrtHalf);
  return {k, m - T(1)};
}

// log(1 + f) - f for f in [sqrt(1/2) - 1, sqrt(2) - 1]; relative to the logarithm 2^-27.3 and 2^-59.5.
GOTORCH_MATH float log_tail(float f) {
  const float z = f * f;
  return z * f *
             poly(f, 0x1.555554p-2f, -0x1.000228p-2f, 0x1.99a01ep-3f, -0x1.547218p-3f,
                  0x1.22d8dap-3f, -0x1.0d85e4p-3f, 0x1.05619p-3f, -0x1.38bc98p-4f) -
         0.5f * z;
}
// With s = f / (2 + f): log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)).
GOTORCH_MATH double log_tail(double f) {
  const double s = f / (2.0 + f), z = s * s, half_square = 0.5 * f * f;
  const double r = z * poly(z, 0x1.5555555555592p-1, 0x1.999999997ff16p-2, 0x1.24924941e14b6p-2,
                            0x1.c71c52147b484p-3, 0x1.74663ce25bb88p-3, 0x1.39a1e9b9ca913p-3,
                            0x1.2f03b5add07e7p-3);
  return s * (half_square + r) - half_square;
}

// What log gives outside the positive finite numbers.
template <class T>
GOTORCH_MATH T log_special(T x, T y) {
  using L = Layout<T>;
  y = x < L::kInf ? y : x;  // infinity and NaN
  y = x < T(0) ? L::kNan : y;
  return x == T(0) ? -L::kInf : y;
}

// k * (k_hi + k_lo) + log(1 + f) * (l_hi + l_lo), where f * l_hi and k * k_hi are exact for the upper
// half of f: the logarithm to another base.
template <class T>
GOTORCH_MATH T log_base(T x, T k_hi, T k_lo, T l_hi, T l_lo) {
  const auto [k, f] = reduce_log(x);
  const T f_hi = upper_half(f), f_lo = (f - f_hi) + log_tail(f);
  const auto sum = fast_two_sum(k * k_hi, f_hi * l_hi);
  const T y = sum.hi + (sum.lo + ((f_hi * l_lo + k * k_lo) + f_lo * (l_hi + l_lo)));
  return log_special(x, y);
}

}  // namespace detail

// All x. Float 0.90 ULP, double 0.85.
template <class T>
GOTORCH_MATH T log(T x) {
  using C = detail::ExpConst<T>;
  const auto [k, f] = detail::reduce_log(x);
  const auto sum = fast_two_sum(k * C::kLn2Hi, f);
  const T y = sum.hi + (sum.lo + (detail::log_tail(f) + k * C::kLn2Lo));
  return detail::log_special(x, y);
}

// All x. Float 0.91 ULP, double 0.82.
template <class T>
GOTORCH_MATH T log1p(T x) {
  using C = detail::ExpConst<T>;
  const T u = T(1) + x;
  const auto [k, f_of_u] = detail::reduce_log(u);
  // What rounding u lost, exactly: for small x the smaller summand is x, for large x it is 1.
  const T lost = abs(x) < T(1) ? x - (u - T(1)) : T(1) - (u - x);
  // In u's own binade f + lost is x itself; elsewhere log(u + lost) = log(u) + lost / u.
  const T f = k == T(0) ? x : f_of_u;
  const T c = k == T(0) ? T(0) : lost / u;
  const auto sum = fast_two_sum(k * C::kLn2Hi, f);
  const T y = sum.hi + (sum.lo + (detail::log_tail(f) + (k * C::kLn2Lo + c)));
  return detail::log_special(u, x == T(0) ? x : y);
}

// All x. Float 1.21 ULP, double 0.97.
GOTORCH_MATH float log2(float x) {
  return detail::log_base(x, 1.0f, 0.0f, 0x1.714p+0f, 0x1.47652cp-12f);
}
GOTORCH_MATH double log2(double x) {
  return detail::log_base(x, 1.0, 0.0, 0x1.715476p+0, 0x1.4ae0bf85ddf44p-26);
}

// All x. Float 1.09 ULP, double 0.90.
GOTORCH_MATH float log10(float x) {
  return detail::log_base(x, 0x1.344p-2f, 0x1.3509f8p-18f, 0x1.bcap-2f, 0x1.7b1526p-14f);
}
GOTORCH_MATH double log10(double x) {
  return detail::log_base(x, 0x1.34413509f6p-2, 0x1.9fef311f12b36p-42, 0x1.bcb7b1p-2,
                          0x1.49b9438ca9aaep-28);
}

// log(1 + exp(-a)) for a >= 0.
template <class T>
GOTORCH_MATH T log1p_exp_minus(T a) {
  return log1p(exp(-a));
}

// log(sigmoid(x)). All x. Float 1.65 ULP, double 1.53.
template <class T>
GOTORCH_MATH T log_sigmoid(T x) {
  return (x > T(0) ? T(-0.0) : x) - log1p_exp_minus(abs(x));
}

// log(1 + exp(x)). All x. Float 1.65 ULP, double 1.50.
template <class T>
GOTORCH_MATH T softplus(T x) {
  return (x < T(0) ? T(0) : x) + log1p_exp_minus(abs(x));
}

}  // namespace gotorch::math
