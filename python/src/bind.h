#pragma once
// The parts of the extension module. Each bind_* adds its classes and functions.
#include <pybind11/pybind11.h>

#include "python/src/create.h"
#include "python/src/dtype_object.h"
#include "python/src/errors.h"
#include "python/src/op_object.h"
#include "python/src/tensor_object.h"

namespace gotorch::python {

void bind_tensor(PyObject* module);
// Adds to Tensor.
void add_method(PyMethodDef& method);
void add_property(PyGetSetDef& property);

void bind_autograd(pybind11::module_& m);
void bind_grad_mode(pybind11::module_& m);
void bind_function(pybind11::module_& m);
void bind_dlpack(pybind11::module_& m);
void bind_generator(pybind11::module_& m);
void bind_table(pybind11::module_& m);
void bind_to(pybind11::module_& m);
void bind_layers(pybind11::module_& m);
void bind_optim(pybind11::module_& m);
void bind_runtime(pybind11::module_& m);
void bind_observe(pybind11::module_& m);
void bind_profile(pybind11::module_& m);
void bind_contexts(pybind11::module_& m);
void bind_times(pybind11::module_& m);
void bind_channels(pybind11::module_& m);
void bind_select(pybind11::module_& m);
void bind_awaiting(pybind11::module_& m);
void bind_data(pybind11::module_& m);
void bind_files(pybind11::module_& m);

}  // namespace gotorch::python
