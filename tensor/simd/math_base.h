#pragma once
// What the elementary functions share: bit access, selection, rounding, exact sums and products.
// Everything is scalar and branch-free, so that a loop over it becomes vector code.
#include <cstdint>

#define GOTORCH_MATH __attribute__((always_inline)) inline

namespace gotorch::math {

template <class T>
struct Layout;
template <>
struct Layout<float> {
  using Bits = uint32_t;
  static constexpr int kFraction = 23, kBias = 127;
  static constexpr Bits kSign = 0x80000000u;
  static constexpr float kRound = 0x1.8p23f;  // adding it rounds to an integer in the low bits
  static constexpr float kInf = __builtin_inff(), kNan = __builtin_nanf("");
  static constexpr float kMinNormal = 0x1p-126f;
};
template <>
struct Layout<double> {
  using Bits = uint64_t;
  static constexpr int kFraction = 52, kBias = 1023;
  static constexpr Bits kSign = 0x8000000000000000u;
  static constexpr double kRound = 0x1.8p52;
  static constexpr double kInf = __builtin_inf(), kNan = __builtin_nan("");
  static constexpr double kMinNormal = 0x1p-1022;
};

template <class T>
using Bits = typename Layout<T>::Bits;

template <class T>
GOTORCH_MATH Bits<T> to_bits(T x) {
  return __builtin_bit_cast(Bits<T>, x);
}
template <class T>
GOTORCH_MATH T from_bits(Bits<T> u) {
  return __builtin_bit_cast(T, u);
}

// Both arms are computed; the selection is a blend.
template <class T>
GOTORCH_MATH T where(bool c, T a, T b) {
  return c ? a : b;
}

template <class T>
GOTORCH_MATH bool isnan(T x) {
  return x != x;
}
template <class T>
GOTORCH_MATH T abs(T x) {
  return from_bits<T>(to_bits(x) & ~Layout<T>::kSign);
}
template <class T>
GOTORCH_MATH bool isinf(T x) {
  return abs(x) == Layout<T>::kInf;
}
template <class T>
GOTORCH_MATH bool isfinite(T x) {
  return abs(x) < Layout<T>::kInf;
}
template <class T>
GOTORCH_MATH bool signbit(T x) {
  return (to_bits(x) & Layout<T>::kSign) != 0;
}
template <class T>
GOTORCH_MATH T copysign(T magnitude, T sign) {
  return from_bits<T>((to_bits(magnitude) & ~Layout<T>::kSign) |
                      (to_bits(sign) & Layout<T>::kSign));
}
// x with its sign flipped where `sign` is negative.
template <class T>
GOTORCH_MATH T mulsign(T x, T sign) {
  return from_bits<T>(to_bits(x) ^ (to_bits(sign) & Layout<T>::kSign));
}

// -1, 0 or 1. PyTorch's convention: NaN gives 0, as does -0.
template <class T>
GOTORCH_MATH T sign(T x) {
  return static_cast<T>(static_cast<int>(x > T(0)) - static_cast<int>(x < T(0)));
}

// NaN in either argument gives NaN; of +0 and -0 either may come out.
template <class T>
GOTORCH_MATH T max(T a, T b) {
  return (a > b) | isnan(a) ? a : b;
}
template <class T>
GOTORCH_MATH T min(T a, T b) {
  return (a < b) | isnan(a) ? a : b;
}
// Keeps NaN; lo and hi must not be NaN.
template <class T>
GOTORCH_MATH T clamp(T x, T lo, T hi) {
  x = x > hi ? hi : x;
  return x < lo ? lo : x;
}

GOTORCH_MATH float floor(float x) { return __builtin_floorf(x); }
GOTORCH_MATH double floor(double x) { return __builtin_floor(x); }
GOTORCH_MATH float ceil(float x) { return __builtin_ceilf(x); }
GOTORCH_MATH double ceil(double x) { return __builtin_ceil(x); }
GOTORCH_MATH float trunc(float x) { return __builtin_truncf(x); }
GOTORCH_MATH double trunc(double x) { return __builtin_trunc(x); }
// Halves go to the even neighbour. (rint, not roundeven: gcc 12 does not vectorise the latter.)
GOTORCH_MATH float round(float x) { return __builtin_rintf(x); }
GOTORCH_MATH double round(double x) { return __builtin_rint(x); }
// Correctly rounded by the hardware.
GOTORCH_MATH float sqrt(float x) { return __builtin_sqrtf(x); }
GOTORCH_MATH double sqrt(double x) { return __builtin_sqrt(x); }
// 1.50 ULP: two correctly rounded steps.
GOTORCH_MATH float rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }
GOTORCH_MATH double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }

// c0 + c1 x + c2 x^2 + ... by Horner's rule.
template <class T>
GOTORCH_MATH T poly(T, T c0) {
  return c0;
}
template <class T, class... C>
GOTORCH_MATH T poly(T x, T c0, C... rest) {
  return c0 + x * poly(x, rest...);
}

// An unevaluated sum hi + lo with |lo| <= ulp(hi) / 2.
template <class T>
struct Pair {
  T hi, lo;
};

// a + b exactly, given |a| >= |b| or a == 0 (Dekker 1971).
template <class T>
GOTORCH_MATH Pair<T> fast_two_sum(T a, T b) {
  const T s = a + b;
  return {s, b - (s - a)};
}
// a + b exactly (Knuth).
template <class T>
GOTORCH_MATH Pair<T> two_sum(T a, T b) {
  const T s = a + b, v = s - a;
  return {s, (a - (s - v)) + (b - v)};
}
// The upper half of the significand: products of two such halves are exact.
GOTORCH_MATH float upper_half(float x) { return from_bits<float>(to_bits(x) & 0xfffff000u); }
GOTORCH_MATH double upper_half(double x) {
  return from_bits<double>(to_bits(x) & 0xfffffffff8000000u);
}
// a * b exactly, barring over- and underflow (Dekker 1971, split by masking).
template <class T>
GOTORCH_MATH Pair<T> two_product(T a, T b) {
  const T p = a * b, ah = upper_half(a), al = a - ah, bh = upper_half(b), bl = b - bh;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

// out[i] = near(in[i]...) block by block, except that in blocks with an element where `is_near` does not hold,
// far(in[i]...) is taken for those. `near` is vectorised, `far` need not be. out may be one of the inputs.
template <class T, class IsNear, class Near, class Far, class... In>
GOTORCH_MATH void guarded_loop(T* out, int64_t n, IsNear is_near, Near near, Far far,
                               const In*... in) {
  constexpr int64_t kBlock = 512;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    Bits<T> any_far = 0;
    for (int64_t i = begin; i < end; i++) any_far |= is_near(in[i]...) ? 0 : 1;
    if (any_far) {
      for (int64_t i = begin; i < end; i++)
        out[i] = is_near(in[i]...) ? near(in[i]...) : far(in[i]...);
    } else {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; i++) out[i] = near(in[i]...);
    }
  }
}

}  // namespace gotorch::math
