#pragma once
#include "tensor/value.h"

namespace gotorch::ops {

// The mean, the sum, or the losses themselves: "mean", "sum" or "none".
Tensor reduced_loss(const Tensor& loss, std::string_view reduction);

// The argument `reduction` at position `at`, or what the two flags say that it replaced, if one is given: `reduce`, just
// before it, and `size_average`.
std::string_view reduction_at(const Args& a, size_t at, size_t size_average);
inline std::string_view reduction_at(const Args& a, size_t at) {
  return reduction_at(a, at, at - 2);
}

}  // namespace gotorch::ops
