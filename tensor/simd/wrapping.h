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

}  // namespace gotorch::math
