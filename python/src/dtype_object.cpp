#include "python/src/dtype_object.h"

#include <string>

#include "python/src/errors.h"
#include "tensor/error.h"

namespace gotorch::python {
namespace {

struct DtypeObject {
  PyObject_HEAD Dtype dtype;
};

PyTypeObject* dtype_type = nullptr;
PyObject* objects[kDtypes];

Dtype dtype_in(PyObject* self) { return reinterpret_cast<DtypeObject*>(self)->dtype; }

PyObject* repr(PyObject* self) {
  const std::string text = "torch." + std::string(name(dtype_in(self)));
  return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

// Pickled and copied by its name in the package.
PyObject* reduce(PyObject* self, PyObject*) {
  const std::string_view text = name(dtype_in(self));
  return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

PyObject* is_floating_point(PyObject* self, void*) {
  return PyBool_FromLong(is_floating(dtype_in(self)));
}
PyObject* is_complex(PyObject*, void*) { return PyBool_FromLong(false); }
PyObject* is_signed(PyObject* self, void*) {
  return PyBool_FromLong(dtype_in(self) != Dtype::UInt8 && dtype_in(self) != Dtype::Bool);
}
PyObject* itemsize(PyObject* self, void*) { return PyLong_FromLongLong(size_of(dtype_in(self))); }

PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr}, {}};
PyGetSetDef attributes[] = {{"is_floating_point", is_floating_point, nullptr, nullptr, nullptr},
                            {"is_complex", is_complex, nullptr, nullptr, nullptr},
                            {"is_signed", is_signed, nullptr, nullptr, nullptr},
                            {"itemsize", itemsize, nullptr, nullptr, nullptr},
                            {}};
PyType_Slot slots[] = {{Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, attributes},
                       {0, nullptr}};
PyType_Spec spec{"gotorch.dtype", sizeof(DtypeObject), 0, Py_TPFLAGS_DEFAULT, slots};

constexpr std::pair<const char*, Dtype> kOtherNames[] = {
    {"half", Dtype::Half},   {"float", Dtype::Float}, {"double", Dtype::Double},
    {"short", Dtype::Int16}, {"int", Dtype::Int32},   {"long", Dtype::Int64}};

}  // namespace

PyObject* dtype_object(Dtype d) { return objects[static_cast<int>(d)]; }

bool to_dtype(PyObject* o, Dtype& out) {
  if (Py_TYPE(o) == dtype_type) out = dtype_in(o);
  else if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) out = Dtype::Double;
  else if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) out = Dtype::Int64;
  else if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) out = Dtype::Bool;
  else return false;
  return true;
}

void bind_dtypes(PyObject* module) {
  dtype_type = reinterpret_cast<PyTypeObject*>(expect(PyType_FromSpec(&spec)));
  dtype_type->tp_new = nullptr;
  expect(PyObject_SetAttrString(module, "dtype", reinterpret_cast<PyObject*>(dtype_type)));
  for (int i = 0; i < kDtypes; i++) {
    auto* object = expect(dtype_type->tp_alloc(dtype_type, 0));
    reinterpret_cast<DtypeObject*>(object)->dtype = static_cast<Dtype>(i);
    objects[i] = object;
    expect(
        PyObject_SetAttrString(module, std::string(name(static_cast<Dtype>(i))).c_str(), object));
  }
  for (const auto& [name, dtype] : kOtherNames)
    expect(PyObject_SetAttrString(module, name, dtype_object(dtype)));
}

}  // namespace gotorch::python
