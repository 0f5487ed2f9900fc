#pragma once
// Memory shared with others: NumPy and everything with Python's buffer protocol.
#include <Python.h>

#include <vector>

#include "tensor/tensor.h"

namespace gotorch::python {

// The first element, for someone who may read and write it at any time from now on.
void* shared_data(const Tensor& t);

// A tensor on the memory of an object with the buffer protocol. False, without an error, if it has none.
// TypeError for elements that are no dtype of ours, ValueError for layouts that no tensor can have.
bool from_buffer(PyObject* o, Tensor& out);

// What Tensor itself exports.
PyBufferProcs* tensor_buffer_procs();

}  // namespace gotorch::python
