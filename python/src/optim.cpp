// The optimizers' table and step, schedules and clipping for Python. Parameter groups and states live in Python's dicts.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "grad/autograd.h"
#include "optim/clip.h"
#include "optim/schedule.h"
#include "optim/step.h"
#include "python/src/bind.h"
#include "python/src/casters.h"
#include "python/src/gil.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

// A definition with the names of its options and states as Python strings.
class OptimizerType {
 public:
  explicit OptimizerType(const OptimizerDef& def) : def_(def) {
    for (const OptionDef& o : def.options()) options_.emplace_back(py::str(o.name));
    for (const StateDef& s : def.spec().states) states_.emplace_back(py::str(s.name));
  }

  const OptimizerDef& def() const { return def_; }

  // (name, default as written in Python, keyword-only) of each option.
  py::list parameters() const {
    py::list out;
    for (const OptionDef& o : def_.options())
      out.append(py::make_tuple(o.name, o.default_text, o.keyword_only));
    return out;
  }

  std::vector<double> options_of(const py::dict& group) const {
    std::vector<double> values = def_.defaults();
    for (size_t i = 0; i < options_.size(); i++) {
      const OptionDef& o = def_.options()[i];
      PyObject* value =
          o.at < 0 ? nullptr : PyDict_GetItemWithError(group.ptr(), options_[i].ptr());
      if (PyErr_Occurred()) throw py::error_already_set();
      // A group of an older checkpoint may lack an option.
      if (value) read(o, value, &values[static_cast<size_t>(o.at)]);
    }
    return values;
  }

  void validate(const py::dict& group) const { def_.validate(options_of(group)); }

  // Updates the parameters of a group that have gradients; `states` maps each to its dict.
  void step(const py::dict& group, const py::object& states) const {
    const std::vector<double> options = options_of(group);
    std::vector<StepItem> items;
    std::vector<py::object> dicts;
    for (py::handle p : params_of(group)) {
      Tensor g = grad_of(unwrap(p.ptr()));
      if (!g.defined()) continue;
      dicts.push_back(dict_of(p, options, states));
      items.push_back({unwrap(p.ptr()), std::move(g), state_in(dicts.back())});
    }
    if (items.empty()) return;
    {
      const Unlocked unlocked;
      optimizer_step(def_, options, items);
    }
    for (size_t i = 0; i < items.size(); i++) store(items[i].state, dicts[i]);
  }

  // Makes the states of all parameters of a group that have none.
  void init_states(const py::dict& group, const py::object& states) const {
    const std::vector<double> options = options_of(group);
    for (py::handle p : params_of(group)) {
      const py::object dict = dict_of(p, options, states);
      SmallVector<Tensor, 4> state = state_in(dict);
      complete_state(def_, options, unwrap(p.ptr()), state);
      store(state, dict);
    }
  }

 private:
  static void read(const OptionDef& o, py::handle value, double* to) {
    const auto number = [](py::handle v) {
      const double d = PyFloat_AsDouble(v.ptr());
      if (d == -1 && PyErr_Occurred()) throw py::error_already_set();
      return d;
    };
    if (o.kind == OptionDef::Kind::Bool) {
      *to = value.cast<py::object>().attr("__bool__")().cast<bool>();
    } else if (o.kind == OptionDef::Kind::Pair) {
      const py::sequence pair = value.cast<py::sequence>();
      check<ValueError>(pair.size() == 2, o.name, " must be a pair, got ", pair.size(), " values");
      to[0] = number(pair[0]);
      to[1] = number(pair[1]);
    } else {
      *to = number(value);
    }
  }

  static py::list params_of(const py::dict& group) {
    py::list params = group["params"];
    for (py::handle p : params)
      check<TypeError>(is_tensor(p.ptr()), "optimizer: a parameter is a ",
                       Py_TYPE(p.ptr())->tp_name);
    return params;
  }

  // None if nothing is kept for it.
  py::object dict_of(py::handle p, Options options, const py::object& states) const {
    bool wanted = false;
    for (const StateDef& s : def_.spec().states) wanted |= def_.wants(s, options);
    if (!wanted) return py::none();
    PyObject* state = PyObject_GetItem(states.ptr(), p.ptr());
    if (!state) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(state);
  }

  SmallVector<Tensor, 4> state_in(const py::object& dict) const {
    SmallVector<Tensor, 4> state(states_.size(), Tensor());
    if (dict.is_none()) return state;
    check<TypeError>(PyDict_Check(dict.ptr()), def_.name(), ": the state of a parameter is a ",
                     Py_TYPE(dict.ptr())->tp_name);
    for (size_t k = 0; k < states_.size(); k++) {
      PyObject* value = PyDict_GetItemWithError(dict.ptr(), states_[k].ptr());
      if (!value && PyErr_Occurred()) throw py::error_already_set();
      if (!value || value == Py_None) continue;
      // Older checkpoints count steps in Python's numbers.
      state[k] = is_tensor(value) ? unwrap(value)
                                  : scalar_tensor(py::handle(value).cast<double>(), Dtype::Float);
    }
    return state;
  }

  // Puts in what is new.
  void store(std::span<const Tensor> state, const py::object& dict) const {
    for (size_t k = 0; k < state.size(); k++) {
      if (!state[k].defined()) continue;
      PyObject* value = PyDict_GetItemWithError(dict.ptr(), states_[k].ptr());
      if (value && is_tensor(value) && unwrap(value).is(state[k])) continue;
      const py::object tensor = py::cast(state[k]);
      if (PyDict_SetItem(dict.ptr(), states_[k].ptr(), tensor.ptr())) throw py::error_already_set();
    }
  }

  const OptimizerDef& def_;
  std::vector<py::str> options_, states_;
};

void bind_schedules(py::module_& m) {
  m.def("_schedule_step", &schedule::step);
  m.def("_schedule_multi_step", &schedule::multi_step);
  m.def("_schedule_constant", &schedule::constant);
  m.def("_schedule_linear", &schedule::linear);
  m.def("_schedule_exponential", &schedule::exponential);
  m.def("_schedule_polynomial", &schedule::polynomial);
  m.def("_schedule_cosine", &schedule::cosine);
  m.def("_schedule_cosine_at", &schedule::cosine_at);
  m.def("_schedule_between", &schedule::between);
  m.def("_schedule_period", [](double epoch, int64_t first, int64_t factor) {
    const auto period = schedule::period_of(epoch, first, factor);
    return py::make_tuple(period.at, period.length);
  });
  m.def("_schedule_triangle", [](int64_t epoch, double total_size, double rising_part) {
    const auto triangle = schedule::triangle_of(epoch, total_size, rising_part);
    return py::make_tuple(triangle.height, triangle.cycle);
  });
  m.def("_schedule_is_better", [](double value, double best, bool rising, double threshold,
                                  bool relative) {
    return PlateauOptions{.rising = rising, .threshold = threshold, .relative = relative}.is_better(
        value, best);
  });
  m.def("_schedule_reduced", [](double lr, double factor, double min_lr, double eps) {
    return PlateauOptions{.factor = factor, .min_lr = min_lr, .eps = eps}.reduced(lr);
  });
}

}  // namespace

void bind_optim(py::module_& m) {
  py::class_<OptimizerType>(m, "_OptimizerType", "What the library knows of one optimizer.")
      .def_property_readonly("name", [](const OptimizerType& t) { return t.def().name(); })
      .def_property_readonly("doc", [](const OptimizerType& t) { return t.def().spec().doc; })
      .def_property_readonly("eager", [](const OptimizerType& t) { return t.def().spec().eager; })
      .def_property_readonly("parameters", &OptimizerType::parameters)
      .def("validate", &OptimizerType::validate)
      .def("step", &OptimizerType::step)
      .def("init_states", &OptimizerType::init_states);
  py::list types;
  for (const OptimizerDef* def : optimizer_table()) types.append(py::cast(OptimizerType(*def)));
  m.attr("_optimizers") = types;
  bind_schedules(m);
  const auto unlocked = py::call_guard<py::gil_scoped_release>();
  m.def(
      "_total_norm",
      [](const std::vector<Tensor>& t, double order, bool error_if_nonfinite) {
        return total_norm(t, order, error_if_nonfinite);
      },
      unlocked);
  m.def(
      "_scale_to_norm_",
      [](const std::vector<Tensor>& t, double max_norm, const Tensor& norm) {
        scale_to_norm_(t, max_norm, norm);
      },
      unlocked);
  m.def(
      "_clip_grad_norm_",
      [](const std::vector<Tensor>& p, double max_norm, double order, bool error_if_nonfinite) {
        return clip_grad_norm_(p, max_norm, order, error_if_nonfinite);
      },
      unlocked);
  m.def(
      "_clip_grad_value_",
      [](const std::vector<Tensor>& p, double limit) { clip_grad_value_(p, limit); }, unlocked);
}

}  // namespace gotorch::python
