#pragma once
// Sorting any element type as unsigned integers. A key orders as PyTorch orders values: -0 equals
// +0, and NaNs equal each other and are the largest. An item is a key with the element's position
// below it, so no two items are equal and every correct sort of items is the stable sort.
#include <bit>
#include <cstdint>
#include <type_traits>

#include "tensor/half.h"

namespace gotorch::kernels {

template <int bytes>
using UnsignedOf = std::conditional_t<
    bytes == 1, uint8_t,
    std::conditional_t<bytes == 2, uint16_t, std::conditional_t<bytes == 4, uint32_t, uint64_t>>>;
template <class T>
using Key = UnsignedOf<sizeof(T)>;

template <class T>
inline constexpr bool kIsFloating =
    std::is_floating_point_v<T> || std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
inline constexpr Key<T> kSignBit = Key<T>(Key<T>(1) << (8 * sizeof(T) - 1));
template <class T>
inline constexpr Key<T> kNanKey = Key<T>(~Key<T>(0));

// The bits of positive infinity.
template <class T>
constexpr Key<T> infinity_bits() {
  if constexpr (std::is_same_v<T, double>) return 0x7ff0000000000000u;
  else if constexpr (std::is_same_v<T, float>) return 0x7f800000u;
  else return std::is_same_v<T, Half> ? 0x7c00u : 0x7f80u;
}

template <class T>
Key<T> key_of(T x) {
  using U = Key<T>;
  const U u = std::bit_cast<U>(x);
  if constexpr (kIsFloating<T>) {
    const U magnitude = U(u & U(~kSignBit<T>));
    const U ordered = U(u & kSignBit<T> ? ~u : u | kSignBit<T>);
    const U key = magnitude == 0 ? kSignBit<T> : ordered;
    return magnitude > infinity_bits<T>() ? kNanKey<T> : key;
  } else if constexpr (std::is_signed_v<T>) {
    return U(u ^ kSignBit<T>);
  } else {
    return u;
  }
}

// Whether a key says which value it came from: the zeros and the NaNs share one.
template <class T>
bool is_exact(Key<T> key) {
  return !kIsFloating<T> || (key != kSignBit<T> && key != kNanKey<T>);
}
template <class T>
T value_of(Key<T> key) {
  using U = Key<T>;
  if constexpr (kIsFloating<T>)
    return std::bit_cast<T>(U(key & kSignBit<T> ? key & U(~kSignBit<T>) : ~key));
  else if constexpr (std::is_signed_v<T>) return std::bit_cast<T>(U(key ^ kSignBit<T>));
  else return std::bit_cast<T>(key);
}

// A row to be sorted: elements `stride` apart.
template <class T>
struct Row {
  const T* x;
  int64_t n, stride = 1;
  Key<T> flip = 0;  // all ones reverses the order
  Key<T> key(int64_t i) const { return Key<T>(key_of(x[i * stride]) ^ flip); }
};

// Items: 64 bits with keys of up to 32 bits and positions below 2^32, or 128 bits.
using Narrow = uint64_t;
using Wide = unsigned __int128;
template <class Item>
inline constexpr int kPositionBits = sizeof(Item) * 4;

template <class Item>
Item make_item(uint64_t key, int64_t position) {
  return static_cast<Item>(key) << kPositionBits<Item> | static_cast<Item>(position);
}
template <class Item>
int64_t position_of(Item item) {
  return static_cast<int64_t>(item & ((Item(1) << kPositionBits<Item>)-1));
}
template <class Item>
uint64_t key_in(Item item) {
  return static_cast<uint64_t>(item >> kPositionBits<Item>);
}

}  // namespace gotorch::kernels
