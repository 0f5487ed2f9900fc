#include "data/dataset.h"

#include <cstring>

#include "tensor/copy.h"

namespace gotorch {

Tensor row_of(const Tensor& x, int64_t i) {
  check<IndexError>(i >= 0 && i < x.size(0), "index ", i, " is out of bounds for ", x.size(0),
                    " rows");
  const int64_t begin = x.numel() ? i * x.strides()[0] : 0;  // no element lies anywhere
  return twin(alias(x, x.shape().subspan(1), x.strides().subspan(1), x.offset() + begin));
}

Tensor rows_of(const Tensor& x, std::span<const int64_t> indices) {
  DimVector shape(x.shape());
  shape[0] = static_cast<int64_t>(indices.size());
  Tensor out = empty(shape, x.dtype());
  if (!x.is_contiguous()) {
    for (size_t i = 0; i < indices.size(); i++)
      copy_elements(row_of(out, static_cast<int64_t>(i)), row_of(x, indices[i]));
    return out;
  }
  const size_t bytes = x.size(0) == 0 ? 0 : static_cast<size_t>(x.bytes() / x.size(0));
  const std::byte* from = static_cast<const std::byte*>(x.raw());
  std::byte* to = static_cast<std::byte*>(out.raw());
  for (int64_t i : indices) {
    check<IndexError>(i >= 0 && i < x.size(0), "index ", i, " is out of bounds for ", x.size(0),
                      " rows");
    if (bytes) std::memcpy(to, from + static_cast<size_t>(i) * bytes, bytes);
    to += bytes;
  }
  return out;
}

}  // namespace gotorch
