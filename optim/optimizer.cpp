#include "optim/optimizer.h"

#include "grad/autograd.h"
#include "tensor/copy.h"

namespace gotorch {

Optimizer::Optimizer(const OptimizerDef& def, std::vector<Tensor> parameters,
                     std::vector<double> options)
    : def_(&def) {
  check<ValueError>(!parameters.empty(), "optimizer got an empty parameter list");
  add_group(std::move(parameters), std::move(options));
}

void Optimizer::add_group(std::vector<Tensor> parameters, std::vector<double> options) {
  def_->validate(options);
  for (const Tensor& p : parameters) {
    check<ValueError>(p.defined() && is_leaf(p), "can't optimize a non-leaf Tensor");
    check<ValueError>(!places_.contains(p.impl()),
                      "some parameters appear in more than one parameter group");
  }
  for (size_t i = 0; i < parameters.size(); i++)
    check<ValueError>(places_.emplace(parameters[i].impl(), std::pair(groups_.size(), i)).second,
                      "a parameter is named twice in one group");
  Group group{std::move(parameters), std::move(options), {}, {}};
  group.states.resize(group.parameters.size());
  for (auto& state : group.states) state.resize(def_->spec().states.size());
  if (def_->spec().eager)
    for (size_t i = 0; i < group.parameters.size(); i++)
      complete_state(*def_, group.options, group.parameters[i], group.states[i]);
  groups_.push_back(std::move(group));
}

void Optimizer::step(Group& group, size_t first, size_t count) {
  std::vector<StepItem> items;
  std::vector<size_t> numbers;
  for (size_t i = first; i < first + count; i++) {
    Tensor g = grad_of(group.parameters[i]);
    if (!g.defined()) continue;
    items.push_back({group.parameters[i], std::move(g), group.states[i]});
    numbers.push_back(i);
  }
  optimizer_step(*def_, group.options, items);
  for (size_t i = 0; i < items.size(); i++) group.states[numbers[i]] = std::move(items[i].state);
}

void Optimizer::step() {
  for (Group& group : groups_) step(group, 0, group.parameters.size());
}

void Optimizer::step_as_ready(const runtime::chan<GradReady>& ready) {
  while (const auto message = ready.receive()) {
    const auto place = places_.find(message->leaf.impl());
    if (place != places_.end()) step(groups_[place->second.first], place->second.second, 1);
  }
}

void Optimizer::zero_grad(bool set_to_none) {
  for (Group& group : groups_)
    for (const Tensor& p : group.parameters) {
      const Tensor g = grad_of(p);
      if (!g.defined()) continue;
      set_grad(p, set_to_none ? Tensor() : detach(g));
      if (set_to_none) continue;
      g.before_write();
      copy_elements(g, scalar_tensor(0, g.dtype()));
    }
}

Optimizer::Group& Optimizer::group_at(size_t group) {
  check<IndexError>(group < groups_.size(), def_->name(), ": there is no group ", group, " of ",
                    groups_.size());
  return groups_[group];
}
const Optimizer::Group& Optimizer::group_at(size_t group) const {
  return const_cast<Optimizer*>(this)->group_at(group);
}
const std::vector<Tensor>& Optimizer::parameters(size_t group) const {
  return group_at(group).parameters;
}
double Optimizer::option(std::string_view name, size_t group) const {
  return group_at(group).options[def_->place_of(name)];
}
double Optimizer::initial_lr(size_t group) {
  Group& g = group_at(group);
  if (!g.initial_lr) g.initial_lr = option("lr", group);
  return *g.initial_lr;
}
bool Optimizer::has_option(std::string_view name) const { return def_->has_option(name); }
void Optimizer::set_option(std::string_view name, double value, size_t group) {
  group_at(group).options[def_->place_of(name)] = value;
}

NamedTensors Optimizer::state_dict() const {
  NamedTensors out;
  size_t number = 0;
  for (const Group& group : groups_)
    for (const auto& state : group.states) {
      const std::string prefix = "state." + std::to_string(number++) + ".";
      for (size_t k = 0; k < state.size(); k++)
        if (state[k].defined()) out.emplace_back(prefix + def_->spec().states[k].name, state[k]);
    }
  for (size_t g = 0; g < groups_.size(); g++)
    for (size_t i = 0; i < groups_[g].options.size(); i++)
      out.emplace_back("param_groups." + std::to_string(g) + "." + def_->option_at(i),
                       scalar_tensor(groups_[g].options[i], Dtype::Double));
  return out;
}

void Optimizer::load_state_dict(const NamedTensors& saved) {
  std::unordered_map<std::string, Tensor> by_name(saved.begin(), saved.end());
  const auto take = [&](const std::string& name) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) return Tensor();
    Tensor t = found->second;
    by_name.erase(found);
    return t;
  };
  std::vector<Group> loaded = groups_;
  size_t number = 0;
  for (size_t g = 0; g < loaded.size(); g++) {
    for (size_t i = 0; i < loaded[g].options.size(); i++) {
      const std::string name = "param_groups." + std::to_string(g) + "." + def_->option_at(i);
      const Tensor value = take(name);
      check<ValueError>(value.defined() && value.numel() == 1, "load_state_dict: '", name,
                        "' is missing");
      loaded[g].options[i] = value.item_scalar().to<double>();
    }
    for (size_t i = 0; i < loaded[g].states.size(); i++, number++)
      for (size_t k = 0; k < loaded[g].states[i].size(); k++) {
        const StateDef& state = def_->spec().states[k];
        const std::string name = "state." + std::to_string(number) + "." + state.name;
        const Tensor value = take(name);
        const Tensor& p = loaded[g].parameters[i];
        loaded[g].states[i][k] = {};
        if (!value.defined()) continue;
        check<ValueError>(state.is_number ? value.numel() == 1 : same(value.shape(), p.shape()),
                          "load_state_dict: '", name, "' has shape ", value.shape(),
                          ", its parameter ", p.shape());
        loaded[g].states[i][k] = copy_of(value, state.is_number ? Dtype::Float : p.dtype());
      }
  }
  check<ValueError>(by_name.empty(), "load_state_dict: unexpected '",
                    by_name.empty() ? "" : by_name.begin()->first, "'");
  groups_ = std::move(loaded);
}

}  // namespace gotorch
