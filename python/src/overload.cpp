#include "python/src/overload.h"

#include <cstring>

#include "python/src/convert.h"
#include "python/src/dtype_object.h"
#include "python/src/errors.h"
#include "python/src/generator.h"
#include "python/src/tensor_object.h"

namespace gotorch::python {
namespace {

PyObject* intern(const char* text) { return PyUnicode_InternFromString(text); }

// Names of arguments that NumPy has and PyTorch also takes.
std::array<PyObject*, 3> other_names(const std::string& name) {
  if (name == "dim") return {intern("axis")};
  if (name == "keepdim") return {intern("keepdims")};
  if (name == "input") return {intern("x"), intern("a"), intern("x1")};
  if (name == "other") return {intern("x2")};
  return {};
}

bool creates_tensor(const Op& op) {
  for (const Param& p : op.signature().params)
    if (p.type == Param::Type::Tensor || p.type == Param::Type::Tensors)
      return op.name().ends_with("_like") || op.name().starts_with("new_");
  return true;
}

const char* describe(Param::Type t) {
  switch (t) {
    case Param::Type::Tensor: return "Tensor";
    case Param::Type::Operand: return "Tensor or Number";
    case Param::Type::Tensors: return "tuple of Tensors";
    case Param::Type::Scalar: return "Number";
    case Param::Type::Int: return "int";
    case Param::Type::Float: return "float";
    case Param::Type::Bool: return "bool";
    case Param::Type::Ints: return "tuple of ints";
    case Param::Type::Str: return "str";
    case Param::Type::Dtype: return "torch.dtype";
    case Param::Type::Generator: return "Generator";
  }
  return "";
}

const char* short_name(PyTypeObject* type) {
  const char* dot = std::strrchr(type->tp_name, '.');
  return dot ? dot + 1 : type->tp_name;
}

// A tuple or list of integers, into the call's own memory.
bool convert_dims(PyObject* const* items, Py_ssize_t n, Call& call, Value& out,
                  bool with_none = false) {
  int64_t* dims = call.integers(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; i++) {
    if (with_none && items[i] == Py_None) dims[i] = kNoInt;
    else if (!to_int(items[i], dims[i])) return false;
  }
  out = Value(Dims(dims, static_cast<size_t>(n)));
  return true;
}

bool convert_dims(PyObject* o, const Param& p, Call& call, Value& out) {
  if (PyTuple_Check(o) || PyList_Check(o))
    return convert_dims(PySequence_Fast_ITEMS(o), PySequence_Fast_GET_SIZE(o), call, out,
                        p.optional_elements);
  int64_t value;
  if (!to_int(o, value)) return false;
  const size_t n =
      static_cast<size_t>(std::max(1, p.list_size));  // int[2]: one integer stands for both
  int64_t* dims = call.integers(n);
  std::fill_n(dims, n, value);
  out = Value(Dims(dims, n));
  return true;
}

bool convert_tensors(PyObject* o, Call& call, Value& out) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  auto& list = call.list();
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  list.reserve(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, i);
    if (!is_tensor(item)) return false;
    list.push_back(unwrap(item));
  }
  out = Value(std::span<const Tensor>(list));
  return true;
}

bool convert_number(PyObject* o, Value& out) {
  if (PyFloat_CheckExact(o)) {
    out = Value(PyFloat_AS_DOUBLE(o));
    return true;
  }
  Scalar s;
  if (!to_scalar(o, s)) return false;
  out = Value(s);
  return true;
}

}  // namespace

PyObject* cpu_device = nullptr;

void check_device(PyObject* device) {
  if (device == cpu_device || device == Py_None) return;
  const Owned text(expect(PyObject_Str(device)));
  const char* s = expect_text(PyUnicode_AsUTF8(text.get()));
  check(std::strcmp(s, "cpu") == 0 || std::strncmp(s, "cpu:", 4) == 0, "device '", s,
        "': GoTorch computes on the CPU only; use device='cpu'");
}

void Call::reset() {
  used_ = 0;
  for (size_t i = 0; i < list_count_; i++) lists_[i].clear();
  list_count_ = 0;
  out = nullptr;
  requires_grad = inplace = false;
}

int64_t* Call::integers(size_t n) {
  if (used_ + n > kRoom) return more_.emplace_back(new int64_t[n]).get();
  used_ += n;
  return room_ + used_ - n;
}

Overload::Overload(const Op& op) : op_(&op), creates_(creates_tensor(op)) {
  const auto& params = op.signature().params;
  for (size_t i = 0; i < params.size(); i++) {
    params_.push_back({&params[i], intern(params[i].name.c_str()), other_names(params[i].name)});
    if (!params[i].keyword_only) positional_++;
    if (!params[i].has_default) required_ |= 1u << i;
  }
  binary_ = params_.size() >= 2 && (required_ & ~3u) == 0 &&
            params[0].type == Param::Type::Tensor && params[1].type == Param::Type::Operand;
}

bool Overload::convert(size_t i, PyObject* o, Call& call) const {
  const Param& p = *params_[i].param;
  Value& out = call.values[i];
  if (o == Py_None && p.optional) {
    out = Value();
    return true;
  }
  switch (p.type) {
    case Param::Type::Operand:
      if (!is_tensor(o)) return convert_number(o, out);
      [[fallthrough]];
    case Param::Type::Tensor:
      if (!is_tensor(o)) return false;
      out = Value(unwrap(o));
      return true;
    case Param::Type::Tensors: return convert_tensors(o, call, out);
    case Param::Type::Scalar:
    case Param::Type::Float: return convert_number(o, out);
    case Param::Type::Int: {
      int64_t v;
      if (!to_int(o, v)) return false;
      out = Value(v);
      return true;
    }
    case Param::Type::Bool: {
      bool v;
      if (!to_bool(o, v)) return false;
      out = Value(v);
      return true;
    }
    case Param::Type::Ints: return convert_dims(o, p, call, out);
    case Param::Type::Str: {
      if (!PyUnicode_Check(o)) return false;
      Py_ssize_t n;
      const char* s = expect_text(PyUnicode_AsUTF8AndSize(o, &n));
      out = Value(std::string_view(s, static_cast<size_t>(n)));
      return true;
    }
    case Param::Type::Dtype: {
      Dtype d;
      if (!to_dtype(o, d)) return false;
      out = Value(d);
      return true;
    }
    case Param::Type::Generator: return to_generator(o, out);
  }
  return false;
}

void Overload::explain(std::string* why, size_t i, PyObject* value) const {
  if (why)
    *why =
        text(op_->name(), "(): argument '", params_[i].param->name, "' (position ", i + 1,
             ") must be ", describe(params_[i].param->type), ", not ", short_name(Py_TYPE(value)));
}

bool Overload::parse_binary(PyObject* a, PyObject* b, Value* values) const {
  values[0] = Value(unwrap(a));
  if (is_tensor(b)) {
    values[1] = Value(unwrap(b));
  } else {
    Scalar s;
    if (!to_number(b, s)) return false;
    values[1] = Value(s);
  }
  for (size_t i = 2; i < params_.size(); i++) values[i] = params_[i].param->default_value;
  return true;
}

bool Overload::parse(const Arguments& args, Call& call, std::string* why) const {
  call.reset();
  uint32_t given = 0;
  Py_ssize_t n = args.count;
  // A list of integers that is the only argument may be spread: x.view(2, 3).
  const Py_ssize_t spread = args.method ? 1 : 0;
  if (positional_ == spread + 1 && n > spread && params_[spread].param->type == Param::Type::Ints &&
      (n > spread + 1 || PyIndex_Check(args.values[spread]))) {
    for (Py_ssize_t i = spread; i < n; i++) {
      if (int64_t ignored; to_int(args.values[i], ignored)) continue;
      explain(why, static_cast<size_t>(spread), args.values[i]);
      return false;
    }
    convert_dims(args.values + spread, n - spread, call, call.values[spread]);
    given |= 1u << spread;
    n = spread;
  }
  if (args.functional && n == positional_ + 1 && op_->has_inplace() &&
      to_bool(args.values[n - 1], call.inplace))
    n--;
  if (n > positional_) {
    if (why)
      *why = text(op_->name(), "() takes ", positional_ - args.method, " positional argument",
                  positional_ - args.method == 1 ? "" : "s", " but ", n - args.method,
                  n == 1 ? " was" : " were", " given");
    return false;
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    if (!convert(static_cast<size_t>(i), args.values[i], call)) {
      explain(why, static_cast<size_t>(i), args.values[i]);
      return false;
    }
    given |= 1u << i;
  }
  if (args.keywords && !parse_keywords(args, call, given, why)) return false;
  if (const uint32_t missing = required_ & ~given) {
    if (why)
      *why = text(op_->name(), "(): missing argument '",
                  params_[std::countr_zero(missing)].param->name, "'");
    return false;
  }
  for (size_t i = 0; i < params_.size(); i++)
    if (!(given >> i & 1)) call.values[i] = params_[i].param->default_value;
  return true;
}

int Overload::find(PyObject* name) const {
  for (size_t i = 0; i < params_.size(); i++)
    if (params_[i].name == name) return static_cast<int>(i);
  // Names from a dictionary (f(**options)) need not be interned.
  for (size_t i = 0; i < params_.size(); i++) {
    if (PyUnicode_Compare(params_[i].name, name) == 0) return static_cast<int>(i);
    for (PyObject* other : params_[i].other_names)
      if (other && PyUnicode_Compare(other, name) == 0) return static_cast<int>(i);
  }
  return -1;
}

bool Overload::parse_keywords(const Arguments& args, Call& call, uint32_t& given,
                              std::string* why) const {
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(args.keywords); k++) {
    PyObject* name = PyTuple_GET_ITEM(args.keywords, k);
    PyObject* value = args.values[args.count + k];
    const int i = find(name);
    if (i < 0) {
      if (parse_extra(name, value, args.functional, call)) continue;
      if (why)
        *why = text(op_->name(), "() got an unexpected keyword argument '", PyUnicode_AsUTF8(name),
                    "'");
      return false;
    }
    if (given >> i & 1) {
      if (why)
        *why =
            text(op_->name(), "() got multiple values for argument '", params_[i].param->name, "'");
      return false;
    }
    if (!convert(static_cast<size_t>(i), value, call)) {
      explain(why, static_cast<size_t>(i), value);
      return false;
    }
    given |= 1u << i;
  }
  return true;
}

// Keywords that are no parameter of the op: out=, and of functions that create tensors device= and its like.
bool Overload::parse_extra(PyObject* name, PyObject* value, bool functional, Call& call) const {
  const std::string_view s = expect_text(PyUnicode_AsUTF8(name));
  if (s == "out" && op_->kind() != Kernel::Kind::View) {
    if (value != Py_None) call.out = value;
    return true;
  }
  if (s == "inplace" && functional && op_->has_inplace()) return to_bool(value, call.inplace);
  if (s == "memory_format" && (creates_ || op_->name() == "clone" || op_->name() == "contiguous"))
    return true;
  if (!creates_) return false;
  if (s == "device") {
    check_device(value);
  } else if (s == "requires_grad") {
    return to_bool(value, call.requires_grad);
  } else if (s == "pin_memory") {
    check(value == Py_False || value == Py_None,
          "pin_memory=True: there is no pinned memory on the CPU");
  } else if (s == "names") {
    check(value == Py_None, "named tensors are not supported");
  } else if (s != "layout") {
    return false;
  }
  return true;
}

}  // namespace gotorch::python
