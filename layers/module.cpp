#include "layers/module.h"

#include <algorithm>
#include <set>

#include "grad/autograd.h"
#include "tensor/copy.h"

namespace gotorch {

struct Module::State {
  std::string name;
  std::vector<LayerState::Slot> slots;
  NamedModules children;
  bool training = true;
};

namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

std::string quoted(const std::vector<std::string>& keys) {
  std::string out;
  for (const std::string& key : keys) out += (out.empty() ? "\"" : ", \"") + key + "\"";
  return out;
}

}  // namespace

Module::Module(std::string name) : state_(std::make_shared<State>()) {
  state_->name = std::move(name);
}

const std::string& Module::name() const { return state_->name; }
bool Module::is_training() const { return state_->training; }
std::vector<LayerState::Slot>& Module::slots() const { return state_->slots; }

void Module::check_name(const std::string& name, const char* what) const {
  check<ValueError>(!name.empty(), what, " name can't be empty string \"\"");
  check<ValueError>(name.find('.') == name.npos, what, " name can't contain \".\", got: ", name);
  const bool taken =
      std::ranges::any_of(state_->slots, [&](const auto& slot) { return slot.name == name; }) ||
      std::ranges::any_of(state_->children, [&](const auto& child) { return child.first == name; });
  check<ValueError>(!taken, "attribute '", name, "' already exists");
}

Tensor Module::register_parameter(std::string name, Tensor value, bool requires_grad) {
  check_name(name, "parameter");
  if (value.defined()) {
    check<ValueError>(is_leaf(value), "Cannot assign non-leaf Tensor to parameter '", name, "'");
    set_requires_grad(value, requires_grad);
  }
  state_->slots.push_back({std::move(name), true, value});
  return value;
}

Tensor Module::register_buffer(std::string name, Tensor value, bool persistent) {
  check_name(name, "buffer");
  state_->slots.push_back({std::move(name), false, value, persistent});
  return value;
}

void Module::add_child(std::string name, const Module& child) const {
  check_name(name, "module");
  for (const auto& [_, below] : child.named_modules())
    check<ValueError>(!below.is(*this), "module '", name, "' contains the module it is given to");
  state_->children.emplace_back(std::move(name), child);
}

NamedModules Module::named_children() const { return state_->children; }

NamedModules Module::named_modules() const {
  NamedModules out;
  std::set<const State*> seen;
  const auto walk = [&](auto& self, const std::string& prefix, const Module& module) -> void {
    if (!seen.insert(module.state_.get()).second) return;
    out.emplace_back(prefix, module);
    for (const auto& [name, child] : module.state_->children)
      self(self, joined(prefix, name), child);
  };
  walk(walk, "", *this);
  return out;
}

namespace {

// Of all modules below `root`: the tensors that `wanted` picks, each once.
template <class Wanted>
NamedTensors collected(const NamedModules& modules, auto slots_of, Wanted wanted) {
  NamedTensors out;
  std::set<const TensorImpl*> seen;
  for (const auto& [prefix, module] : modules)
    for (const LayerState::Slot& slot : slots_of(module))
      if (slot.tensor.defined() && wanted(slot) && seen.insert(slot.tensor.impl()).second)
        out.emplace_back(joined(prefix, slot.name), slot.tensor);
  return out;
}

}  // namespace

NamedTensors Module::named_parameters() const {
  return collected(
      named_modules(), [](const Module& m) -> auto& { return m.slots(); },
      [](const auto& slot) { return slot.is_parameter; });
}

NamedTensors Module::named_buffers() const {
  return collected(
      named_modules(), [](const Module& m) -> auto& { return m.slots(); },
      [](const auto& slot) { return !slot.is_parameter; });
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> out;
  for (auto& [_, tensor] : named_parameters()) out.push_back(tensor);
  return out;
}

Module Module::module(std::string_view path) const {
  Module at = *this;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    const auto& children = at.state_->children;
    const auto found = std::ranges::find(children, name, &NamedModules::value_type::first);
    check<ValueError>(found != children.end(), at.name(), " has no module '", name, "'");
    at = Module(found->second);
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return at;
}

Tensor Module::find(std::string_view path, bool parameter) const {
  const size_t dot = path.rfind('.');
  const Module owner = module(dot == path.npos ? std::string_view() : path.substr(0, dot));
  const std::string_view name = path.substr(dot + 1);
  for (const LayerState::Slot& slot : owner.slots())
    if (slot.name == name && slot.is_parameter == parameter) return slot.tensor;
  fail<ValueError>(owner.name(), " has no ", parameter ? "parameter" : "buffer", " '", name, "'");
}

Tensor Module::parameter(std::string_view path) const { return find(path, true); }
Tensor Module::buffer(std::string_view path) const { return find(path, false); }

NamedTensors Module::state_dict() const {
  NamedTensors out;
  // Unlike named_parameters(), under every name: tied weights appear twice. Parameters come before buffers.
  const auto walk = [&](auto& self, const std::string& prefix, const Module& module) -> void {
    for (const bool parameters : {true, false})
      for (const LayerState::Slot& slot : module.slots())
        if (slot.is_parameter == parameters && slot.tensor.defined() && slot.persistent)
          out.emplace_back(joined(prefix, slot.name), detach(slot.tensor));
    for (const auto& [name, child] : module.state_->children)
      self(self, joined(prefix, name), child);
  };
  walk(walk, "", *this);
  return out;
}

IncompatibleKeys Module::load_state_dict(const NamedTensors& state, bool strict) const {
  const NamedTensors own = state_dict();
  IncompatibleKeys keys;
  std::string errors;
  std::vector<std::pair<Tensor, Tensor>> copies;
  for (const auto& [key, to] : own) {
    const auto given = std::ranges::find(state, key, &NamedTensors::value_type::first);
    if (given == state.end() || !given->second.defined()) {
      keys.missing.push_back(key);
    } else if (const Tensor& from = given->second; !same(from.shape(), to.shape())) {
      errors += text("\n\tsize mismatch for ", key, ": copying a param with shape ", from.shape(),
                     " from checkpoint, the shape in current model is ", to.shape(), ".");
    } else {
      copies.emplace_back(to, from);
    }
  }
  for (const auto& [key, _] : state)
    if (std::ranges::find(own, key, &NamedTensors::value_type::first) == own.end())
      keys.unexpected.push_back(key);
  if (strict && !keys.missing.empty())
    errors = "\n\tMissing key(s) in state_dict: " + quoted(keys.missing) + ". " + errors;
  if (strict && !keys.unexpected.empty())
    errors = "\n\tUnexpected key(s) in state_dict: " + quoted(keys.unexpected) + ". " + errors;
  check(errors.empty(), "Error(s) in loading state_dict for ", name(), ":", errors);
  for (const auto& [to, from] : copies) {
    to.before_write();
    copy_elements(to, from);
  }
  return keys;
}

void Module::train(bool mode) const {
  for (const auto& [_, module] : named_modules()) module.state_->training = mode;
}

void Module::zero_grad(bool set_to_none) const {
  for (const Tensor& p : parameters()) {
    const Tensor grad = grad_of(p);
    if (!grad.defined()) continue;
    if (set_to_none) {
      set_grad(p, {});
      continue;
    }
    detach_inplace(grad);
    grad.before_write();
    fill_elements(grad, 0);
  }
}

void Module::requires_grad_(bool requires_grad) const {
  for (const Tensor& p : parameters()) set_requires_grad(p, requires_grad);
}

void Module::to(Dtype dtype) const {
  check<TypeError>(is_floating(dtype), "a module's dtype must be floating point, got ", dtype);
  const auto convert = [dtype](const Tensor& t) {
    if (t.is_floating() && t.dtype() != dtype) set_data(t, as_dtype(t, dtype));
  };
  for (const auto& [_, t] : named_parameters()) {
    const Tensor grad = grad_of(t);
    convert(t);
    if (grad.defined()) convert(grad);
  }
  for (const auto& [_, t] : named_buffers()) convert(t);
}

void Module::apply(const std::function<void(const Module&)>& f) const {
  for (const auto& [_, child] : state_->children) child.apply(f);
  f(*this);
}

}  // namespace gotorch
