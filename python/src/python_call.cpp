#include "python/src/python_call.h"

#include "python/src/casters.h"
#include "python/src/gil.h"

namespace gotorch::python {

namespace py = pybind11;

std::shared_ptr<PyObject> hold(py::object o) {
  return std::shared_ptr<PyObject>(o.release().ptr(), &release);
}

TensorHook tensor_hook(const py::object& callable) {
  return [held = hold(callable)](const Tensor& g) -> Tensor {
    const Locked gil;
    const py::object result = py::handle(held.get())(g);
    if (result.is_none()) return {};
    check<TypeError>(is_tensor(result.ptr()), "a gradient hook must return a Tensor or None, got ",
                     Py_TYPE(result.ptr())->tp_name);
    return unwrap(result.ptr());
  };
}

TensorHook after_hook(const py::object& callable) {
  return [held = hold(callable)](const Tensor& leaf) -> Tensor {
    const Locked gil;
    py::handle(held.get())(leaf);
    return {};
  };
}

}  // namespace gotorch::python
