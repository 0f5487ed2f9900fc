#include "tensor/view.h"

namespace gotorch {

Tensor permuted(const Tensor& x, Dims order) {
  DimVector shape, strides;
  for (int64_t d : order) {
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return alias(x, shape, strides, x.offset());
}

Tensor transposed(const Tensor& x, int64_t dim0, int64_t dim1) {
  DimVector shape(x.shape()), strides(x.strides());
  if (dim0 != dim1) {
    std::swap(shape[dim0], shape[dim1]);
    std::swap(strides[dim0], strides[dim1]);
  }
  return alias(x, shape, strides, x.offset());
}

Tensor sliced(const Tensor& x, int64_t dim, int64_t start, int64_t length, int64_t step) {
  DimVector shape(x.shape()), strides(x.strides());
  const int64_t offset = x.offset() + (length > 0 ? start * strides[dim] : 0);
  shape[dim] = length;
  // With one element the stride is free, and a huge step must not overflow.
  if (length > 1) strides[dim] *= step;
  return alias(x, shape, strides, offset);
}

Tensor selected(const Tensor& x, int64_t dim, int64_t index) {
  DimVector shape(x.shape()), strides(x.strides());
  const int64_t offset = x.offset() + index * strides[dim];
  shape.erase(dim);
  strides.erase(dim);
  return alias(x, shape, strides, offset);
}

Tensor expanded(const Tensor& x, Dims shape) {
  return alias(x, shape, broadcast_strides(x.shape(), x.strides(), shape), x.offset());
}

Tensor unsqueezed(const Tensor& x, int64_t dim) {
  DimVector shape(x.shape()), strides(x.strides());
  strides.insert(dim, dim < x.dim() ? shape[dim] * strides[dim] : 1);
  shape.insert(dim, 1);
  return alias(x, shape, strides, x.offset());
}

Tensor diagonal_of(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  DimVector shape(x.shape()), strides(x.strides());
  // Clamped: beyond the matrix the diagonal is empty however far.
  offset = std::clamp(offset, -shape[dim1], shape[dim2]);
  const int64_t length =
      std::max<int64_t>(0, offset >= 0 ? std::min(shape[dim1], shape[dim2] - offset)
                                       : std::min(shape[dim1] + offset, shape[dim2]));
  int64_t first = x.offset();
  if (length > 0) first += offset >= 0 ? offset * strides[dim2] : -offset * strides[dim1];
  const int64_t stride = strides[dim1] + strides[dim2];
  for (int64_t d : {std::max(dim1, dim2), std::min(dim1, dim2)}) {
    shape.erase(d);
    strides.erase(d);
  }
  shape.push_back(length);
  strides.push_back(stride);
  return alias(x, shape, strides, first);
}

Tensor windows(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  // A 0-d tensor counts as one element: its only window is itself.
  if (x.dim() == 0) return alias(x, DimVector{size}, DimVector{1}, x.offset());
  DimVector shape(x.shape()), strides(x.strides());
  const int64_t stride = strides[dim];
  const int64_t count = (shape[dim] - size) / step + 1;
  shape[dim] = count;
  if (count > 1) strides[dim] *= step;
  shape.push_back(size);
  strides.push_back(stride);
  return alias(x, shape, strides, x.offset());
}

Tensor viewed(const Tensor& x, Dims shape) {
  const auto strides = view_strides(x.shape(), x.strides(), shape);
  return strides ? alias(x, shape, *strides, x.offset()) : Tensor();
}

}  // namespace gotorch
