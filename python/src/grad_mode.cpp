// no_grad, enable_grad, set_grad_enabled and inference_mode: contexts, and decorators of functions.
#include "grad/mode.h"

#include "python/src/bind.h"
#include "python/src/convert.h"

namespace gotorch::python {
namespace {

struct ModeObject {
  PyObject_HEAD GradMode wanted, before;
  bool applied;  // set_grad_enabled changes the mode when it is made, not when it is entered
};

ModeObject* cast(PyObject* o) { return reinterpret_cast<ModeObject*>(o); }

enum class Kind { NoGrad, EnableGrad, SetGradEnabled, Inference };

PyObject* decorate = nullptr;  // set by the package

PyObject* decorated(PyObject* self, PyObject* function) {
  if (!decorate) {
    PyErr_SetString(PyExc_RuntimeError, "gotorch is not imported completely");
    return nullptr;
  }
  return PyObject_CallFunctionObjArgs(decorate, self, function, nullptr);
}

// The mode that a context of this kind asks for.
GradMode mode_of(Kind kind, bool flag) {
  const GradMode now = grad_mode();
  switch (kind) {
    case Kind::NoGrad: return {false, now.inference};
    case Kind::EnableGrad: return {true, now.inference};
    case Kind::SetGradEnabled: return {flag, now.inference};
    default: return {!flag, flag};
  }
}

// The first argument, by position or by either name; true if there is none.
bool flag_of(PyObject* argument) {
  bool flag = true;
  check<TypeError>(!argument || to_bool(argument, flag), "the mode must be a bool, got ",
                   argument ? Py_TYPE(argument)->tp_name : "");
  return flag;
}

template <Kind kind>
PyObject* create(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    PyObject* first = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : nullptr;
    if (!first && keywords) first = PyDict_GetItemString(keywords, "mode");
    PyObject* function = first && PyCallable_Check(first) ? first : nullptr;
    constexpr bool takes_flag = kind == Kind::SetGradEnabled || kind == Kind::Inference;
    check<TypeError>(takes_flag || !first || function, "this context takes no argument");
    check<TypeError>(kind != Kind::SetGradEnabled || first, "set_grad_enabled() needs a mode");
    const Owned self(expect(type->tp_alloc(type, 0)));
    ModeObject* o = cast(self.get());
    o->before = grad_mode();
    o->wanted = mode_of(kind, takes_flag && !function ? flag_of(first) : true);
    o->applied = kind == Kind::SetGradEnabled;
    if (o->applied) grad_mode() = o->wanted;
    if (function) return decorated(self.get(), function);  // @no_grad without parentheses
    Py_INCREF(self.get());
    return self.get();
  });
}

PyObject* enter(PyObject* self, PyObject*) {
  ModeObject* o = cast(self);
  if (!std::exchange(o->applied, false)) o->before = grad_mode();
  grad_mode() = o->wanted;
  Py_RETURN_NONE;
}

PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t) {
  grad_mode() = cast(self)->before;
  Py_RETURN_NONE;
}

PyObject* call(PyObject* self, PyObject* args, PyObject*) {
  if (PyTuple_GET_SIZE(args) != 1 || !PyCallable_Check(PyTuple_GET_ITEM(args, 0))) {
    PyErr_SetString(PyExc_TypeError, "as a decorator, this takes one function");
    return nullptr;
  }
  if (std::exchange(cast(self)->applied, false)) grad_mode() = cast(self)->before;
  return decorated(self, PyTuple_GET_ITEM(args, 0));
}

// A fresh context that asks for the same: a decorated function may call itself.
PyObject* clone(PyObject* self, PyObject*) {
  PyObject* other = Py_TYPE(self)->tp_alloc(Py_TYPE(self), 0);
  if (!other) return nullptr;
  cast(other)->wanted = cast(self)->wanted;
  cast(other)->applied = false;
  return other;
}

PyMethodDef methods[] = {{"__enter__", enter, METH_NOARGS, nullptr},
                         {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(leave)),
                          METH_FASTCALL, nullptr},
                         {"clone", clone, METH_NOARGS, nullptr},
                         {}};

template <Kind kind>
void add_context(PyObject* module, const char* name, const char* full_name, const char* doc) {
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(create<kind>)},
                         {Py_tp_call, reinterpret_cast<void*>(call)},
                         {Py_tp_methods, methods},
                         {Py_tp_doc, const_cast<char*>(doc)},
                         {0, nullptr}};
  PyType_Spec spec{full_name, sizeof(ModeObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                   slots};
  const Owned type(expect(PyType_FromSpec(&spec)));
  expect(PyObject_SetAttrString(module, name, type.get()));
}

}  // namespace

void bind_grad_mode(pybind11::module_& m) {
  add_context<Kind::NoGrad>(m.ptr(), "no_grad", "gotorch.no_grad",
                            "Operations inside are not recorded for backward.");
  add_context<Kind::EnableGrad>(m.ptr(), "enable_grad", "gotorch.enable_grad",
                                "Operations inside are recorded, even within no_grad.");
  add_context<Kind::SetGradEnabled>(m.ptr(), "set_grad_enabled", "gotorch.set_grad_enabled",
                                    "Turns recording on or off: from now on, or as a context.");
  add_context<Kind::Inference>(m.ptr(), "inference_mode", "gotorch.inference_mode",
                               "As no_grad; tensors made inside can never take part in backward.");
  m.def("is_grad_enabled", [] { return grad_mode().enabled; });
  m.def("is_inference_mode_enabled", [] { return grad_mode().inference; });
  m.def("_set_decorator", [](pybind11::object f) { decorate = f.release().ptr(); });
}

}  // namespace gotorch::python
