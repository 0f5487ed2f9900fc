#pragma once
#include <Python.h>

#include "tensor/op.h"

namespace gotorch::python {

// What an op returns, as PyTorch does: a Tensor, a bool, a tuple, a list, or a named tuple.
PyObject* from_results(const Op& op, Tensors&& results);
// The tuple class of an op with named results; null if it has none.
PyTypeObject* result_type(const Op& op);

}  // namespace gotorch::python
