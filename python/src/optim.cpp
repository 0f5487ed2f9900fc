// The optimizers' fused step for Python.
#include "optim/optimizer.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "python/src/bind.h"
#include "python/src/casters.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

void step(const std::string& name, const std::vector<double>& hyper,
          const std::vector<Tensor>& parameters, const std::vector<Tensor>& gradients,
          const std::vector<std::vector<Tensor>>& states, const std::vector<double>& steps) {
  const OptimizerRule* rule = find_rule(name);
  check<ValueError>(rule && hyper.size() == rule->hyper.size() &&
                        states.size() == rule->states.size() &&
                        gradients.size() == parameters.size() && steps.size() == parameters.size(),
                    "optimizer step '", name, "': the arguments do not fit");
  for (const auto& state : states)
    check<ValueError>(state.size() == parameters.size(), "optimizer step '", name,
                      "': a state for each parameter is needed");
  optimizer_step(*rule, hyper, parameters, gradients, states, steps);
}

}  // namespace

void bind_optim(py::module_& m) {
  m.def("_optimizer_step", &step, py::call_guard<py::gil_scoped_release>());
}

}  // namespace gotorch::python
