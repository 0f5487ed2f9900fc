#pragma once
#include "tensor/tensor.h"

namespace gotorch::ops {

// The mean, the sum, or the losses themselves: "mean", "sum" or "none".
Tensor reduced_loss(const Tensor& loss, std::string_view reduction);

}  // namespace gotorch::ops
