#include "python/src/export.h"

#include <bit>
#include <cstring>

#include "python/src/errors.h"
#include "python/src/gil.h"
#include "python/src/tensor_object.h"
#include "tensor/pending.h"

namespace gotorch::python {
namespace {

// Format characters of the struct module. bfloat16 has none.
const char* format_of(Dtype d) {
  static constexpr const char* formats[kDtypes] = {"?", "B", "b",     "h", "i",
                                                   "l", "e", nullptr, "f", "d"};
  return formats[static_cast<int>(d)];
}

bool dtype_of_format(const char* format, Py_ssize_t item_size, Dtype& out) {
  if (*format == '@' || *format == '=' ||
      (*format == '<' && std::endian::native == std::endian::little))
    format++;
  if (!*format || format[1]) return false;
  const bool is_signed = std::strchr("bhilqn", *format),
             is_unsigned = *format == 'B' || *format == 'c';
  if (*format == '?') out = Dtype::Bool;
  else if (*format == 'e') out = Dtype::Half;
  else if (*format == 'f') out = Dtype::Float;
  else if (*format == 'd') out = Dtype::Double;
  else if (is_unsigned) out = Dtype::UInt8;
  else if (is_signed)
    out = item_size == 1   ? Dtype::Int8
          : item_size == 2 ? Dtype::Int16
          : item_size == 4 ? Dtype::Int32
                           : Dtype::Int64;
  else return false;
  return true;
}

// The steps of a buffer in elements; a dimension that is never stepped along has no constraint.
DimVector element_strides(const Py_buffer& view) {
  DimVector strides;
  for (int i = 0; i < view.ndim; i++) {
    const int64_t bytes = view.strides[i];
    check<ValueError>(bytes >= 0 || view.shape[i] <= 1,
                      "the array has a negative stride in dimension ", i,
                      ", which tensors cannot have; copy it first");
    check<ValueError>(bytes % view.itemsize == 0 || view.shape[i] <= 1, "the array's stride of ",
                      bytes, " bytes in dimension ", i, " is not a multiple of its item size ",
                      int64_t{view.itemsize});
    strides.push_back(view.shape[i] <= 1 ? std::max<int64_t>(0, bytes / view.itemsize)
                                         : bytes / view.itemsize);
  }
  return strides;
}

Tensor tensor_on(Py_buffer* view) {
  Dtype dtype;
  const char* format = view->format ? view->format : "B";
  check<TypeError>(dtype_of_format(format, view->itemsize, dtype), "elements of format '", format,
                   "' are not supported; the supported dtypes are float64, float32, float16, "
                   "int64, int32, int16, int8, "
                   "uint8 and bool, in native byte order");
  const DimVector shape(
      Dims(reinterpret_cast<const int64_t*>(view->shape), static_cast<size_t>(view->ndim)));
  const DimVector strides = element_strides(*view);
  const size_t bytes =
      static_cast<size_t>(numel_of(shape) ? span_of(shape, strides) * view->itemsize : 0);
  auto release = [view] {
    if (!Py_IsInitialized()) return;
    const Locked gil;
    PyBuffer_Release(view);
    delete view;
  };
  Ref<Storage> storage = Storage::borrow(view->buf, bytes, release, !view->readonly);
  storage->share_outside();
  return make_view(std::move(storage), dtype, shape, strides, 0);
}

constexpr int kMaxBufferDims = 64;

struct Exported {
  Py_ssize_t shape[kMaxBufferDims], strides[kMaxBufferDims];
};

void refuse_buffer(const char* text) {
  PyErr_SetString(PyExc_BufferError, text);
  throw PythonError();
}

void fill_buffer(PyObject* self, Py_buffer* view, int flags) {
  const Tensor& t = unwrap(self);
  check(!t.requires_grad(),
        "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
  const char* format = format_of(t.dtype());
  check<TypeError>(format, "the buffer protocol and NumPy have no ", t.dtype());
  check(t.dim() <= kMaxBufferDims, "a buffer has at most ", kMaxBufferDims, " dimensions, got ",
        t.dim());
  const bool takes_strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
  const bool wants_order =
      flags & ~PyBUF_STRIDES & (PyBUF_C_CONTIGUOUS | PyBUF_F_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS);
  if ((!takes_strides || wants_order) && !t.is_contiguous())
    refuse_buffer("the tensor is not contiguous");
  if ((flags & PyBUF_WRITABLE) && !t.storage()->writable())
    refuse_buffer("the tensor's memory is read-only");
  view->buf = shared_data(t);
  auto* exported = new Exported;
  for (size_t i = 0; i < t.shape().size(); i++) {
    exported->shape[i] = t.shape()[i];
    exported->strides[i] = t.strides()[i] * t.item_size();
  }
  view->len = t.bytes();
  view->readonly = !t.storage()->writable();
  view->itemsize = t.item_size();
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
  view->ndim = static_cast<int>(t.dim());
  view->shape = flags & PyBUF_ND ? exported->shape : nullptr;
  view->strides = takes_strides ? exported->strides : nullptr;
  view->suboffsets = nullptr;
  view->internal = exported;
  Py_INCREF(self);
  view->obj = self;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  return guarded_int([&] {
    fill_buffer(self, view, flags);
    return 0;
  });
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Exported*>(view->internal); }

PyBufferProcs buffer_procs{get_buffer, release_buffer};

}  // namespace

void* shared_data(const Tensor& t) {
  void* data = t.raw();
  if (t.storage()->readers.load(std::memory_order_acquire)) evaluate_readers(*t.storage());
  t.storage()->share_outside();
  return data;
}

bool from_buffer(PyObject* o, Tensor& out) {
  if (!PyObject_CheckBuffer(o)) return false;
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(o, view.get(), PyBUF_FULL_RO) != 0) throw PythonError();
  try {
    out = tensor_on(view.get());
  } catch (...) {
    PyBuffer_Release(view.get());
    throw;
  }
  view.release();
  return true;
}

PyBufferProcs* tensor_buffer_procs() { return &buffer_procs; }

}  // namespace gotorch::python
