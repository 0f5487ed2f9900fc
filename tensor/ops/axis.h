#pragma once
#include "tensor/kernels/axis.h"
#include "tensor/shape.h"

namespace gotorch::ops {

// What the kernels see of a contiguous tensor of this shape, along `dim`.
inline kernels::Axis axis_of(Dims shape, int64_t dim) {
  if (shape.empty()) return {1, 1, 1};
  return {numel_of(shape.first(dim)), shape[dim], numel_of(shape.subspan(dim + 1))};
}

}  // namespace gotorch::ops
