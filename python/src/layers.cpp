// The layers of the C++ table for Python: gotorch.nn builds its classes from this.
#include "layers/layer.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/errors.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// The values of a layer's options, and what they point to.
struct Options {
  Options() = default;
  Options(const Options&) = delete;

  SmallVector<Value, 10> values;
  std::array<DimVector, 5> lists;
  std::array<Tensor, 2> tensors;
  size_t used_lists = 0, used_tensors = 0;
};

// The next place of a fixed store: values point there.
template <class T, size_t n>
T& next(std::array<T, n>& store, size_t& used) {
  check(used < n, "internal error: a layer has too many options of one kind");
  return store[used++];
}

void convert(PyObject* o, const Param& p, Options& options) {
  using Type = Param::Type;
  if (o == Py_None) {
    options.values.emplace_back();
    check<TypeError>(p.optional, "argument '", p.name, "' must not be None");
    return;
  }
  bool fits = true;
  if (p.type == Type::Str || (PyUnicode_Check(o) && p.type_text.ends_with("|str"))) {
    fits = PyUnicode_Check(o);
    Py_ssize_t n = 0;
    const char* s = fits ? PyUnicode_AsUTF8AndSize(o, &n) : "";
    options.values.emplace_back(std::string_view(s, static_cast<size_t>(n)));
  } else if (p.type == Type::Ints) {
    DimVector& list = next(options.lists, options.used_lists);
    fits = to_dims(o, list, p.optional_elements);
    options.values.emplace_back(Dims(list));
  } else if (p.type == Type::Tensor) {
    fits = is_tensor(o);
    Tensor& tensor = next(options.tensors, options.used_tensors);
    if (fits) tensor = unwrap(o);
    options.values.emplace_back(tensor);
  } else if (p.type == Type::Int) {
    int64_t i = 0;
    fits = to_int(o, i);
    options.values.emplace_back(i);
  } else if (p.type == Type::Bool) {
    const int truth = PyObject_IsTrue(o);
    expect(truth);
    options.values.emplace_back(truth == 1);
  } else {
    Scalar s;
    fits = to_scalar(o, s);
    options.values.emplace_back(s);
  }
  check<TypeError>(fits, "argument '", p.name, "' must be ", p.type_text, ", not ",
                   Py_TYPE(o)->tp_name);
}

// One layer of the table, as gotorch.nn sees it.
class BoundLayer {
 public:
  explicit BoundLayer(const Layer& layer)
      : layer_(&layer), returns_indices_(layer.signature().index_of("return_indices")) {
    for (const Param& p : layer.signature().params)
      names_.push_back(PyUnicode_InternFromString(p.name.c_str()));
  }

  const Layer& layer() const { return *layer_; }

  void convert_all(const py::sequence& given, Options& o) const {
    size_t i = 0;
    for (const Param& p : layer_->signature().params) convert(py::object(given[i++]).ptr(), p, o);
  }

  // [(name, is_parameter, tensor or None, requires_grad)] and {name: value} of the options that the layer changed.
  py::tuple build(const py::sequence& given, Dtype dtype) {
    Options o;
    convert_all(given, o);
    const auto before = o.values;
    LayerState state({o.values.data(), o.values.size()}, dtype);
    layer_->def().build(state);
    layer_->def().reset(state);
    py::list out;
    // A layer declares the same names whatever its options; what it does without is None.
    const bool first = slots_.empty();
    for (const auto& slot : state.slots()) {
      if (first)
        slots_.push_back({PyUnicode_InternFromString(slot.name.c_str()), slot.is_parameter});
      py::object tensor = slot.tensor.defined() ? py::cast(slot.tensor) : py::none();
      out.append(
          py::make_tuple(slot.name, slot.is_parameter, std::move(tensor), slot.requires_grad));
    }
    py::dict changed;
    for (size_t i = 0; i < before.size(); i++) {
      const Value &was = before[i], &is = o.values[i];
      if (is.is_number() &&
          (was.kind() != is.kind() || was.scalar().to<double>() != is.scalar().to<double>()))
        changed[py::str(layer_->signature().params[i].name)] = py::cast(is.scalar());
    }
    return py::make_tuple(out, changed);
  }

  void reset(const py::sequence& given, const std::vector<py::object>& tensors) const {
    Options o;
    convert_all(given, o);
    LayerState state({o.values.data(), o.values.size()}, Dtype::Float);
    for (const py::object& t : tensors)
      state.slots().push_back({"", true, t.is_none() ? Tensor() : unwrap(t.ptr())});
    layer_->def().reset(state);
  }

  // `names` is the tuple of the keywords, whose values follow the `count` positional ones; or null.
  PyObject* forward(PyObject* self, PyObject* const* inputs, size_t count, PyObject* names) const {
    SmallVector<Tensor, 3> in;
    size_t taken = 0;
    for (size_t i = 0; i < layer_->inputs().size(); i++) {
      PyObject* o = input(i, inputs, count, names);
      in.push_back(o && o != Py_None ? unwrap(o) : Tensor());
      taken += o != nullptr;
    }
    const size_t given = count + static_cast<size_t>(names ? PyTuple_GET_SIZE(names) : 0);
    check<TypeError>(given == taken, layer_->name(), ".forward() takes ", in.size(),
                     " inputs, got ", given);
    PyObject** place = _PyObject_GetDictPtr(self);
    check<TypeError>(place && *place,
                     "the module has no attributes: super().__init__() was not called");
    PyObject* dict = *place;
    Options o;
    const auto& params = layer_->signature().params;
    for (size_t i = 0; i < params.size(); i++) {
      PyObject* value = PyDict_GetItemWithError(dict, names_[i]);
      // An option that became a tensor (a weight) is no attribute.
      if (value && params[i].type != Param::Type::Tensor) convert(value, params[i], o);
      else o.values.emplace_back();
    }
    SmallVector<Tensor, 6> tensors;
    static PyObject* const parameters_name = PyUnicode_InternFromString("_parameters");
    static PyObject* const buffers_name = PyUnicode_InternFromString("_buffers");
    static PyObject* const training_name = PyUnicode_InternFromString("training");
    PyObject* parameters = PyDict_GetItemWithError(dict, parameters_name);
    PyObject* buffers = PyDict_GetItemWithError(dict, buffers_name);
    for (const SlotName& slot : slots_) {
      PyObject* of = slot.parameter ? parameters : buffers;
      PyObject* t = of ? PyDict_GetItemWithError(of, slot.name) : nullptr;
      // A weight may have been replaced by a plain tensor, as reparametrisations do.
      if (!t) t = PyDict_GetItemWithError(dict, slot.name);
      tensors.push_back(t && is_tensor(t) ? unwrap(t) : Tensor());
    }
    PyObject* training = PyDict_GetItemWithError(dict, training_name);
    const LayerCall call(o.values, tensors, in, training == Py_True);
    if (returns_indices_ >= 0 && call.flag(static_cast<size_t>(returns_indices_)))
      return py::cast(layer_->def().with_indices(call)).release().ptr();
    return wrap(layer_->def().forward(call));
  }

 private:
  struct SlotName {
    PyObject* name;
    bool parameter;
  };

  // Null: an optional one that was not given.
  PyObject* input(size_t i, PyObject* const* inputs, size_t count, PyObject* names) const {
    const auto& [name, optional] = layer_->inputs()[i];
    PyObject* found = i < count ? inputs[i] : nullptr;
    for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); k++) {
      if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, k), name.c_str())) continue;
      check<TypeError>(!found, layer_->name(), ".forward() got multiple values for argument '",
                       name, "'");
      found = inputs[count + static_cast<size_t>(k)];
    }
    if (optional && (!found || found == Py_None)) return found;
    check<TypeError>(found, layer_->name(), ".forward() missing required argument: '", name, "'");
    check<TypeError>(is_tensor(found), layer_->name(), "(): argument '", name,
                     "' must be Tensor, not ", Py_TYPE(found)->tp_name);
    return found;
  }

  const Layer* layer_;
  int returns_indices_;           // the option of that name, or -1
  std::vector<PyObject*> names_;  // interned, for ever
  std::vector<SlotName> slots_;
};

// forward(self, *inputs) as a vectorcall: `bound` is a capsule with the BoundLayer.
PyObject* call_forward(PyObject* bound, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  const auto* layer = static_cast<const BoundLayer*>(PyCapsule_GetPointer(bound, nullptr));
  if (count < 1) {
    PyErr_SetString(PyExc_TypeError, "forward() missing self");
    return nullptr;
  }
  return guarded(
      [&] { return layer->forward(args[0], args + 1, static_cast<size_t>(count - 1), names); });
}

PyMethodDef forward_method = {
    "forward", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call_forward)),
    METH_FASTCALL | METH_KEYWORDS, "Computes the layer's output."};

}  // namespace

void bind_layers(py::module_& m) {
  py::class_<BoundLayer>(m, "_Layer")
      .def_property_readonly("name", [](const BoundLayer& b) { return b.layer().name(); })
      .def_property_readonly("doc", [](const BoundLayer& b) { return b.layer().def().doc; })
      .def_property_readonly("signature",
                             [](const BoundLayer& b) { return b.layer().signature().text; })
      .def_property_readonly("repr", [](const BoundLayer& b) { return b.layer().def().repr; })
      .def_property_readonly(
          "params",
          [](const BoundLayer& b) {
            // (name, type, keyword-only, has a default, default)
            py::list out;
            for (const Param& p : b.layer().signature().params) {
              py::object value = py::none();
              const Value& d = p.default_value;
              if (d.kind() == Value::Kind::Str) value = py::str(std::string(d.str()));
              else if (d.kind() == Value::Kind::Ints) value = py::cast(DimVector(d.ints()));
              else if (d.is_number()) value = py::cast(d.scalar());
              out.append(py::make_tuple(p.name, p.type_text, p.keyword_only, p.has_default, value));
            }
            return out;
          })
      .def("build", &BoundLayer::build)
      .def("reset", &BoundLayer::reset)
      .def("forward", [](BoundLayer& b) {
        py::object capsule = py::reinterpret_steal<py::object>(PyCapsule_New(&b, nullptr, nullptr));
        py::object function = py::reinterpret_steal<py::object>(
            PyCFunction_NewEx(&forward_method, capsule.ptr(), nullptr));
        return py::reinterpret_steal<py::object>(PyInstanceMethod_New(function.ptr()));
      });
  py::list all;
  for (const Layer* layer : layer_table())
    all.append(py::cast(new BoundLayer(*layer), py::return_value_policy::take_ownership));
  m.attr("_layers") = all;
}

}  // namespace gotorch::python
