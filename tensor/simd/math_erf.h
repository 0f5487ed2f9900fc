#pragma once
// erf, erfc, erfinv.
#include "tensor/simd/math_base.h"
#include "tensor/simd/math_exp.h"

namespace gotorch::math {
namespace detail {

// Up to here erf is a polynomial, from here on 1 - exp(polynomial).
template <class T>
inline constexpr T kErfSmall = T(1.25);
template <>
inline constexpr float kErfSmall<float> = 1.0625f;

// erf(x) - x for |x| <= kErfSmall, relative to erf 2^-27.9 and 2^-57. x times a polynomial in
// x^2 minus a middle value, where the terms, and so the rounding errors, are smaller than in x^2.
GOTORCH_MATH float erf_small_tail(float x) {
  return x * poly(x * x - 0.5625f, -0x1.a848b8p-5f, -0x1.15de94p-2f, 0x1.378cb4p-4f,
                  -0x1.1da518p-6f, 0x1.b1d3fap-9f, -0x1.1a274ep-11f, 0x1.349d3ep-14f);
}
GOTORCH_MATH double erf_small_tail(double x) {
  return x * poly(x * x - 0.75, -0x1.9a0bafec7a26ep-4, -0x1.f4eac5302d05ep-3, 0x1.12198a34afc67p-4,
                  -0x1.efd13dd1a9909p-7, 0x1.7530755e044e5p-9, -0x1.dd9dff9945869p-12,
                  0x1.09046f4b0941bp-14, -0x1.03381cf070173p-17, 0x1.c4f4a00c9812ep-21,
                  -0x1.6564bd7d51468p-24, 0x1.00f81c5fe8b71p-27, -0x1.53125076ee85fp-31,
                  0x1.a4849752fb8a7p-35, -0x1.05a3c243f3183p-38);
}
// log(erfc(a)) + a for kErfSmall <= a <= 4 (float; erfc to 2^-26.4 of 1), 6 (double, 2^-57).
GOTORCH_MATH float log_erfc_plus_a(float a) {
  return poly(a, -0x1.ad1362p-9f, -0x1.d8e966p-4f, -0x1.5068aap-1f, -0x1.6468fcp-4f,
              0x1.d3cd4ap-7f, -0x1.1d9f3ap-10f);
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

// All x.
template <class T>
GOTORCH_MATH T erf(T x) {
  const T a = abs(x);
  // erfc(a) = exp(-a + b), the exact -a reduced apart from b: their rounded sum would cost half an ULP.
  const T capped = min(a, T(sizeof(T) == 4 ? 4 : 6)), b = detail::log_erfc_plus_a(capped);
  const T large = T(1) - detail::exp_normal_pair(-capped, b);
  return a < detail::kErfSmall<T> ? x + detail::erf_small_tail(x) : mulsign(large, x);
}

}  // namespace gotorch::math
