#pragma once
// Python values to C++ values and back. The to_* functions return false, without a Python error, if the object is
// not of that kind; a number that does not fit raises.
#include <Python.h>

#include "tensor/tensor.h"

namespace gotorch::python {

// The classes of NumPy, if the program has imported it; null otherwise.
PyTypeObject* numpy_array_type();
PyTypeObject* numpy_scalar_type();

// bool, int, float, a NumPy scalar, or a 0-d tensor that needs no gradient.
bool to_scalar(PyObject* o, Scalar& out);
// As above, without tensors: what arithmetic takes beside a tensor.
bool to_number(PyObject* o, Scalar& out);
// An integer, NumPy's included, or an integer tensor of one element. No bool.
bool to_int(PyObject* o, int64_t& out);
bool to_bool(PyObject* o, bool& out);
bool to_dims(PyObject* o, DimVector& out, bool with_none = false);

PyObject* from_scalar(Scalar s);
// A tuple.
PyObject* from_dims(Dims d);

}  // namespace gotorch::python
