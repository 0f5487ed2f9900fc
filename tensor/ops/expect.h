#pragma once
// What ops ask of an argument, said in one way: "expected grad of shape [2, 3], got [3]".
#include "tensor/tensor.h"

namespace gotorch::ops {

inline void expect_shape(const char* name, const Tensor& t, Dims wanted) {
  check(same(t.shape(), wanted), "expected ", name, " of shape ", wanted, ", got ", t.shape());
}

inline void expect_dtype(const char* name, const Tensor& t, Dtype wanted) {
  check(t.dtype() == wanted, "expected ", name, " of dtype ", wanted, ", got ", t.dtype());
}

}  // namespace gotorch::ops
