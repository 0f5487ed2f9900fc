#pragma once
// Type promotion: PyTorch's rules. Tensors with dimensions decide within a category, 0-d tensors and numbers only
// raise the category.
#include <span>

#include "tensor/pending.h"

namespace gotorch {

Dtype default_dtype();
void set_default_dtype(Dtype d);  // float32 or float64; TypeError otherwise

// The smallest dtype that holds both.
Dtype promote(Dtype a, Dtype b);
// True if a value of dtype `from` may be written to a tensor of dtype `to` by an in-place op or `out=`.
bool can_cast(Dtype from, Dtype to);

class Promotion {
 public:
  void add(const Tensor& t) { add(t.dtype(), t.dim() > 0 ? 0 : 1); }
  void add(Scalar s);
  void add(const Operand& o) { o.tensor.defined() ? add(o.tensor) : add(o.scalar); }
  Dtype result() const;

 private:
  void add(Dtype d, int rank);
  // By rank: tensors with dims, 0-d tensors, numbers. -1: none seen.
  int seen_[3] = {-1, -1, -1};
};

}  // namespace gotorch
