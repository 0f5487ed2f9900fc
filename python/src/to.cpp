// x.to(...), x.float() and its like.
#include "python/src/bind.h"
#include "python/src/convert.h"
#include "python/src/gil.h"
#include "python/src/overload.h"

namespace gotorch::python {
namespace {

constexpr int64_t kUnlockFrom = 32768;

PyObject* converted(PyObject* self, Dtype dtype, bool copy) {
  static const Op& convert = *find_op("_to_dtype");
  static const Op& clone = *find_op("clone");
  const Tensor& x = unwrap(self);
  if (x.dtype() == dtype && !copy) {
    Py_INCREF(self);
    return self;
  }
  const Value values[] = {x, dtype};
  Tensors out;
  {
    const Unlocked unlocked(x.numel() >= kUnlockFrom);
    out = x.dtype() == dtype ? call(clone, std::span(values, 1)) : call(convert, values);
  }
  return wrap(std::move(out[0]));
}

struct Target {
  Dtype dtype;
  bool copy = false;
};

// Positional: a dtype, a device, another tensor, then dtype, non_blocking and copy.
void add_positional(PyObject* o, Py_ssize_t i, Target& target) {
  bool flag;
  if (to_dtype(o, target.dtype) || o == Py_None) return;
  if (i == 0 && is_tensor(o)) {
    target.dtype = unwrap(o).dtype();
    return;
  }
  if (i > 0 && to_bool(o, flag)) {
    target.copy = i >= 2 && flag;
    return;
  }
  check<TypeError>(i == 0, "to(): argument ", static_cast<int64_t>(i + 1),
                   " must be a dtype or a bool, not ", Py_TYPE(o)->tp_name);
  check_device(o);
}

void add_keyword(std::string_view name, PyObject* o, Target& target) {
  bool ignored;
  if (name == "dtype")
    check<TypeError>(o == Py_None || to_dtype(o, target.dtype),
                     "to(): argument 'dtype' must be torch.dtype, not ", Py_TYPE(o)->tp_name);
  else if (name == "device") check_device(o);
  else if (name == "other") {
    check<TypeError>(is_tensor(o), "to(): argument 'other' must be Tensor, not ",
                     Py_TYPE(o)->tp_name);
    target.dtype = unwrap(o).dtype();
  } else if (name == "copy")
    check<TypeError>(to_bool(o, target.copy), "to(): argument 'copy' must be bool, not ",
                     Py_TYPE(o)->tp_name);
  else if (name == "non_blocking")
    check<TypeError>(to_bool(o, ignored), "to(): argument 'non_blocking' must be bool, not ",
                     Py_TYPE(o)->tp_name);
  else
    check<TypeError>(name == "memory_format", "to() got an unexpected keyword argument '", name,
                     "'");
}

PyObject* to(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] {
    const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
    check<TypeError>(n + keywords > 0, "to() received no arguments");
    check<TypeError>(n <= 4, "to() takes at most 4 positional arguments, got ",
                     static_cast<int64_t>(n));
    Target target{unwrap(self).dtype()};
    for (Py_ssize_t i = 0; i < n; i++) add_positional(args[i], i, target);
    for (Py_ssize_t k = 0; k < keywords; k++)
      add_keyword(expect_text(PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, k))), args[n + k], target);
    return converted(self, target.dtype, target.copy);
  });
}

template <Dtype dtype>
PyObject* as(PyObject* self, PyObject* const*, Py_ssize_t, PyObject*) {
  return guarded([&] { return converted(self, dtype, false); });
}

template <class F>
PyMethodDef method(const char* name, F* f, const char* doc) {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f)),
          METH_FASTCALL | METH_KEYWORDS, doc};
}

PyMethodDef methods[] = {method("to", to,
                                "to(dtype), to(device), to(other): this tensor converted; itself "
                                "if there is nothing to do."),
                         method("float", as<Dtype::Float>, "This tensor as float32."),
                         method("double", as<Dtype::Double>, "This tensor as float64."),
                         method("half", as<Dtype::Half>, "This tensor as float16."),
                         method("bfloat16", as<Dtype::BFloat16>, "This tensor as bfloat16."),
                         method("long", as<Dtype::Int64>, "This tensor as int64."),
                         method("int", as<Dtype::Int32>, "This tensor as int32."),
                         method("short", as<Dtype::Int16>, "This tensor as int16."),
                         method("char", as<Dtype::Int8>, "This tensor as int8."),
                         method("byte", as<Dtype::UInt8>, "This tensor as uint8."),
                         method("bool", as<Dtype::Bool>, "This tensor as bool."),
                         {}};

}  // namespace

void bind_to(pybind11::module_&) {
  for (PyMethodDef* m = methods; m->ml_name; m++) add_method(*m);
}

}  // namespace gotorch::python
