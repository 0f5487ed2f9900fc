#pragma once
// Indexing with tensors: where the elements lie that x[i, j] with integer or bool tensors i, j names. A list of indices
// belongs to the leading dims of x; undefined ones stand for a whole dim. NumPy's rules: the tensors are broadcast
// together; the dims they give come where they stood if they stood next to each other, else first.

#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace gotorch {

// Elements x.data()[outer[o] + index[j] + r], where r runs over `rest`.
struct AdvancedIndex {
  AdvancedIndex(const Tensor& x, std::span<const Tensor> indices);

  DimVector shape;                     // of the result: outer dims, index dims, rest dims
  Buffer<int64_t> outer, index;        // offsets in elements
  DimVector rest_shape, rest_strides;  // coalesced
  int64_t rest = 1;                    // their elements
  // In a contiguous x the indexed dims are one dim of `rows` rows of `rest` elements: index[j] / rest is the row.
  bool linear = false;
  int64_t rows = 1;

  int64_t numel() const { return static_cast<int64_t>(outer.size() * index.size()) * rest; }
};

// y, contiguous, of plan.shape = the elements named.
void gather_elements(const AdvancedIndex& plan, const Tensor& x, const Tensor& y);
// The elements named = source, contiguous, of plan.shape and x's dtype; of equal places the last one wins. With
// `accumulate` they are added, in order.
void scatter_elements(const AdvancedIndex& plan, const Tensor& x, const Tensor& source,
                      bool accumulate);

}  // namespace gotorch
