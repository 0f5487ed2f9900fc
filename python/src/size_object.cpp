// gotorch.Size: the tuple that `shape` and `size()` return.
#include <string>

#include "python/src/convert.h"
#include "python/src/dtype_object.h"
#include "python/src/errors.h"
#include "tensor/error.h"

namespace gotorch::python {
namespace {

PyTypeObject* size_type = nullptr;

// A tuple as a Size; steals the reference.
PyObject* as_size(PyObject* tuple) {
  if (!tuple || !PyTuple_CheckExact(tuple)) return tuple;
  const Owned owned(tuple);
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* size = size_type->tp_alloc(size_type, n);
  if (!size) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    Py_INCREF(item);
    PyTuple_SET_ITEM(size, i, item);
  }
  return size;
}

PyObject* create(PyTypeObject*, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* values = nullptr;
    if (!PyArg_ParseTuple(args, "|O:Size", &values)) return nullptr;
    if (!values) return make_size({});
    const Owned list(expect(PySequence_List(values)));
    DimVector dims;
    check<TypeError>(to_dims(list.get(), dims), "torch.Size() takes an iterable of integers");
    return make_size(dims);
  });
}

PyObject* repr(PyObject* self) {
  std::string text = "torch.Size([";
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); i++) {
    const Owned item(PyObject_Repr(PyTuple_GET_ITEM(self, i)));
    if (!item.get()) return nullptr;
    if (i) text += ", ";
    text += PyUnicode_AsUTF8(item.get());
  }
  text += "])";
  return PyUnicode_FromString(text.c_str());
}

PyObject* numel(PyObject* self, PyObject*) {
  return guarded([&] {
    DimVector dims;
    to_dims(self, dims);
    return PyLong_FromLongLong(numel_of(dims));
  });
}

PyObject* reduce(PyObject* self, PyObject*) {
  const Owned list(PySequence_List(self));
  return list.get() ? Py_BuildValue("O(O)", size_type, list.get()) : nullptr;
}

// Slices, sums and repetitions of a Size are Sizes again.
PyObject* subscript(PyObject* self, PyObject* key) {
  return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(self, key));
}
PyObject* concat(PyObject* a, PyObject* b) {
  // Of one of no elements the tuple itself may come back.
  return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}
PyObject* repeat(PyObject* self, Py_ssize_t n) {
  return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(self, n));
}

PyMethodDef methods[] = {{"numel", numel, METH_NOARGS, "The product of the sizes."},
                         {"__reduce__", reduce, METH_NOARGS, nullptr},
                         {}};
PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(create)},
                       {Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_methods, methods},
                       {Py_mp_subscript, reinterpret_cast<void*>(subscript)},
                       {Py_sq_concat, reinterpret_cast<void*>(concat)},
                       {Py_sq_repeat, reinterpret_cast<void*>(repeat)},
                       {0, nullptr}};
// Sizes 0: those of tuple.
PyType_Spec spec{"gotorch.Size", 0, 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

PyObject* make_size(Dims shape) {
  PyObject* size = size_type->tp_alloc(size_type, static_cast<Py_ssize_t>(shape.size()));
  if (!size) return nullptr;
  for (size_t i = 0; i < shape.size(); i++)
    PyTuple_SET_ITEM(size, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
  return size;
}

void bind_size(PyObject* module) {
  const Owned bases(expect(PyTuple_Pack(1, &PyTuple_Type)));
  size_type = reinterpret_cast<PyTypeObject*>(expect(PyType_FromSpecWithBases(&spec, bases.get())));
  expect(PyObject_SetAttrString(module, "Size", reinterpret_cast<PyObject*>(size_type)));
}

}  // namespace gotorch::python
