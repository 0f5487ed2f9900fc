#pragma once
// What convolution and pooling share: up to three spatial dims, kept as three, and results in the compute type.
#include "tensor/copy.h"
#include "tensor/kernels/conv.h"
#include "tensor/ops/expect.h"

namespace gotorch::ops {

// The last `dims` sizes of a shape; the dims in front of them are 1.
inline kernels::Spatial spatial_of(Dims shape, size_t dims) {
  check(dims >= 1 && dims <= 3 && dims <= shape.size(),
        "expected one to three of the dimensions of ", shape, " to be spatial, got ", dims);
  kernels::Spatial out{1, 1, 1};
  for (size_t i = 0; i < dims; i++) out[3 - dims + i] = shape[shape.size() - dims + i];
  return out;
}

// With numbers up to here the places that windows reach do not overflow.
inline constexpr int64_t kLargestOption = INT32_MAX;

// One number for each of `dims` dims, or one for all; the dims in front of them are `otherwise`.
inline kernels::Spatial spread(Dims list, size_t dims, int64_t otherwise, const char* name) {
  check(list.size() == dims || list.size() == 1, "expected ", name,
        " to be a single integer or a list of ", dims, " integers, got ", list);
  for (int64_t v : list)
    check(v >= -kLargestOption && v <= kLargestOption, name, " is out of range: got ", list,
          ", expected no more than ", kLargestOption);
  kernels::Spatial out{otherwise, otherwise, otherwise};
  for (size_t i = 0; i < dims; i++) out[3 - dims + i] = list.size() == 1 ? list[0] : list[i];
  return out;
}

// A new tensor of `dtype` that f<T>(data, compute dtype) fills as float or double; 16-bit floats are rounded once.
template <class F>
Tensor in_compute_type(Dtype dtype, const DimVector& shape, F&& f) {
  const Dtype compute = compute_dtype(dtype);
  const Tensor out = gotorch::empty(shape, compute);
  if (compute == Dtype::Double) f.template operator()<double>(out.data<double>(), compute);
  else f.template operator()<float>(out.data<float>(), compute);
  return out.dtype() == dtype ? out : copy_of(out, dtype);
}

}  // namespace gotorch::ops
