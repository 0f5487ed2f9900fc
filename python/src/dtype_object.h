#pragma once
// The Python types dtype, device and Size.
#include <Python.h>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace gotorch::python {

// Borrowed: there is one object for each dtype.
PyObject* dtype_object(Dtype d);
// A dtype, or one of Python's float, int and bool.
bool to_dtype(PyObject* o, Dtype& out);

// A new gotorch.Size, which is a tuple.
PyObject* make_size(Dims shape);

void bind_dtypes(PyObject* module);
void bind_size(PyObject* module);

}  // namespace gotorch::python
