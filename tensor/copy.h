#pragma once
#include "tensor/tensor.h"

namespace gotorch {

// dst[...] = src[...], broadcast to dst's shape and converted to its dtype. Any layouts; memory may
// overlap. Does not count as a write: callers that need it call before_write() first.
void copy_elements(const Tensor& dst, const Tensor& src);
// x itself if it is contiguous and evaluated, else a contiguous copy.
Tensor packed(const Tensor& x);
// The same, as `dtype`.
Tensor packed(const Tensor& x, Dtype dtype);
// x itself if it has this dtype, else a contiguous copy.
Tensor as_dtype(const Tensor& x, Dtype dtype);
// A contiguous copy as `dtype`, never x itself.
Tensor copy_of(const Tensor& x, Dtype dtype);
// Throws if `value` is out of range for `dtype`. Infinities and NaN fit any float, negatives wrap in uint8.
void check_fits(Scalar value, Dtype dtype);
// dst[...] = value. Counts as a write no more than copy_elements does.
void fill_elements(const Tensor& dst, Scalar value);

}  // namespace gotorch
