#pragma once
// How a pointwise op runs: at once on small tensors, deferred on large ones, or into given memory.
#include "tensor/op.h"
#include "tensor/promote.h"

namespace gotorch {

Tensor call_pointwise(const Op& op, const Args& args);
// Writes to `out`. In place: the shape must fit. `out=`: `out` is resized to the result's shape.
void call_pointwise_into(const Op& op, const Args& args, const Tensor& out, bool inplace);
// Throws if a result of this dtype and shape cannot be written to `out`.
void check_output(const Tensor& out, Dtype result, Dims shape);
// Gives an `out=` tensor the shape of the result; its memory grows if it must.
void resize_output(const Tensor& out, Dims shape);

}  // namespace gotorch
