#pragma once
#include "tensor/tensor.h"

namespace gotorch {

// dst[...] = src[...], broadcast to dst's shape and converted to its dtype. Any layouts; memory may
// overlap. Does not count as a write: callers that need it call before_write() first.
void copy_elements(const Tensor& dst, const Tensor& src);
// x itself if it is contiguous and evaluated, else a contiguous copy.
Tensor contiguous(const Tensor& x);
// A contiguous copy as `dtype`, never x itself.
Tensor copy_of(const Tensor& x, Dtype dtype);

}  // namespace gotorch
