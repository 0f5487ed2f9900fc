// len(x), iter(x), x[index], x[index] = value.
#include "tensor/indexing.h"

#include "python/src/convert.h"
#include "python/src/create.h"
#include "python/src/errors.h"
#include "python/src/tensor_object.h"
#include "python/src/tensor_slots.h"

namespace gotorch::python {
namespace {

using Indices = SmallVector<Index, 4>;

// A bound of a slice: None, an integer, or a tensor of one.
std::optional<int64_t> bound(PyObject* o) {
  if (o == Py_None) return std::nullopt;
  int64_t value;
  if (to_int(o, value)) return value;
  const Owned index(expect(PyNumber_Index(o)));
  value = PyLong_AsLongLong(index.get());
  if (value == -1 && PyErr_Occurred()) throw PythonError();
  return value;
}

Index slice(PyObject* o) {
  auto* s = reinterpret_cast<PySliceObject*>(o);
  const int64_t step = bound(s->step).value_or(1);
  check<ValueError>(step > 0, "step must be greater than zero, got ", step);
  return Index::slice(bound(s->start), bound(s->stop), step);
}

Index one(PyObject* o) {
  if (PyBool_Check(o)) return Index(o == Py_True);
  if (PyLong_CheckExact(o)) {
    const int64_t i = PyLong_AsLongLong(o);
    if (i == -1 && PyErr_Occurred()) throw PythonError();
    return Index(i);
  }
  if (PySlice_Check(o)) return slice(o);
  if (o == Py_Ellipsis) return Index::ellipsis();
  if (o == Py_None) return Index::new_axis();
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    // A 0-d integer tensor is an integer: the result is a view.
    if (t.dim() == 0 && category(t.dtype()) == Category::Integer) return Index(t.item<int64_t>());
    return Index(t);
  }
  PyTypeObject* array = numpy_array_type();
  if (PyList_Check(o) || PyTuple_Check(o) || (array && PyObject_TypeCheck(o, array))) {
    // An empty list selects nothing.
    const Tensor t = tensor_from(
        "index", o, PySequence_Size(o) == 0 ? std::optional(Dtype::Int64) : std::nullopt);
    return Index(t);
  }
  int64_t i;
  if (to_int(o, i)) return Index(i);
  if (PyIndex_Check(o)) return Index(bound(o).value());
  fail<IndexError>(
      "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
      "indices (got ",
      Py_TYPE(o)->tp_name, ")");
}

Indices indices_of(PyObject* key) {
  Indices out;
  if (!PyTuple_Check(key)) {
    out.push_back(one(key));
    return out;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); i++)
    out.push_back(one(PyTuple_GET_ITEM(key, i)));
  return out;
}

Py_ssize_t length(PyObject* self) {
  return guarded_int([&]() -> Py_ssize_t {
    check<TypeError>(unwrap(self).dim() > 0, "len() of a 0-d tensor");
    return unwrap(self).size(0);
  });
}

PyObject* get_item(PyObject* self, PyObject* key) {
  return guarded([&] { return wrap(get_index(unwrap(self), indices_of(key))); });
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    check<TypeError>(value != nullptr, "Tensor does not support deleting items");
    const Tensor& t = unwrap(self);
    const Indices indices = indices_of(key);
    Scalar number;
    if (is_tensor(value)) set_index(t, indices, Operand(unwrap(value)));
    else if (to_number(value, number)) set_index(t, indices, Operand(number));
    else set_index(t, indices, Operand(tensor_from("index", value, t.dtype())));
    return 0;
  });
}

}  // namespace

void add_sequence_slots(std::vector<PyType_Slot>& slots) {
  slots.push_back({Py_mp_length, reinterpret_cast<void*>(length)});
  slots.push_back({Py_mp_subscript, reinterpret_cast<void*>(get_item)});
  slots.push_back({Py_mp_ass_subscript, reinterpret_cast<void*>(set_item)});
}

}  // namespace gotorch::python
