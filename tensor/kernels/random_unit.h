#pragma once
// Random words as numbers of [0, 1), and numbers into their places.
#include <bit>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/kernels/truncate.h"

namespace gotorch {

// y = x, rounded to T, or cut to an integer. Loops that store whole Half objects would not vectorise.
template <class T, class X>
inline void put(T& y, X x) {
  if constexpr (is_half(dtype_of<T>())) y.bits = T(static_cast<float>(x)).bits;
  else if constexpr (std::is_floating_point_v<X> && std::is_integral_v<T> &&
                     !std::is_same_v<T, bool>)
    y = truncated<T>(x);
  else y = static_cast<T>(x);
}

// 24 bits of one word.
inline float unit_float(uint32_t w) {
  return static_cast<float>(static_cast<int32_t>(w & 0xffffffu)) * 0x1p-24f;
}

// The low 53 bits of two words, the upper first, as an integer and as a fraction.
inline uint64_t bits53(const uint32_t* w) {
  return (static_cast<uint64_t>(w[0] & 0x1fffffu) << 32) | w[1];
}
inline double unit_double(const uint32_t* w) {
  // Each half is put into the mantissa of a power of two, then that power is subtracted: exact, and
  // it vectorises where no conversion from 64-bit integers exists.
  const double low = std::bit_cast<double>(0x4330000000000000u | w[1]) - 0x1p52;
  const double high = std::bit_cast<double>(0x4530000000000000u | (w[0] & 0x1fffffu)) - 0x1p84;
  return (high + low) * 0x1p-53;
}

}  // namespace gotorch
