#pragma once
// erf, erfc, erfinv.
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_exp.h"
#include "tensor/simd/math_log.h"

namespace gotorch::math {
namespace detail {

// Up to here erf is a polynomial, from here on 1 - exp(polynomial).
template <class T>
inline constexpr T kErfSmall = T(1.25);
template <>
inline constexpr float kErfSmall<float> = 1.0f;

// erf(x) - x for |x| <= kErfSmall, relative to erf 2^-29 and 2^-57. x times a polynomial in
// x^2 minus a middle value, where the terms, and so the rounding errors, are smaller than in x^2.
GOTORCH_MATH float erf_small_tail(float x) {
  return x * poly(x * x - 0.5f, -0x1.1ae14ep-5f, -0x1.1fd164p-2f, 0x1.454374p-4f, -0x1.2b8da6p-6f,
                  0x1.c817cep-9f, -0x1.288aecp-11f, 0x1.4ffe78p-14f);
}
GOTORCH_MATH double erf_small_tail(double x) {
  return x * poly(x * x - 0.75, -0x1.9a0bafec7a26ep-4, -0x1.f4eac5302d05ep-3, 0x1.12198a34afc67p-4,
                  -0x1.efd13dd1a9909p-7, 0x1.7530755e044e5p-9, -0x1.dd9dff9945869p-12,
                  0x1.09046f4b0941bp-14, -0x1.03381cf070173p-17, 0x1.c4f4a00c9812ep-21,
                  -0x1.6564bd7d51468p-24, 0x1.00f81c5fe8b71p-27, -0x1.53125076ee85fp-31,
                  0x1.a4849752fb8a7p-35, -0x1.05a3c243f3183p-38);
}
// log(erfc(a)) + a for kErfSmall <= a <= 4 (float; erfc to 2^-29.8 of 1), 6 (double, 2^-57).
GOTORCH_MATH float log_erfc_plus_a(float a) {
  return poly(a, -0x1.733598p-12f, -0x1.042cf2p-3f, -0x1.46c5c6p-1f, -0x1.a608b8p-4f,
              0x1.653eaep-6f, -0x1.8145e2p-9f, 0x1.8521ccp-13f);
}
GOTORCH_MATH double log_erfc_plus_a(double a) {
  return poly(a, -0x1.2713a066deb49p-18, -0x1.06d7f786eb478p-3, -0x1.4606b2a170693p-1,
              -0x1.a36e174635fd5p-4, 0x1.2ed9827e43b7p-6, 0x1.0e0170b2b5ad5p-10,
              -0x1.46cb6bf78870ep-9, 0x1.37a659062dff4p-10, -0x1.8783d17626d78p-12,
              0x1.6d9c7220c2e87p-14, -0x1.03b7f481afebfp-16, 0x1.15d10be2f14cep-19,
              -0x1.b0b2942572cd5p-23, 0x1.cc70269ec07d4p-27, -0x1.283d6aa7e4d64p-31,
              0x1.55917583786a4p-37);
}

}  // namespace detail

// All x. Float 0.97 ULP, double 1.50.
template <class T>
GOTORCH_MATH T erf(T x) {
  const T a = abs(x);
  // erfc(a) = exp(-a + b), the exact -a reduced apart from b: their rounded sum would cost half an ULP.
  const T capped = min(a, T(sizeof(T) == 4 ? 4 : 6)), b = detail::log_erfc_plus_a(capped);
  const T large = T(1) - detail::exp_normal_pair(-capped, b);
  return a < detail::kErfSmall<T> ? x + detail::erf_small_tail(x) : mulsign(large, x);
}

// All x. Float, by way of double, 0.50 ULP; double 3.6.
GOTORCH_MATH double erfc(double x) {
  // exp(-a^2) / (1 + 2a) times a polynomial in (a - 4) / (a + 4) (Shepherd and Laframboise 1981), 2^-56.
  const double a = abs(x), c = a > 27.3 ? 27.3 : a, t = (c - 4.0) / (c + 4.0);
  const double p = poly(
      t, 0x1.3ba5916e9fd7fp+0, -0x1.1df1ad154a29bp-3, 0x1.f7f5df66fd7f6p-7, 0x1.16ecefcfa5f66p-4,
      -0x1.9ddb23c3e909bp-4, 0x1.7fee004df8477p-4, -0x1.0fb06dfe4f8d7p-4, 0x1.3079edf9d0da8p-5,
      -0x1.0962388233055p-6, 0x1.49c67199796c4p-8, -0x1.8d4a9e703acf6p-11, -0x1.a1de865c909b8p-13,
      0x1.3be0b9e14a987p-13, -0x1.9969e2e17f6d1p-16, -0x1.78a4793859816p-17, 0x1.7fb1dda364cddp-18,
      0x1.437ce94137f0ep-22, -0x1.c0295ffde5bbdp-21, 0x1.0e1bec17f7a93p-24, 0x1.ee9cb7fb92cd1p-24,
      -0x1.0d769d090762cp-27, -0x1.d505ef7f4fc85p-27, -0x1.eed9750b616dap-30);
  const auto square = two_product(c, c);
  const auto e = detail::reduce_exp(-square.hi);
  const double r = e.r - square.lo;
  const double y =
      detail::scale((1.0 + (r + r * r * detail::exp_tail(r))) * (p / (1.0 + 2.0 * c)), e.biased);
  const double outer = x < 0.0 ? 2.0 - y : y;
  // Near 0 what rounding does to the polynomial is not small beside the result's own ULP.
  return a < 0.5 ? 1.0 - (x + detail::erf_small_tail(x)) : outer;
}
GOTORCH_MATH float erfc(float x) { return static_cast<float>(erfc(static_cast<double>(x))); }

namespace detail {

// erfinv(a) / a by two polynomials in w = -log(1 - a^2) (the variable is Giles's, 2010); 2^-27.4 where w < 5.
GOTORCH_MATH double erfinv_central(double w) {
  return poly(w - 2.5, 0x1.805c5d20026f6p+0, 0x1.f91e8ad754b63p-3, -0x1.11c4eb88355dep-8,
              -0x1.48661598e8505p-10, 0x1.c9e6c57fd15dbp-13, -0x1.4d15b0b41c821p-18,
              -0x1.d0c1845481688p-19, 0x1.f48c2a104d622p-22, 0x1.8f210d121e69cp-26,
              -0x1.2e0f6a59d503ep-27);
}
// Up to the last float below 1, 2^-26.6.
GOTORCH_MATH double erfinv_tail(double w, float) {
  return poly(sqrt(w) - 3.0, 0x1.6a9efbdca387ep+1, 0x1.006dc53273725p+0, 0x1.35809b3b1fd07p-7,
              -0x1.f483014f60129p-8, 0x1.74b71ca184ea2p-8, -0x1.d792999db5b9fp-9,
              0x1.8528ffface3dbp-10, -0x1.d5c22bb7937dap-15, -0x1.44209ba554c05p-12,
              0x1.e31265e74f7cfp-14);
}
// Up to the last double below 1, 2^-22.7.
GOTORCH_MATH double erfinv_tail(double w, double) {
  return poly(sqrt(w) - 4.0, 0x1.eb7e0deb27a89p+1, 0x1.026e32d1e169p+0, 0x1.4755b0a906c75p-10,
              -0x1.ca8f2beed291p-11, 0x1.75e35ad5630cdp-12, -0x1.c83bcf419a886p-14,
              0x1.bc4acd77a2fccp-17, -0x1.2c76091875c5ap-15, 0x1.5ef9e52add0aap-15,
              -0x1.6a28fd2e8c867p-17, -0x1.5d4ed2b7b65eap-19, 0x1.17ebf7537915ep-20);
}
template <class T>
GOTORCH_MATH double erfinv_start(double a, T kind) {
  const double w = -log((1.0 - a) * (1.0 + a)), central = erfinv_central(w),
               tail = erfinv_tail(w, kind);
  return a * (w < 5.0 ? central : tail);
}
template <class T>
GOTORCH_MATH T erfinv_special(T x, T y) {
  return abs(x) == T(1) ? copysign(Layout<T>::kInf, x) : mulsign(y, x);
}

}  // namespace detail

// All x; NaN beyond -1 and 1. Float 0.60 ULP, double 2.7.
GOTORCH_MATH float erfinv(float x) {
  const double y = detail::erfinv_start(static_cast<double>(abs(x)), 0.0f);
  return detail::erfinv_special(x, static_cast<float>(y));
}
GOTORCH_MATH double erfinv(double x) {
  // One step of Halley's method. Near 1 the difference is taken of erfc, which has the digits that matter.
  const double a = abs(x), y = detail::erfinv_start(a, 0.0);
  const double excess = a < 0.5 ? erf(y) - a : (1.0 - a) - erfc(y);
  const double newton = excess * 0x1.c5bf891b4ef6bp-1 * exp(y * y);
  return detail::erfinv_special(x, y - newton / (1.0 + y * newton));
}

}  // namespace gotorch::math
