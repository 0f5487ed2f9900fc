#pragma once
// NumPy's .npy files: one array each.
#include <string>

#include "tensor/tensor.h"

namespace gotorch {

// Replaces the file atomically. TypeError for bfloat16, which the format does not have.
void save_npy(const std::string& path, const Tensor& x);
// Error for what is damaged, for other byte orders and for elements that are no dtype of ours.
Tensor load_npy(const std::string& path);

}  // namespace gotorch
