#pragma once
// Limits on gradients before a step.
//   clip_grad_norm_(net.parameters(), 1.0);
#include <span>

#include "tensor/tensor.h"

namespace gotorch {

// The norm of all elements of all tensors, as one vector: of order 1, 2, any other number, inf (the largest magnitude),
// -inf (the smallest) or 0 (how many tensors are not all zero). A 0-d tensor of the tensors' common dtype; 0 for no tensors. Throws
// if it is not finite and `error_if_nonfinite`.
Tensor total_norm(std::span<const Tensor> tensors, double order = 2,
                  bool error_if_nonfinite = false);
// Scales the tensors by max_norm / norm where that is below 1.
void scale_to_norm_(std::span<const Tensor> tensors, double max_norm, const Tensor& norm);

// For the gradients of the parameters that have one. Returns their norm before.
Tensor clip_grad_norm_(std::span<const Tensor> parameters, double max_norm, double order = 2,
                       bool error_if_nonfinite = false);
// Limits each element of the gradients to [-limit, limit].
void clip_grad_value_(std::span<const Tensor> parameters, double limit);

}  // namespace gotorch
