// The op table as Python data: what the tests and the benchmarks loop over.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/op_object.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

py::object value_object(const Value& v) {
  switch (v.kind()) {
    case Value::Kind::Bool:
    case Value::Kind::Int:
    case Value::Kind::Float: return py::cast(v.scalar());
    case Value::Kind::Ints: return py::cast(DimVector(v.ints()));
    case Value::Kind::Str: return py::str(v.str().data(), v.str().size());
    case Value::Kind::Dtype: return py::cast(v.dtype());
    default: return py::none();
  }
}

// ("random", shape, low, high, dtype), ("list", [...]) or ("value", value).
py::object sample_object(const SampleArg& a) {
  switch (a.kind) {
    case SampleArg::Kind::Random:
      return py::make_tuple("random", py::tuple(py::cast(a.integers)), a.low, a.high, a.dtype);
    case SampleArg::Kind::Integers: return py::make_tuple("value", py::tuple(py::cast(a.integers)));
    case SampleArg::Kind::Words: return py::make_tuple("value", a.words);
    case SampleArg::Kind::List: {
      py::list list;
      for (const SampleArg& element : a.list) list.append(sample_object(element));
      return py::make_tuple("list", list);
    }
    default: return py::make_tuple("value", value_object(a.literal));
  }
}

py::list sample_list(const Sample& sample) {
  py::list out;
  for (const SampleArg& a : sample) out.append(sample_object(a));
  return out;
}

py::list param_list(const Signature& s) {
  py::list out;
  for (const Param& p : s.params) {
    py::dict d;
    d["name"] = p.name;
    d["type"] = p.type_text;
    d["keyword_only"] = p.keyword_only;
    d["has_default"] = p.has_default;
    d["default"] = p.has_default ? value_object(p.default_value) : py::none();
    out.append(d);
  }
  return out;
}

py::list dtype_list(DtypeSet set) {
  py::list out;
  for (int i = 0; i < kDtypes; i++)
    if (contains(set, static_cast<Dtype>(i))) out.append(static_cast<Dtype>(i));
  return out;
}

py::dict describe(const Op& op) {
  static constexpr const char* kinds[] = {"pointwise", "function", "view", "random", "compose"};
  static constexpr const char* scopes[] = {"torch", "function", "method",
                                           "nn",    "torch_nn", "internal"};
  const OpDef& def = op.def();
  py::dict d;
  d["name"] = op.name();
  d["overload"] = op.signature().overload;
  d["signature"] = op.signature().text;
  d["doc"] = def.doc;
  d["kind"] = kinds[static_cast<int>(op.kind())];
  d["scope"] = scopes[static_cast<int>(def.scope)];
  d["params"] = param_list(op.signature());
  d["results"] = op.signature().results;
  d["dtypes"] = dtype_list(def.dtypes);
  d["has_inplace"] = op.has_inplace();
  d["aliases"] = def.aliases;
  d["ulp"] = def.ulp;
  d["untested"] = def.untested;
  py::list grads, samples, errors;
  for (const Gradient& g : def.grad) grads.append(g.wrt);
  for (const Sample& s : def.samples) samples.append(sample_list(s));
  for (const ErrorSample& e : def.errors)
    errors.append(py::make_tuple(sample_list(e.args), e.text));
  d["grads"] = grads;
  d["samples"] = samples;
  d["errors"] = errors;
  // The same callable whatever the scope shows.
  d["call"] = py::reinterpret_steal<py::object>(
      make_op_function(*find_ops(op.name()), Form::Function, false));
  return d;
}

}  // namespace

void bind_table(py::module_& m) {
  m.def(
      "op_table",
      [] {
        py::list out;
        for (const Op* op : op_table()) out.append(describe(*op));
        return out;
      },
      "One dictionary for each op.");
}

}  // namespace gotorch::python
