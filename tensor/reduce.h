#pragma once
#include "tensor/tensor.h"
namespace gotorch {
Tensor sum_to(const Tensor& x, Dims shape);
}
