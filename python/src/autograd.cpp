// What Python sees of autograd.
#include <pybind11/pybind11.h>

#include "python/src/bind.h"
#include "python/src/casters.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

void set_requires_grad(const Tensor& t, bool requires_grad) {
  check(!requires_grad || t.is_floating(), "only tensors of floating point dtype can require gradients, got ", t.dtype());
  t->requires_grad = requires_grad;
}

py::object make_subclass(py::type type, const Tensor& data, bool requires_grad) {
  Tensor t = twin(data);
  set_requires_grad(t, requires_grad);
  auto* as = reinterpret_cast<PyTypeObject*>(type.ptr());
  check<TypeError>(PyType_IsSubtype(as, tensor_type), "_make_subclass() takes a subclass of Tensor, got ", as->tp_name);
  return py::reinterpret_steal<py::object>(wrap_as(std::move(t), as));
}

}  // namespace

void bind_autograd(py::module_&) {
  py::object tensor = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(tensor_type));
  auto property = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(&PyProperty_Type));
  auto method = [&](const char* name, auto f) { tensor.attr(name) = py::cpp_function(f, py::is_method(tensor), py::name(name)); };
  tensor.attr("requires_grad") = property(py::cpp_function([](const Tensor& t) { return t.requires_grad(); }),
                                          py::cpp_function(&set_requires_grad));
  tensor.attr("data") = property(py::cpp_function([](const Tensor& t) { return twin(t); }));
  tensor.attr("is_leaf") = property(py::cpp_function([](const Tensor&) { return true; }));
  tensor.attr("grad") = property(py::cpp_function([](const Tensor&) { return py::none(); }));
  tensor.attr("grad_fn") = property(py::cpp_function([](const Tensor&) { return py::none(); }));
  method("detach", [](const Tensor& t) { return twin(t); });
  tensor.attr("_make_subclass") =
      py::staticmethod(py::cpp_function(&make_subclass, py::arg("cls"), py::arg("data"), py::arg("require_grad") = false));
}

}  // namespace gotorch::python
