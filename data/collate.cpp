#include "data/collate.h"

#include <cstring>

#include "tensor/copy.h"

namespace gotorch {

Tensor collate(const std::vector<Tensor>& items) {
  check<ValueError>(!items.empty(), "collate: a batch of no items");
  const Tensor& first = items[0];
  for (size_t i = 1; i < items.size(); i++) {
    check(same(items[i].shape(), first.shape()),
          "stack expects each tensor to be equal size, but got ", first.shape(), " at entry 0 and ",
          items[i].shape(), " at entry ", i);
    check(items[i].dtype() == first.dtype(), "collate: item 0 is ", first.dtype(), ", item ", i,
          " is ", items[i].dtype());
  }
  DimVector shape;
  shape.push_back(static_cast<int64_t>(items.size()));
  for (int64_t n : first.shape()) shape.push_back(n);
  Tensor out = empty(shape, first.dtype());
  const size_t bytes = static_cast<size_t>(first.bytes());
  std::byte* to = static_cast<std::byte*>(out.raw());
  for (size_t i = 0; i < items.size() && bytes > 0; i++, to += bytes) {
    if (items[i].is_contiguous()) {
      std::memcpy(to, items[i].raw(), bytes);
    } else {
      const int64_t begin = static_cast<int64_t>(i) * first.numel();
      copy_elements(alias(out, first.shape(), contiguous_strides(first.shape()), begin), items[i]);
    }
  }
  return out;
}

}  // namespace gotorch
