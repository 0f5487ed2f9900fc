#pragma once
// An optimizer of C++ programs: parameters in groups with options, and a state for each parameter.
//
//   Optimizer opt = AdamW(net.parameters(), {.lr = 1e-3});     // constructors: optim/optim.h
//   opt.zero_grad();
//   backward(loss);
//   opt.step();
//
// Not thread-safe.
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grad/engine.h"
#include "layers/module.h"
#include "optim/step.h"

namespace gotorch {

class Optimizer {
 public:
  // Throws ValueError for options out of range, no parameters, or one that is not a leaf or is named twice.
  Optimizer(const OptimizerDef& def, std::vector<Tensor> parameters, std::vector<double> options);
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;

  // A group with options of its own: opt.add_group(head.parameters(), AdamWOptions{.lr = 1e-4}).
  void add_group(std::vector<Tensor> parameters, std::vector<double> options);
  template <class O>
  void add_group(std::vector<Tensor> parameters, const O& options) {
    add_group(std::move(parameters), options.values());
  }

  // Updates every parameter that has a gradient.
  void step();
  // Undefines the gradients, or fills them with zeros.
  void zero_grad(bool set_to_none = true);

  // A stage beside backward: updates each parameter as soon as it arrives, until the channel is closed. The same bits as
  // step() after backward. Parameters of others are passed over. If backward fails, so does this, with some parameters
  // updated.
  //   runtime::chan<GradReady> ready(8);
  //   runtime::scope s;
  //   s.go([&] { opt.step_as_ready(ready); });
  //   backward(loss, {.ready = ready});
  //   s.join();
  void step_as_ready(const runtime::chan<GradReady>& ready);

  const OptimizerDef& definition() const { return *def_; }
  size_t groups() const { return groups_.size(); }
  const std::vector<Tensor>& parameters(size_t group = 0) const;
  // By name: "lr", "betas[0]". Throws ValueError if there is none.
  double option(std::string_view name, size_t group = 0) const;
  bool has_option(std::string_view name) const;
  // The rate of a group when this was first asked: what schedules start from.
  double initial_lr(size_t group);
  // Not checked against the limits that hold for the constructor.
  void set_option(std::string_view name, double value, size_t group = 0);

  // The states "state.0.exp_avg" and the options "param_groups.0.lr", parameters numbered over all groups. The states
  // share memory with this optimizer's.
  NamedTensors state_dict() const;
  // Copies values in. Throws, with nothing changed, if names or shapes do not fit.
  void load_state_dict(const NamedTensors& saved);

 private:
  struct Group {
    std::vector<Tensor> parameters;
    std::vector<double> options;
    std::optional<double> initial_lr;
    std::vector<SmallVector<Tensor, 4>> states;
  };
  Group& group_at(size_t group);
  const Group& group_at(size_t group) const;
  void step(Group& group, size_t first, size_t count);

  const OptimizerDef* def_;
  std::vector<Group> groups_;
  std::unordered_map<const TensorImpl*, std::pair<size_t, size_t>>
      places_;  // group and number in it
};

}  // namespace gotorch
