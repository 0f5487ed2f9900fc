#pragma once
// Integer arithmetic that wraps around, as PyTorch's does, where C++ leaves the result of signed numbers undefined.
#include <type_traits>

#include "tensor/simd/math_base.h"

namespace gotorch::math {

template <class T>
GOTORCH_MATH T negated(T x) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(std::make_unsigned_t<T>(0) - static_cast<std::make_unsigned_t<T>>(x));
  else return -x;
}

// Sums, differences and products of one type. Smaller integers than int are computed as that, where they have room; the
// rest are computed without sign.
template <class T, class F>
GOTORCH_MATH T wrapped(T x, T y, F f) {
  if constexpr (std::is_integral_v<T> && sizeof(T) >= sizeof(int)) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(f(static_cast<U>(x), static_cast<U>(y)));
  } else {
    return static_cast<T>(f(x, y));
  }
}
template <class T>
GOTORCH_MATH T plus(T x, T y) {
  return wrapped(x, y, [](auto a, auto b) { return a + b; });
}
template <class T>
GOTORCH_MATH T minus(T x, T y) {
  return wrapped(x, y, [](auto a, auto b) { return a - b; });
}
template <class T>
GOTORCH_MATH T times(T x, T y) {
  return wrapped(x, y, [](auto a, auto b) { return a * b; });
}

}  // namespace gotorch::math
