#pragma once
#include <Python.h>

#include "tensor/value.h"

namespace gotorch::python {

bool to_generator(PyObject* o, Value& out);

}  // namespace gotorch::python
