// Tensor's autograd attributes and methods, backward, and the nodes of the graph.
#include "grad/autograd.h"

#include <pybind11/pybind11.h>

#include "grad/accumulate.h"
#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/gil.h"
#include "python/src/python_call.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// A node as Python sees it: equal to every other handle of the same node.
struct GraphNode {
  Ref<Node> node;
};

py::object node_object(const Ref<Node>& node) {
  if (!node) return py::none();
  return py::cast(GraphNode{node});
}

py::object grad_fn(const Tensor& t) {
  if (is_leaf(t)) return py::none();
  return node_object(gradient_edge(t).node);
}

py::tuple next_functions(const GraphNode& g) {
  py::tuple out(g.node->edges.size());
  for (size_t i = 0; i < out.size(); i++) {
    const Edge& e = g.node->edges[i];
    out[i] = py::make_tuple(node_object(e.node), e.slot);
  }
  return out;
}

py::object variable_of(const GraphNode& g) {
  if (!g.node->accumulates()) throw py::attribute_error("only AccumulateGrad has 'variable'");
  return py::cast(leaf_of(*g.node));
}

void run_backward(const Tensors& results, const py::sequence& gradients_given, bool keep,
                  bool create, const Tensors& inputs) {
  Tensors grads;
  for (py::handle g : gradients_given)
    grads.push_back(g.is_none() ? Tensor() : py::cast<Tensor>(g));
  const Unlocked unlocked;
  backward(results, grads, {.keep_graph = keep, .create_graph = create}, inputs);
}

Tensors run_gradients(const Tensors& results, const Tensors& inputs,
                      const py::sequence& gradients_given, bool keep, bool create,
                      bool allow_unused) {
  Tensors grads;
  for (py::handle g : gradients_given)
    grads.push_back(g.is_none() ? Tensor() : py::cast<Tensor>(g));
  const Unlocked unlocked;
  return gradients(results, inputs, grads, {.keep_graph = keep, .create_graph = create},
                   allow_unused);
}

uint64_t register_hook(const Tensor& t, const py::function& hook) {
  return add_hook(t, tensor_hook(hook), /*on_caller=*/true);
}

uint64_t register_after_hook(const Tensor& leaf, const py::function& hook) {
  return add_after_hook(leaf, after_hook(hook), /*on_caller=*/true);
}

py::object make_subclass(const py::type& type, const Tensor& data, bool requires_grad) {
  auto* as = reinterpret_cast<PyTypeObject*>(type.ptr());
  check<TypeError>(PyType_IsSubtype(as, tensor_type),
                   "_make_subclass() takes a subclass of Tensor, got ", as->tp_name);
  Tensor t = twin(data);
  set_requires_grad(t, requires_grad);
  return py::reinterpret_steal<py::object>(wrap_as(std::move(t), as));
}

void bind_nodes(py::module_& m) {
  py::class_<GraphNode>(m, "_GraphNode", "A step of the graph that backward walks.")
      .def("name", [](const GraphNode& g) { return g.node->name(); })
      .def_property_readonly("next_functions", &next_functions)
      .def_property_readonly("variable", &variable_of)
      .def("_sequence_nr", [](const GraphNode& g) { return g.node->sequence; })
      .def(
          "__eq__", [](const GraphNode& a, const GraphNode& b) { return a.node == b.node; },
          py::is_operator())
      .def("__hash__",
           [](const GraphNode& g) { return reinterpret_cast<size_t>(g.node.get()) >> 4; })
      .def("__repr__", [](const GraphNode& g) {
        return text("<", g.node->name(), " object at ", reinterpret_cast<size_t>(g.node.get()),
                    ">");
      });
}

PyObject* get_requires_grad(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(unwrap(self).requires_grad()); });
}
int put_requires_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    check<TypeError>(value && PyBool_Check(value), "requires_grad must be a bool");
    set_requires_grad(unwrap(self), value == Py_True);
    return 0;
  });
}
PyObject* get_grad(PyObject* self, void*) {
  return guarded([&] { return wrap(grad_of(unwrap(self))); });
}
int put_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    check<TypeError>(!value || value == Py_None || is_tensor(value),
                     "assigned grad must be a Tensor or None");
    set_grad(unwrap(self), value && value != Py_None ? unwrap(value) : Tensor());
    return 0;
  });
}
PyObject* get_data(PyObject* self, void*) {
  return guarded([&] { return wrap(data_of(unwrap(self))); });
}
int put_data(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    check<TypeError>(value && is_tensor(value), "data must be a Tensor");
    set_data(unwrap(self), unwrap(value));
    return 0;
  });
}
PyObject* get_is_leaf(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(is_leaf(unwrap(self))); });
}
PyObject* get_grad_fn(PyObject* self, void*) {
  return guarded([&] { return grad_fn(unwrap(self)).release().ptr(); });
}
PyObject* get_base(PyObject* self, void*) {
  return guarded([&] { return wrap(Tensor(unwrap(self)->base)); });
}
PyObject* detached(PyObject* self, PyObject*) {
  return guarded([&] { return wrap(detach(unwrap(self))); });
}

PyGetSetDef properties[] = {
    {"requires_grad", get_requires_grad, put_requires_grad,
     "True if backward computes a gradient of this.", nullptr},
    {"grad", get_grad, put_grad, "The gradient that backward has added up, or None.", nullptr},
    {"data", get_data, put_data,
     "The same memory without history; writes to it go unnoticed by autograd.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "True if this is not the result of a recorded operation.",
     nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The step that made this, or None.", nullptr},
    {"_base", get_base, nullptr, "Of a view: the tensor that it is a view of.", nullptr},
    {}};

PyMethodDef methods[] = {{"detach", detached, METH_NOARGS, "The same memory without history."}, {}};

}  // namespace

void bind_autograd(py::module_& m) {
  bind_nodes(m);
  for (PyGetSetDef* g = properties; g->name; g++) add_property(*g);
  for (PyMethodDef* d = methods; d->ml_name; d++) add_method(*d);
  m.def("_backward", &run_backward);
  m.def("_gradients", &run_gradients);
  m.def("_register_hook", &register_hook);
  m.def("_remove_hook", &remove_hook);
  m.def("_register_after_hook", &register_after_hook);
  m.def("_remove_after_hook", &remove_after_hook);
  m.def("_retain_grad", &retain_grad);
  m.def("_detach_inplace", &detach_inplace);
  m.def("_retains_grad",
        [](const Tensor& t) { return Autograd::of(t) && Autograd::of(t)->retained; });
  m.def("_output_nr", [](const Tensor& t) { return is_leaf(t) ? 0 : gradient_edge(t).slot; });
  m.def("_make_subclass", &make_subclass, py::arg("cls"), py::arg("data"),
        py::arg("require_grad") = false);
}

}  // namespace gotorch::python
