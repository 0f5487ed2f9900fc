#include "python/src/convert.h"

#include <cstring>

#include "python/src/errors.h"
#include "python/src/tensor_object.h"
#include "tensor/signature.h"

namespace gotorch::python {
namespace {

// A class of NumPy by name. NumPy is not imported for it: an object of its classes exists only once it is.
PyTypeObject* numpy_type(const char* name, PyTypeObject*& cached) {
  if (cached) return cached;
  PyObject* module = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy");
  PyObject* type = module ? PyObject_GetAttrString(module, name) : nullptr;
  if (!type) PyErr_Clear();
  else cached = reinterpret_cast<PyTypeObject*>(type);
  return cached;
}

bool is_numpy_scalar(PyObject* o) {
  PyTypeObject* type = numpy_scalar_type();
  return type && PyType_IsSubtype(Py_TYPE(o), type);
}

int64_t as_int64(PyObject* o) {
  int overflow = 0;
  const long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (overflow) PyErr_Format(PyExc_OverflowError, "the integer %R does not fit in 64 bits", o);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

// The value of an object with __index__; false if that refuses.
bool from_index(PyObject* o, int64_t& out) {
  PyObject* i = PyNumber_Index(o);
  if (!i) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw PythonError();
    PyErr_Clear();
    return false;
  }
  const Owned owned(i);
  out = as_int64(i);
  return true;
}

}  // namespace

PyTypeObject* numpy_array_type() {
  static PyTypeObject* type = nullptr;
  return numpy_type("ndarray", type);
}

PyTypeObject* numpy_scalar_type() {
  static PyTypeObject* type = nullptr;
  return numpy_type("generic", type);
}

bool to_number(PyObject* o, Scalar& out) {
  if (PyFloat_Check(o)) {
    out = Scalar(PyFloat_AS_DOUBLE(o));
    return true;
  }
  if (PyBool_Check(o)) {
    out = Scalar(o == Py_True);
    return true;
  }
  if (PyLong_Check(o)) {
    out = Scalar(as_int64(o));
    return true;
  }
  if (!is_numpy_scalar(o)) return false;
  if (bool b; to_bool(o, b)) {
    out = Scalar(b);
    return true;
  }
  if (int64_t i; PyIndex_Check(o) && from_index(o, i)) {
    out = Scalar(i);
    return true;
  }
  const double d = PyFloat_AsDouble(o);
  if (d == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  out = Scalar(d);
  return true;
}

bool to_scalar(PyObject* o, Scalar& out) {
  if (to_number(o, out)) return true;
  if (!is_tensor(o)) return false;
  const Tensor& t = unwrap(o);
  if (t.numel() != 1 || t.requires_grad()) return false;
  out = t.item_scalar();
  return true;
}

bool to_int(PyObject* o, int64_t& out) {
  if (PyLong_CheckExact(o)) {
    out = as_int64(o);
    return true;
  }
  return !PyBool_Check(o) && PyIndex_Check(o) && from_index(o, out);
}

bool to_bool(PyObject* o, bool& out) {
  if (!PyBool_Check(o) &&
      (!is_numpy_scalar(o) || std::strncmp(Py_TYPE(o)->tp_name, "numpy.bool", 10) != 0))
    return false;
  const int truth = PyObject_IsTrue(o);
  if (truth < 0) throw PythonError();
  out = truth;
  return true;
}

bool to_dims(PyObject* o, DimVector& out, bool with_none) {
  out.clear();
  if (int64_t i; to_int(o, i)) {
    out.push_back(i);
    return true;
  }
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); i++) {
    int64_t value = kNoInt;
    PyObject* item = PySequence_Fast_GET_ITEM(o, i);
    if (!(with_none && item == Py_None) && !to_int(item, value)) return false;
    out.push_back(value);
  }
  return true;
}

PyObject* from_scalar(Scalar s) {
  switch (s.category()) {
    case Category::Bool: return PyBool_FromLong(s.to<bool>());
    case Category::Integer: return PyLong_FromLongLong(s.to<int64_t>());
    default: return PyFloat_FromDouble(s.to<double>());
  }
}

PyObject* from_dims(Dims d) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(d.size()));
  if (!tuple) return nullptr;
  for (size_t i = 0; i < d.size(); i++)
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(d[i]));
  return tuple;
}

}  // namespace gotorch::python
