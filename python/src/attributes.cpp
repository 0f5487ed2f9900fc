// Attributes and methods of Tensor that are not ops: shape, dtype, item(), stride(), ...
#include "python/src/bind.h"
#include "python/src/convert.h"
#include "python/src/dtype_object.h"
#include "python/src/errors.h"
#include "python/src/export.h"
#include "python/src/overload.h"
#include "python/src/tensor_object.h"
#include "python/src/tensor_slots.h"

namespace gotorch::python {
namespace {

PyObject* new_reference(PyObject* o) {
  Py_INCREF(o);
  return o;
}

PyObject* shape(PyObject* self, void*) { return make_size(unwrap(self).shape()); }
PyObject* dtype(PyObject* self, void*) { return new_reference(dtype_object(unwrap(self).dtype())); }
PyObject* device(PyObject*, void*) { return new_reference(cpu_device); }
PyObject* ndim(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).dim()); }
PyObject* itemsize(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).item_size()); }
PyObject* nbytes(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).bytes()); }
PyObject* version(PyObject* self, void*) {
  return guarded([&] { return PyLong_FromLong(static_cast<long>(unwrap(self).version())); });
}
PyObject* always_false(PyObject*, void*) { Py_RETURN_FALSE; }

// size() or size(dim), stride() or stride(dim).
PyObject* dims_or_one(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names,
                      bool strides) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
    check<TypeError>(n + keywords <= 1, strides ? "stride" : "size",
                     "() takes at most one argument");
    if (n + keywords == 0 || args[0] == Py_None)
      return strides ? from_dims(t.strides()) : make_size(t.shape());
    int64_t dim;
    check<TypeError>(to_int(args[0], dim), strides ? "stride" : "size",
                     "(): argument 'dim' must be int, not ", Py_TYPE(args[0])->tp_name);
    const Dims dims = strides ? t.strides() : t.shape();
    return PyLong_FromLongLong(dims[static_cast<size_t>(wrap_dim(dim, t.dim()))]);
  });
}
PyObject* size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return dims_or_one(self, args, n, names, false);
}
PyObject* stride(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return dims_or_one(self, args, n, names, true);
}

PyObject* dim(PyObject* self, PyObject*) { return ndim(self, nullptr); }
PyObject* numel(PyObject* self, PyObject*) { return PyLong_FromLongLong(unwrap(self).numel()); }
PyObject* element_size(PyObject* self, PyObject*) { return itemsize(self, nullptr); }
PyObject* storage_offset(PyObject* self, PyObject*) {
  return PyLong_FromLongLong(unwrap(self).offset());
}
PyObject* data_ptr(PyObject* self, PyObject*) {
  return guarded([&] { return PyLong_FromVoidPtr(shared_data(unwrap(self))); });
}
PyObject* item(PyObject* self, PyObject*) {
  return guarded([&] { return from_scalar(unwrap(self).item_scalar()); });
}
PyObject* is_floating_point(PyObject* self, PyObject*) {
  return PyBool_FromLong(unwrap(self).is_floating());
}
PyObject* is_complex(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyObject* is_signed(PyObject* self, PyObject*) {
  const Dtype d = unwrap(self).dtype();
  return PyBool_FromLong(d != Dtype::UInt8 && d != Dtype::Bool);
}
PyObject* is_inference(PyObject* self, PyObject*) {
  return PyBool_FromLong(unwrap(self)->inference);
}
PyObject* get_device(PyObject*, PyObject*) { return PyLong_FromLong(-1); }
PyObject* says_no(PyObject*, PyObject*) { Py_RETURN_FALSE; }

PyObject* is_contiguous(PyObject* self, PyObject* const*, Py_ssize_t, PyObject*) {
  return PyBool_FromLong(unwrap(self).is_contiguous());
}
PyObject* is_set_to(PyObject* self, PyObject* other) {
  return guarded([&]() -> PyObject* {
    check<TypeError>(is_tensor(other), "is_set_to() takes a Tensor");
    const Tensor &a = unwrap(self), &b = unwrap(other);
    return PyBool_FromLong(a.storage() == b.storage() && a.offset() == b.offset() &&
                           same(a.shape(), b.shape()) && same(a.strides(), b.strides()));
  });
}

// Nested lists of the elements from dimension `d` on. With `edge` >= 0, of more than 2 * edge entries only the first
// and last `edge` are listed, with Ellipsis between them.
PyObject* nested(const Tensor& t, const std::byte* at, size_t d, int64_t edge) {
  if (d == t.shape().size()) return from_scalar(load_scalar(at, t.dtype()));
  const int64_t n = t.shape()[d], step = t.strides()[d] * t.item_size();
  const bool cut = edge >= 0 && n > 2 * edge;
  const int64_t listed = cut ? 2 * edge + 1 : n;
  Owned list(expect(PyList_New(listed)));
  for (int64_t k = 0; k < listed; k++) {
    const int64_t i = !cut || k < edge ? k : n - listed + k;
    PyObject* item =
        cut && k == edge ? new_reference(Py_Ellipsis) : nested(t, at + i * step, d + 1, edge);
    PyList_SET_ITEM(list.get(), k, expect(item));
  }
  return list.leak();
}

PyObject* tolist(PyObject* self, PyObject*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    return nested(t, static_cast<const std::byte*>(t.raw()), 0, -1);
  });
}
PyObject* edges(PyObject* self, PyObject* edge) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    int64_t n;
    check<TypeError>(to_int(edge, n), "_edges() takes an integer");
    return nested(t, static_cast<const std::byte*>(t.raw()), 0, n);
  });
}

PyMethodDef methods[] = {
    {"size", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(size)),
     METH_FASTCALL | METH_KEYWORDS, "size(dim=None): the shape, or one of its sizes."},
    {"stride", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(stride)),
     METH_FASTCALL | METH_KEYWORDS,
     "stride(dim=None): the steps, in elements, from one index of each dimension to the next."},
    {"is_contiguous", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(is_contiguous)),
     METH_FASTCALL | METH_KEYWORDS,
     "True if the elements lie in memory in the order of their indices."},
    {"dim", dim, METH_NOARGS, "The number of dimensions."},
    {"ndimension", dim, METH_NOARGS, "The number of dimensions."},
    {"numel", numel, METH_NOARGS, "The number of elements."},
    {"nelement", numel, METH_NOARGS, "The number of elements."},
    {"element_size", element_size, METH_NOARGS, "The bytes of one element."},
    {"storage_offset", storage_offset, METH_NOARGS,
     "Where the first element lies in the storage, in elements."},
    {"data_ptr", data_ptr, METH_NOARGS, "The address of the first element."},
    {"item", item, METH_NOARGS, "The only element as a Python number."},
    {"tolist", tolist, METH_NOARGS, "The elements as nested lists of Python numbers."},
    {"_edges", edges, METH_O, "tolist(), cut in the middle of long dimensions: for repr()."},
    {"is_floating_point", is_floating_point, METH_NOARGS, nullptr},
    {"is_complex", is_complex, METH_NOARGS, nullptr},
    {"is_signed", is_signed, METH_NOARGS, nullptr},
    {"is_set_to", is_set_to, METH_O, "True if both are the same view of the same memory."},
    {"is_pinned", says_no, METH_NOARGS, nullptr},
    {"is_shared", says_no, METH_NOARGS, nullptr},
    {"is_conj", says_no, METH_NOARGS, nullptr},
    {"is_neg", says_no, METH_NOARGS, nullptr},
    {"is_inference", is_inference, METH_NOARGS, "True if this was made in inference mode."},
    {"get_device", get_device, METH_NOARGS, nullptr},
    {}};

PyGetSetDef properties[] = {
    {"shape", shape, nullptr, "The sizes of the dimensions, as a torch.Size.", nullptr},
    {"dtype", dtype, nullptr, nullptr, nullptr},
    {"device", device, nullptr, nullptr, nullptr},
    {"ndim", ndim, nullptr, "The number of dimensions.", nullptr},
    {"itemsize", itemsize, nullptr, "The bytes of one element.", nullptr},
    {"nbytes", nbytes, nullptr, "The bytes of all elements.", nullptr},
    {"_version", version, nullptr, "Counts the writes to the memory.", nullptr},
    {"is_cuda", always_false, nullptr, nullptr, nullptr},
    {"is_mps", always_false, nullptr, nullptr, nullptr},
    {"is_xpu", always_false, nullptr, nullptr, nullptr},
    {"is_meta", always_false, nullptr, nullptr, nullptr},
    {"is_sparse", always_false, nullptr, nullptr, nullptr},
    {"is_sparse_csr", always_false, nullptr, nullptr, nullptr},
    {"is_quantized", always_false, nullptr, nullptr, nullptr},
    {"is_mkldnn", always_false, nullptr, nullptr, nullptr},
    {"is_nested", always_false, nullptr, nullptr, nullptr},
    {}};

}  // namespace

void add_method(PyMethodDef& method) {
  const Owned descriptor(expect(PyDescr_NewMethod(tensor_type, &method)));
  expect(PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type), method.ml_name,
                                descriptor.get()));
}

void add_property(PyGetSetDef& property) {
  const Owned descriptor(expect(PyDescr_NewGetSet(tensor_type, &property)));
  expect(PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type), property.name,
                                descriptor.get()));
}

void add_attributes() {
  for (PyMethodDef* m = methods; m->ml_name; m++) add_method(*m);
  for (PyGetSetDef* g = properties; g->name; g++) add_property(*g);
}

}  // namespace gotorch::python
