#include "python/src/op_object.h"

#include <cstddef>
#include <map>

#include "grad/autograd.h"
#include "python/src/errors.h"
#include "python/src/gil.h"
#include "python/src/results.h"
#include "python/src/tensor_object.h"
#include "python/src/tensor_slots.h"

namespace gotorch::python {
namespace {

struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  const OpSet* ops;
  PyObject* name;
  bool method, functional;
};

PyTypeObject* function_type = nullptr;
PyTypeObject* method_type = nullptr;

std::map<std::string, OpSet, std::less<>>& all_ops() {
  static auto* map = new std::map<std::string, OpSet, std::less<>>;
  return *map;
}

Arguments arguments(PyObject* self, PyObject* const* args, size_t n, PyObject* keywords) {
  if (keywords && PyTuple_GET_SIZE(keywords) == 0) keywords = nullptr;
  auto* op = reinterpret_cast<OpObject*>(self);
  return {args, PyVectorcall_NARGS(n), keywords, op->method, op->functional};
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, size_t n, PyObject* keywords) {
  return guarded([&] {
    return reinterpret_cast<OpObject*>(self)->ops->call(arguments(self, args, n, keywords));
  });
}

PyObject* vectorcall_inplace(PyObject* self, PyObject* const* args, size_t n, PyObject* keywords) {
  return guarded([&] {
    return reinterpret_cast<OpObject*>(self)->ops->call_inplace(arguments(self, args, n, keywords));
  });
}

PyObject* bind(PyObject* self, PyObject* object, PyObject*) {
  if (object) return PyMethod_New(self, object);
  Py_INCREF(self);
  return self;
}

PyObject* repr(PyObject* self) {
  auto* op = reinterpret_cast<OpObject*>(self);
  return PyUnicode_FromFormat(
      op->method ? "<method '%U' of 'gotorch.Tensor' objects>" : "<function gotorch.%U>", op->name);
}

PyObject* get_name(PyObject* self, void*) {
  PyObject* name = reinterpret_cast<OpObject*>(self)->name;
  Py_INCREF(name);
  return name;
}
PyObject* get_qualname(PyObject* self, void*) {
  auto* op = reinterpret_cast<OpObject*>(self);
  return PyUnicode_FromFormat(op->method ? "Tensor.%U" : "%U", op->name);
}
PyObject* get_doc(PyObject* self, void*) {
  const std::string doc = reinterpret_cast<OpObject*>(self)->ops->doc();
  return PyUnicode_FromStringAndSize(doc.data(), static_cast<Py_ssize_t>(doc.size()));
}
PyObject* get_module(PyObject* self, void*) {
  const Scope scope = reinterpret_cast<OpObject*>(self)->ops->scope();
  return PyUnicode_FromString(scope == Scope::Nn         ? "gotorch.nn.functional"
                              : scope == Scope::Internal ? "gotorch._C"
                                                         : "gotorch");
}
PyObject* reduce(PyObject* self, PyObject*) { return get_qualname(self, nullptr); }

PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr}, {}};
PyGetSetDef attributes[] = {{"__name__", get_name, nullptr, nullptr, nullptr},
                            {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
                            {"__doc__", get_doc, nullptr, nullptr, nullptr},
                            {"__module__", get_module, nullptr, nullptr, nullptr},
                            {}};

PyTypeObject* make_type(const char* name, bool method) {
  PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                         {Py_tp_repr, reinterpret_cast<void*>(repr)},
                         {Py_tp_methods, methods},
                         {Py_tp_getset, attributes},
                         {method ? Py_tp_descr_get : 0, reinterpret_cast<void*>(bind)},
                         {0, nullptr}};
#if PY_VERSION_HEX >= 0x03090000
  constexpr unsigned long vectorcall_flag = Py_TPFLAGS_HAVE_VECTORCALL;
#else
  constexpr unsigned long vectorcall_flag = _Py_TPFLAGS_HAVE_VECTORCALL;
#endif
  // A method descriptor is called with the object in front; no bound method is made.
  const unsigned long flags =
      Py_TPFLAGS_DEFAULT | vectorcall_flag | (method ? Py_TPFLAGS_METHOD_DESCRIPTOR : 0ul);
  PyType_Spec spec{name, sizeof(OpObject), 0, static_cast<unsigned>(flags), slots};
  auto* type = reinterpret_cast<PyTypeObject*>(expect(PyType_FromSpec(&spec)));
  type->tp_vectorcall_offset = offsetof(OpObject, vectorcall);
  type->tp_new = nullptr;
  return type;
}

// Large calls let other Python threads run; for small ones that would cost more than the call.
constexpr int64_t kUnlockFrom = 32768;

bool is_heavy(std::span<const Value> values) {
  int64_t n = 0;
  for (const Value& v : values) {
    if (v.kind() == Value::Kind::Tensor) n += v.tensor().numel();
    else if (v.kind() == Value::Kind::Tensors)
      for (const Tensor& t : v.tensors()) n += t.numel();
  }
  return n >= kUnlockFrom || (n == 0 && values[0].kind() == Value::Kind::Ints);
}

Tensors run(const Op& op, std::span<const Value> values) {
  Tensors results;
  {
    const Unlocked unlocked(is_heavy(values));
    results = call(op, values);
  }
  if (grad_mode().inference)
    for (const Tensor& t : results) t->inference = true;
  return results;
}

PyObject* run_out(const Op& op, std::span<const Value> values, PyObject* out) {
  SmallVector<Tensor, 4> outs;
  const bool several = PyTuple_Check(out) || PyList_Check(out);
  const Py_ssize_t n = several ? PySequence_Fast_GET_SIZE(out) : 1;
  check<TypeError>(n == static_cast<Py_ssize_t>(op.signature().results.size()), op.name(),
                   "(): out takes ", op.signature().results.size(), " tensors, got ",
                   static_cast<int64_t>(n));
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = several ? PySequence_Fast_GET_ITEM(out, i) : out;
    check<TypeError>(is_tensor(item), op.name(), "(): argument 'out' must be Tensor, not ",
                     Py_TYPE(item)->tp_name);
    outs.push_back(unwrap(item));
  }
  {
    const Unlocked unlocked(is_heavy(values));
    call_out(op, values, outs);
  }
  if (several) return from_results(op, Tensors(std::span<const Tensor>(outs)));
  Py_INCREF(out);
  return out;
}

PyObject* run_inplace(const Op& op, std::span<const Value> values, PyObject* self) {
  check<TypeError>(is_tensor(self), op.name(), "(): an in-place call takes the tensor by position");
  {
    const Unlocked unlocked(is_heavy(values));
    call_inplace(op, values);
  }
  Py_INCREF(self);
  return self;
}

std::string describe(const Arguments& args) {
  std::string out;
  for (Py_ssize_t i = args.method; i < args.count; i++)
    out += (out.empty() ? "" : ", ") + std::string(Py_TYPE(args.values[i])->tp_name);
  for (Py_ssize_t i = 0; args.keywords && i < PyTuple_GET_SIZE(args.keywords); i++)
    out += (out.empty() ? "" : ", ") +
           std::string(PyUnicode_AsUTF8(PyTuple_GET_ITEM(args.keywords, i))) + "=" +
           Py_TYPE(args.values[args.count + i])->tp_name;
  return out;
}

}  // namespace

std::string OpSet::doc() const {
  std::string out;
  for (const Overload& o : overloads_)
    out += (out.empty() ? "" : "\n\n") + o.signature() + "\n\n" + o.op().def().doc;
  return out;
}

void OpSet::fail_to_match(const Arguments& args) const {
  std::string why;
  if (overloads_.size() == 1) {
    Call call;
    overloads_[0].parse(args, call, &why);
    throw TypeError(why);
  }
  why = name_ + "() received an invalid combination of arguments: (" + describe(args) +
        "). Its forms are:";
  for (const Overload& o : overloads_) why += "\n * " + o.signature();
  throw TypeError(why);
}

bool OpSet::has_inplace() const {
  return std::ranges::any_of(overloads_, [](const Overload& o) { return o.op().has_inplace(); });
}

const Overload& OpSet::match(const Arguments& args, Call& call, bool inplace) const {
  for (const Overload& o : overloads_)
    if ((!inplace || o.op().has_inplace()) && o.parse(args, call)) return o;
  fail_to_match(args);
}

PyObject* OpSet::call(const Arguments& args) const {
  Call c;
  const Overload& o = match(args, c);
  const std::span<const Value> values(c.values, o.params());
  if (c.inplace) return run_inplace(o.op(), values, args.values[0]);
  if (c.out) return run_out(o.op(), values, c.out);
  Tensors results = run(o.op(), values);
  if (c.requires_grad) set_requires_grad(results[0], true);
  return from_results(o.op(), std::move(results));
}

PyObject* OpSet::call_inplace(const Arguments& args) const {
  Call c;
  const Overload& o = match(args, c, true);
  check<TypeError>(!c.out, name_, "_(): out= makes no sense for an in-place call");
  return run_inplace(o.op(), std::span<const Value>(c.values, o.params()), args.values[0]);
}

PyObject* OpSet::call_binary(PyObject* a, PyObject* b) const {
  const Overload& o = overloads_[0];
  if (overloads_.size() == 1 && o.is_binary()) {
    Value values[kMaxParams];
    if (!o.parse_binary(a, b, values)) return nullptr;
    return wrap(std::move(run(o.op(), std::span<const Value>(values, o.params()))[0]));
  }
  PyObject* const args[] = {a, b};
  return call({args, 2, nullptr, true});
}

PyObject* OpSet::call_binary_inplace(PyObject* a, PyObject* b) const {
  PyObject* const args[] = {a, b};
  return call_inplace({args, 2, nullptr, true});
}

const OpSet* find_ops(std::string_view name) {
  const auto found = all_ops().find(name);
  return found == all_ops().end() ? nullptr : &found->second;
}

PyObject* make_op_function(const OpSet& ops, Form form, bool inplace) {
  const bool method = form == Form::Method;
  PyTypeObject* type = method ? method_type : function_type;
  auto* object = reinterpret_cast<OpObject*>(expect(type->tp_alloc(type, 0)));
  object->vectorcall = inplace ? vectorcall_inplace : vectorcall;
  object->ops = &ops;
  object->name = expect(PyUnicode_InternFromString((ops.name() + (inplace ? "_" : "")).c_str()));
  object->method = method;
  object->functional = form == Form::Functional;
  return reinterpret_cast<PyObject*>(object);
}

void bind_ops(PyObject* module) {
  function_type = make_type("gotorch._C.OpFunction", false);
  method_type = make_type("gotorch._C.OpMethod", true);
  auto add = [](const std::string& name, const Op& op) {
    all_ops().try_emplace(name, name).first->second.add(op);
  };
  for (const Op* op : op_table()) {
    add(op->name(), *op);
    std::string_view aliases = op->def().aliases;
    while (!aliases.empty()) {
      const size_t space = std::min(aliases.find(' '), aliases.size());
      if (space) add(std::string(aliases.substr(0, space)), *op);
      aliases.remove_prefix(std::min(space + 1, aliases.size()));
    }
  }
  const Owned nn(expect(PyModule_New("gotorch._C.nn_functions")));
  const Owned internal(expect(PyModule_New("gotorch._C.internal")));
  auto* tensor = reinterpret_cast<PyObject*>(tensor_type);
  for (const auto& [name, ops] : all_ops()) {
    auto put = [&](PyObject* where, Form form) {
      const Owned plain(make_op_function(ops, form, false));
      expect(PyObject_SetAttrString(where, name.c_str(), plain.get()));
      if (!ops.has_inplace()) return;
      const Owned inplace(make_op_function(ops, form, true));
      expect(PyObject_SetAttrString(where, (name + "_").c_str(), inplace.get()));
    };
    const Scope scope = ops.scope();
    if (scope == Scope::Torch || scope == Scope::TorchNn || scope == Scope::Function)
      put(module, Form::Function);
    if (scope == Scope::Torch || scope == Scope::TorchNn || scope == Scope::Method)
      put(tensor, Form::Method);
    if (scope == Scope::Nn || scope == Scope::TorchNn) put(nn.get(), Form::Functional);
    if (scope == Scope::Internal) put(internal.get(), Form::Function);
  }
  expect(PyObject_SetAttrString(module, "nn_functions", nn.get()));
  expect(PyObject_SetAttrString(module, "internal", internal.get()));
  find_operator_ops();
}

}  // namespace gotorch::python
