#pragma once
// A Python number: bool, int or float. Keeps its category, which is all that promotion looks at.
#include <bit>
#include <concepts>
#include <cstdint>

#include "tensor/dtype.h"

namespace gotorch {

class Scalar {
 public:
  Scalar() = default;
  Scalar(bool b) : category_(Category::Bool), int_(b) {}
  template <std::integral T>
  Scalar(T i) : category_(Category::Integer), int_(static_cast<int64_t>(i)) {}
  template <std::floating_point T>
  Scalar(T d) : category_(Category::Floating), float_(d) {}

  gotorch::Category category() const { return category_; }
  bool is_floating() const { return category_ == Category::Floating; }

  // The value as T. Out-of-range floats saturate as PyTorch's fill does not define them otherwise.
  template <class T>
  T to() const {
    if (!is_floating()) {
      if constexpr (std::is_same_v<T, bool>) return int_ != 0;
      else if constexpr (std::is_integral_v<T>) return static_cast<T>(int_);
      else return static_cast<T>(static_cast<Compute<T>>(int_));
    }
    if constexpr (std::is_same_v<T, bool>) return float_ != 0;
    else if constexpr (std::is_integral_v<T>) {
      if (!(float_ > -0x1p63)) return static_cast<T>(INT64_MIN);
      return static_cast<T>(float_ < 0x1p63 ? static_cast<int64_t>(float_) : INT64_MAX);
    } else return static_cast<T>(static_cast<Compute<T>>(float_));
  }

 private:
  Category category_ = Category::Integer;
  union {
    int64_t int_ = 0;
    double float_;
  };
};

}  // namespace gotorch
