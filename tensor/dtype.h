#pragma once
// The ten element types, their properties, and the one place where a run-time dtype becomes a type.
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tensor/half.h"

namespace gotorch {

// Ordered so that within a category a later dtype holds every value of an earlier one.
enum class Dtype : uint8_t {
  Bool,
  UInt8,
  Int8,
  Int16,
  Int32,
  Int64,
  Half,
  BFloat16,
  Float,
  Double
};
inline constexpr int kDtypes = 10;

// Categories decide promotion: a scalar or 0-d tensor changes the result only by its category.
enum class Category : uint8_t { Bool, Integer, Floating };

constexpr Category category(Dtype d) {
  return d == Dtype::Bool    ? Category::Bool
         : d <= Dtype::Int64 ? Category::Integer
                             : Category::Floating;
}
constexpr bool is_floating(Dtype d) { return category(d) == Category::Floating; }
constexpr bool is_half(Dtype d) { return d == Dtype::Half || d == Dtype::BFloat16; }

constexpr int64_t size_of(Dtype d) {
  constexpr int8_t sizes[kDtypes] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
  return sizes[static_cast<int>(d)];
}

// PyTorch's name without the module: "float32".
constexpr std::string_view name(Dtype d) {
  constexpr std::string_view names[kDtypes] = {"bool",    "uint8",  "int8",    "int16",
                                               "int32",   "int64",  "float16", "bfloat16",
                                               "float32", "float64"};
  return names[static_cast<int>(d)];
}

template <class T>
constexpr Dtype dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return Dtype::Bool;
  else if constexpr (std::is_same_v<T, uint8_t>) return Dtype::UInt8;
  else if constexpr (std::is_same_v<T, int8_t>) return Dtype::Int8;
  else if constexpr (std::is_same_v<T, int16_t>) return Dtype::Int16;
  else if constexpr (std::is_same_v<T, int32_t>) return Dtype::Int32;
  else if constexpr (std::is_same_v<T, int64_t>) return Dtype::Int64;
  else if constexpr (std::is_same_v<T, Half>) return Dtype::Half;
  else if constexpr (std::is_same_v<T, BFloat16>) return Dtype::BFloat16;
  else if constexpr (std::is_same_v<T, float>) return Dtype::Float;
  else {
    static_assert(std::is_same_v<T, double>, "not an element type");
    return Dtype::Double;
  }
}

// Calls f.template operator()<T>() with the C++ type of `d`. The only dtype switch in the tree.
//   dispatch(x.dtype(), [&]<class T>() { fill(x.data<T>(), n); });
template <class F>
decltype(auto) dispatch(Dtype d, F&& f) {
  switch (d) {
    case Dtype::Bool: return f.template operator()<bool>();
    case Dtype::UInt8: return f.template operator()<uint8_t>();
    case Dtype::Int8: return f.template operator()<int8_t>();
    case Dtype::Int16: return f.template operator()<int16_t>();
    case Dtype::Int32: return f.template operator()<int32_t>();
    case Dtype::Int64: return f.template operator()<int64_t>();
    case Dtype::Half: return f.template operator()<Half>();
    case Dtype::BFloat16: return f.template operator()<BFloat16>();
    case Dtype::Float: return f.template operator()<float>();
    case Dtype::Double: break;
  }
  return f.template operator()<double>();
}

// The type arithmetic is done in: 16-bit floats are computed in float32 and rounded once per op.
constexpr Dtype compute_dtype(Dtype d) { return is_half(d) ? Dtype::Float : d; }
template <class T>
using Compute =
    std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;

}  // namespace gotorch
