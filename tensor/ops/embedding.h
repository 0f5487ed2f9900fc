#pragma once
// What embedding and embedding_bag share.
#include "tensor/value.h"

namespace gotorch::ops {

// Contiguous, as int64; refuses other dtypes than int64 and int32.
Tensor table_indices(const Tensor& input);
// The row that never gets a gradient, from the front; -1: none.
int64_t padding_row(const Value& padding, int64_t rows);
// Scales the rows of weight that are named and longer than max_norm down to it, in place.
void renormalise(const Tensor& weight, const Tensor& index, double max_norm, double p);

}  // namespace gotorch::ops
