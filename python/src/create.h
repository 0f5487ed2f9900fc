#pragma once
#include <Python.h>

#include <optional>

#include "tensor/tensor.h"

namespace gotorch::python {

// A new tensor from a number, nested sequences, a NumPy array or a tensor. `op` is named in errors.
Tensor tensor_from(const char* op, PyObject* data, std::optional<Dtype> dtype);

void bind_create(PyObject* module);

}  // namespace gotorch::python
