#pragma once
// Reductions over any set of dimensions of any tensor, pending ones included: their elements are read tile by tile and
// never written.
//   reduce(x, mask, kernels::sum_kernel(Dtype::Float), 0, y);
#include "tensor/kernels/reduce.h"
#include "tensor/value.h"

namespace gotorch {

// Reduces the dims of x for which `reduced` is true. y0 (and y1, if the kernel has two results) are contiguous, have
// the kernel's dtypes and one element per output, in the order of x's other dims.
void reduce(const Tensor& x, std::span<const bool> reduced, const kernels::ReduceKernel& kernel,
            double option, const Tensor& y0, const Tensor& y1 = {});

// x summed over the dims in which `shape` is broadcast to x's shape: the gradient of a broadcast.
Tensor sum_to(const Tensor& x, Dims shape);

// For ops with arguments `dim` (none or an empty list: all dims) and `keepdim`:
SmallVector<bool, 8> reduced_dims(const Tensor& x, const Value& dim);
DimVector reduced_shape(Dims shape, std::span<const bool> reduced, bool keepdim);
// The result as the kernel gives it. Throws where there is nothing to reduce and the kernel has no value for that.
Tensor reduced(const Tensor& x, const Value& dim, bool keepdim, const kernels::ReduceKernel& kernel,
               double option = 0, Tensor* second = nullptr, Dtype second_dtype = Dtype::Int64);
// y with the reduced dims of `shape` again, as size 1: broadcasts against the input. Recorded.
Tensor spread(const Tensor& y, Dims shape, const Value& dim, bool keepdim);
// How many elements become one.
double reduced_count(Dims shape, const Value& dim);

}  // namespace gotorch
