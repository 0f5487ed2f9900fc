#pragma once
// The Python type Tensor: a raw CPython type that holds the C++ handle, so wrapping one costs a few nanoseconds.
// The same C++ tensor gives the same Python object for as long as that object lives.
#include <Python.h>

#include "tensor/tensor.h"

namespace gotorch::python {

struct TensorObject {
  PyObject_HEAD Tensor tensor;
  PyObject* dict;
  PyObject* weakrefs;
};

extern PyTypeObject* tensor_type;

inline bool is_tensor(PyObject* o) {
  return Py_TYPE(o) == tensor_type || PyType_IsSubtype(Py_TYPE(o), tensor_type);
}
// `o` must be a Tensor.
inline const Tensor& unwrap(PyObject* o) { return reinterpret_cast<TensorObject*>(o)->tensor; }

// A new reference to the object of `t`; None if it is undefined. Null and a Python error if out of memory.
PyObject* wrap(Tensor t);
// An object of the given subclass for a tensor that has none yet.
PyObject* wrap_as(Tensor t, PyTypeObject* type);

// Creates the type. Its methods come from number.cpp, attributes.cpp and the op table.
PyTypeObject* make_tensor_type();

}  // namespace gotorch::python
