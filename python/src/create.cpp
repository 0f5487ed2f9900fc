// torch.tensor, as_tensor, from_numpy, frombuffer, and Tensor(...).
#include "python/src/create.h"

#include <pybind11/pybind11.h>

#include "grad/autograd.h"
#include "python/src/casters.h"
#include "python/src/errors.h"
#include "python/src/export.h"
#include "python/src/gil.h"
#include "python/src/overload.h"
#include "python/src/tensor_slots.h"
#include "tensor/copy.h"
#include "tensor/promote.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

constexpr size_t kMaxDims = 128;

bool is_text(PyObject* o) { return PyUnicode_Check(o) || PyBytes_Check(o); }

bool is_sequence(PyObject* o) {
  if (is_text(o)) return false;
  return PyList_Check(o) || PyTuple_Check(o) || PySequence_Check(o);
}

bool is_numpy_array(PyObject* o) {
  return numpy_array_type() && PyObject_TypeCheck(o, numpy_array_type());
}
bool is_numpy_scalar(PyObject* o) {
  return numpy_scalar_type() && PyObject_TypeCheck(o, numpy_scalar_type());
}

// A tensor on the memory of a NumPy array or scalar.
Tensor share_numpy(PyObject* o) {
  if (is_numpy_array(o)) {
    Tensor out;
    check<TypeError>(from_buffer(o, out), "cannot read this NumPy array");
    return out;
  }
  const Owned array(expect(PyObject_CallMethod(o, "__array__", nullptr)));
  return share_numpy(array.get());
}

// Reads nested sequences: the shape follows the first elements, the dtype all of them.
class Reader {
 public:
  explicit Reader(const char* op) : op_(op) {}

  Tensor read(PyObject* data, std::optional<Dtype> dtype) {
    check<TypeError>(!is_text(data), op_, "(): invalid data type '", Py_TYPE(data)->tp_name, "'");
    measure(data);
    if (!dtype) infer(data, 0);
    const Dtype d = dtype ? *dtype : seen_ ? dtype_ : default_dtype();
    Tensor out = empty(shape_, d);
    dispatch(d, [&]<class T>() { fill(data, 0, out.data<T>()); });
    return out;
  }

 private:
  void measure(PyObject* o) {
    Owned holder;
    while (is_sequence(o) && !is_tensor(o) && !is_numpy_scalar(o)) {
      const Py_ssize_t n = PySequence_Size(o);
      expect(static_cast<int>(n < 0 ? -1 : 0));
      shape_.push_back(n);
      check<ValueError>(shape_.size() <= kMaxDims, op_, "(): too many dimensions in '",
                        Py_TYPE(o)->tp_name, "'");
      if (n == 0) return;
      Owned first(expect(PySequence_GetItem(o, 0)));
      check<ValueError>(first.get() != o, op_, "(): the data contains itself");
      holder = std::move(first);
      o = holder.get();
      check<ValueError>(!is_text(o), op_, "(): too many dimensions '", Py_TYPE(o)->tp_name, "'");
    }
  }

  void merge(Dtype d) {
    dtype_ = seen_ ? promote(dtype_, d) : d;
    seen_ = true;
  }

  Dtype element_dtype(PyObject* o) const {
    if (is_numpy_scalar(o)) return share_numpy(o).dtype();
    if (PyFloat_Check(o)) return default_dtype();
    if (PyBool_Check(o)) return Dtype::Bool;
    if (PyLong_Check(o)) return Dtype::Int64;
    check<TypeError>(!is_sequence(o), op_, "(): expected a number at depth ", shape_.size(),
                     ", got ", Py_TYPE(o)->tp_name);
    fail(op_, "(): could not infer dtype of ", Py_TYPE(o)->tp_name);
  }

  void infer(PyObject* o, size_t depth) {
    if (is_tensor(o)) return merge(unwrap(o).dtype());
    if (is_numpy_array(o)) return merge(share_numpy(o).dtype());
    if (depth == shape_.size() || !is_sequence(o)) return merge(element_dtype(o));
    const Owned fast(expect(PySequence_Fast(o, "not a sequence")));
    PyObject** items = PySequence_Fast_ITEMS(fast.get());
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast.get()); i++)
      infer(items[i], depth + 1);
  }

  // Writes what `o` holds and returns the place behind it.
  template <class T>
  T* fill(PyObject* o, size_t depth, T* to) {
    if (depth == shape_.size()) {
      *to = element<T>(o);
      return to + 1;
    }
    if (is_numpy_array(o)) return fill_array(o, depth, to);
    check<TypeError>(is_sequence(o), op_, "(): expected a sequence of length ", shape_[depth],
                     " at dim ", depth, ", got ", Py_TYPE(o)->tp_name);
    const Owned fast(expect(PySequence_Fast(o, "not a sequence")));
    check_length(PySequence_Fast_GET_SIZE(fast.get()), depth);
    PyObject** items = PySequence_Fast_ITEMS(fast.get());
    for (int64_t i = 0; i < shape_[depth]; i++) to = fill(items[i], depth + 1, to);
    return to;
  }

  template <class T>
  T* fill_array(PyObject* o, size_t depth, T* to) {
    const Tensor array = share_numpy(o);
    check_length(array.dim() ? array.size(0) : -1, depth);
    const Dims rest = Dims(shape_).subspan(depth);
    check<ValueError>(same(array.shape(), rest), op_, "(): expected an array of shape ", rest,
                      ", got ", array.shape());
    const Tensor copy = copy_of(array, dtype_of<T>());
    return std::copy_n(copy.data<T>(), copy.numel(), to);
  }

  void check_length(int64_t n, size_t depth) const {
    check<ValueError>(n == shape_[depth], op_, "(): expected sequence of length ", shape_[depth],
                      " at dim ", depth, " (got ", n, ")");
  }

  template <class T>
  T element(PyObject* o) const {
    if constexpr (std::is_floating_point_v<T>)
      if (PyFloat_CheckExact(o)) return static_cast<T>(PyFloat_AS_DOUBLE(o));
    Scalar s;
    if (is_tensor(o)) {
      check<ValueError>(unwrap(o).numel() == 1, op_,
                        "(): only one element tensors can be converted to Python scalars");
      s = unwrap(o).item_scalar();
    } else {
      check<TypeError>(to_number(o, s), op_, "(): '", Py_TYPE(o)->tp_name,
                       "' object is not a number");
    }
    if (!is_floating(dtype_of<T>())) check_fits(s, dtype_of<T>());
    return s.to<T>();
  }

  const char* op_;
  DimVector shape_;
  Dtype dtype_ = Dtype::Bool;
  bool seen_ = false;
};

Tensor tensor(py::object data, std::optional<Dtype> dtype, py::object device, bool requires_grad,
              bool pin_memory) {
  check_device(device.ptr());
  check(!pin_memory, "tensor(): there is no pinned memory on the CPU");
  Tensor out = tensor_from("tensor", data.ptr(), dtype);
  if (requires_grad) set_requires_grad(out, true);
  return out;
}

Tensor from_numpy(py::object array) {
  check<TypeError>(is_numpy_array(array.ptr()), "from_numpy(): expected np.ndarray (got ",
                   Py_TYPE(array.ptr())->tp_name, ")");
  return share_numpy(array.ptr());
}

// The data itself where possible: the given tensor, or one on the memory of a NumPy array.
Tensor shared_or_new(const char* op, PyObject* data, std::optional<Dtype> dtype) {
  Tensor out;
  if (is_tensor(data)) out = unwrap(data);
  else if (is_numpy_array(data)) out = share_numpy(data);
  else return tensor_from(op, data, dtype);
  return !dtype || *dtype == out.dtype() ? out : copy_of(out, *dtype);
}

Tensor as_tensor(py::object data, std::optional<Dtype> dtype, py::object device) {
  check_device(device.ptr());
  return shared_or_new("as_tensor", data.ptr(), dtype);
}

Tensor frombuffer(py::object buffer, Dtype dtype, int64_t count, int64_t offset,
                  bool requires_grad) {
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(buffer.ptr(), view.get(), PyBUF_SIMPLE) != 0) throw PythonError();
  const int64_t bytes = view->len, size = size_of(dtype);
  auto* data = static_cast<std::byte*>(view->buf);
  const bool writable = !view->readonly;
  auto release = [v = view.release()] {
    const Locked gil;
    PyBuffer_Release(v);
    delete v;
  };
  Ref<Storage> storage = Storage::borrow(data, static_cast<size_t>(bytes), release, writable);
  storage->share_outside();
  check<ValueError>(bytes > 0 && count != 0, "frombuffer(): both the buffer length (", bytes,
                    ") and count (", count, ") must not be 0");
  check<ValueError>(offset >= 0 && offset < bytes, "frombuffer(): offset (", offset,
                    " bytes) must be in [0, ", bytes, ")");
  check<ValueError>(count > 0 || (bytes - offset) % size == 0, "frombuffer(): the buffer's ",
                    bytes - offset, " bytes after the offset are no multiple of the element size (",
                    size, ")");
  const int64_t n = count < 0 ? (bytes - offset) / size : count;
  check<ValueError>(n <= (bytes - offset) / size, "frombuffer(): ", n, " elements of ", size,
                    " bytes do not fit in the ", bytes - offset, " bytes after the offset");
  // The elements start at any byte, so the tensor gets a storage of its own that begins there.
  auto keep = [storage] {};
  Ref<Storage> part =
      Storage::borrow(data + offset, static_cast<size_t>(bytes - offset), keep, writable);
  part->share_outside();
  const int64_t one = 1;
  Tensor out = make_view(std::move(part), dtype, Dims(&n, 1), Dims(&one, 1), 0);
  if (requires_grad) set_requires_grad(out, true);
  return out;
}

py::bytes to_bytes(const Tensor& t) {
  const Tensor c = packed(t);
  return py::bytes(static_cast<const char*>(c.raw()), static_cast<size_t>(c.bytes()));
}

Tensor from_bytes(const py::bytes& content, Dtype dtype, const DimVector& shape) {
  Tensor out = empty(shape, dtype);
  const std::string_view data(content);
  check<ValueError>(static_cast<int64_t>(data.size()) == out.bytes(), "a tensor of ", dtype,
                    " and shape ", out.shape(), " has ", out.bytes(), " bytes, got ", data.size());
  std::copy(data.begin(), data.end(), static_cast<char*>(out.raw()));
  return out;
}

// Tensor(), Tensor(2, 3), Tensor(data): of the default dtype, uninitialised if only sizes are given.
Tensor legacy(PyObject* args, Dtype dtype) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  PyObject* first = n ? PyTuple_GET_ITEM(args, 0) : nullptr;
  if (n == 0) return empty({0}, dtype);
  DimVector sizes;
  const bool are_sizes = PyTuple_CheckExact(first) || PyList_Check(first)
                             ? false
                             : to_dims(n == 1 ? first : args, sizes);
  if (are_sizes && !is_tensor(first)) return empty(sizes, dtype);
  check<TypeError>(n == 1, "Tensor() takes sizes or one object with data, got ",
                   static_cast<int64_t>(n), " arguments");
  if (is_tensor(first)) {
    const Tensor& t = unwrap(first);
    return make_view(t.storage(), t.dtype(), t.shape(), t.strides(), t.offset());
  }
  check<TypeError>(is_sequence(first), "Tensor(): data must be a sequence (got ",
                   Py_TYPE(first)->tp_name, ")");
  return tensor_from("Tensor", first, dtype);
}

PyObject* create(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded([&] {
    PyObject* device = keywords ? PyDict_GetItemString(keywords, "device") : nullptr;
    if (device) check_device(device);
    check<TypeError>(!keywords || PyDict_Size(keywords) <= (device ? 1 : 0),
                     "Tensor() takes no keywords but device");
    return wrap_as(legacy(args, default_dtype()), type);
  });
}

}  // namespace

Tensor tensor_from(const char* op, PyObject* data, std::optional<Dtype> dtype) {
  if (is_tensor(data)) {
    const Tensor& t = unwrap(data);
    return copy_of(t, dtype.value_or(t.dtype()));
  }
  if (is_numpy_array(data) || is_numpy_scalar(data)) {
    const Tensor t = share_numpy(data);
    return copy_of(t, dtype.value_or(t.dtype()));
  }
  return Reader(op).read(data, dtype);
}

void add_creation_slots(std::vector<PyType_Slot>& slots) {
  slots.push_back({Py_tp_new, reinterpret_cast<void*>(create)});
}

void bind_create(PyObject* module) {
  py::module_ m = py::reinterpret_borrow<py::module_>(module);
  const auto none = py::none();
  m.def("tensor", &tensor, py::arg("data"), py::kw_only(), py::arg("dtype") = none,
        py::arg("device") = none, py::arg("requires_grad") = false, py::arg("pin_memory") = false,
        "A new tensor with the given data: a number, nested sequences, a NumPy array or a tensor.");
  m.def("as_tensor", &as_tensor, py::arg("data"), py::arg("dtype") = none, py::arg("device") = none,
        "A tensor with the given data, on the same memory where that is possible.");
  m.def("from_numpy", &from_numpy, py::arg("ndarray"), "A tensor on the memory of a NumPy array.");
  m.def("frombuffer", &frombuffer, py::arg("buffer"), py::kw_only(), py::arg("dtype"),
        py::arg("count") = -1, py::arg("offset") = 0, py::arg("requires_grad") = false,
        "A 1-d tensor on the memory of an object with the buffer protocol.");
  m.def("_to_bytes", &to_bytes);
  m.def("_from_bytes", &from_bytes);
  m.def("_legacy_tensor",
        [](const py::args& args, Dtype dtype) { return legacy(args.ptr(), dtype); });
}

}  // namespace gotorch::python
