#pragma once
// Python callables held by C++ objects, which may end on any thread.
#include <pybind11/pybind11.h>

#include <memory>

#include "grad/node.h"

namespace gotorch::python {

// Shared ownership of a Python object; whoever lets go last takes the GIL.
std::shared_ptr<PyObject> hold(pybind11::object o);
// The callable as a hook: gets the gradient; None leaves it as it is.
TensorHook tensor_hook(const pybind11::object& callable);
// As a hook whose result is ignored.
TensorHook after_hook(const pybind11::object& callable);

}  // namespace gotorch::python
