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

// The sign and the special cases of pow(x, y), given y0 = pow(|x|, y) where that is not one of them.
template <class T>
GOTORCH_MATH T pow_special(T x, T y, T y0) {
  const bool integer = round(y) == y;
  const bool odd = integer & (round(y * T(0.5)) != y * T(0.5));
  const T signed_y0 = odd ? mulsign(y0, x) : y0;
  const bool undefined = (x < T(0)) & isfinite(x) & !integer;
  const T r = undefined ? Layout<T>::kNan : signed_y0;
  // 1 to any power, anything to the power 0, and -1 to an infinite one, NaN included as C has it.
  const bool one = (x == T(1)) | (y == T(0)) | ((x == T(-1)) & isinf(y));
  return one ? T(1) : r;
}

}  // namespace detail

GOTORCH_MATH float pow(float x, float y) {
  const double t = static_cast<double>(y) * detail::log2_extended(abs(x));
  return detail::pow_special(x, y, detail::exp2_extended(t));
}

}  // namespace gotorch::math
