#pragma once
// Module: parameters, buffers and other modules under names; what networks are made of.
//
//   auto net = Sequential(Linear(784, 128), ReLU(), Linear(128, 10));
//   Tensor y = net(x);
//
// A module is a handle: copies share parameters, children and mode. One's own module derives from it, registers its
// parts as it makes them and defines operator():
//
//   struct Residual : Module {
//     Linear inner = register_module("inner", Linear(8, 8));
//     Tensor operator()(const Tensor& x) const { return x + relu(inner(x)); }
//   };
//
// Thread-safety: reading, and so calling, from several threads is safe; changes need outside order.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "layers/layer.h"

namespace gotorch {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class Module;
using NamedModules = std::vector<std::pair<std::string, Module>>;

// What load_state_dict() did not find, and what it did not know.
struct IncompatibleKeys {
  std::vector<std::string> missing, unexpected;
};

class Module {
 public:
  // `name` is what errors call it.
  explicit Module(std::string name = "Module");

  // The parts of a module. Names must be new, not empty, and without dots. Each returns what it was given.
  template <class M>
  M register_module(std::string name, M module) {
    add_child(std::move(name), module);
    return module;
  }
  // Asks for a gradient of `value`, unless that is undefined: then the module does without.
  Tensor register_parameter(std::string name, Tensor value, bool requires_grad = true);
  // Part of the state, but not trained. Not part of state_dict() unless persistent.
  Tensor register_buffer(std::string name, Tensor value, bool persistent = true);

  // With names as PyTorch has them: "0.weight". Parameters before their children's, no tensor and no module twice.
  std::vector<Tensor> parameters() const;
  NamedTensors named_parameters() const;
  NamedTensors named_buffers() const;
  NamedModules named_children() const;
  NamedModules named_modules() const;  // the first is this module, named ""
  // By such a name. Throws if there is none.
  Tensor parameter(std::string_view path) const;
  Tensor buffer(std::string_view path) const;
  Module module(std::string_view path) const;

  // Parameters and persistent buffers, sharing memory, with PyTorch's keys.
  NamedTensors state_dict() const;
  // Copies values in. Throws, with nothing written, if shapes differ or, if strict, keys do.
  IncompatibleKeys load_state_dict(const NamedTensors& state, bool strict = true) const;

  // Mode of this module and all below: dropout and batch normalisation act differently in evaluation.
  void train(bool mode = true) const;
  void eval() const { train(false); }
  bool is_training() const;
  void zero_grad(bool set_to_none = true) const;
  void requires_grad_(bool requires_grad = true) const;
  // Converts floating parameters and buffers. They stay the same tensors, so optimizers keep them.
  void to(Dtype dtype) const;
  // Calls f for all modules, children first.
  void apply(const std::function<void(const Module&)>& f) const;

  const std::string& name() const;
  bool is(const Module& other) const { return state_ == other.state_; }

 protected:
  // The tensors in the order of registration.
  std::vector<LayerState::Slot>& slots() const;

 private:
  struct State;
  void add_child(std::string name, const Module& child) const;
  void check_name(const std::string& name, const char* what) const;
  Tensor find(std::string_view path, bool parameter) const;

  std::shared_ptr<State> state_;
};

// An argument that takes integers or a word: 2, {1, 2} or "same".
class IntsOrText {
 public:
  IntsOrText(int n) : ints_(n) {}  // also keeps a 0 from being a null pointer
  IntsOrText(int64_t n) : ints_(n) {}
  IntsOrText(std::initializer_list<int64_t> ints) : ints_(ints) {}
  IntsOrText(Dims ints) : ints_(ints) {}
  IntsOrText(const char* text) : text_(text) {}
  operator Value() const { return text_ ? Value(text_) : Value(ints_); }

 private:
  IntList ints_;
  const char* text_ = nullptr;
};

// The values of a layer's options with all that they point to. One integer stands for all of an int[2].
class LayerOptions {
 public:
  LayerOptions(const Signature& signature, std::span<const Value> given);
  LayerOptions(const LayerOptions&) = delete;
  std::span<Value> values() { return values_; }

 private:
  std::vector<Value> values_;
  std::vector<DimVector> lists_;
  std::vector<std::string> strings_;
  std::vector<Tensor> tensors_;
};

// A layer of the table: the base of the classes in layers/layers.h.
class LayerModule : public Module {
 public:
  const Layer& layer() const { return *layer_; }
  // Draws new initial values, as the constructor did.
  void reset_parameters() const;

 protected:
  LayerModule(const Layer& layer, std::initializer_list<Value> options);
  Tensor compute(std::initializer_list<Tensor> inputs) const;

 private:
  const Layer* layer_;
  std::shared_ptr<LayerOptions> options_;
};

// Calls its modules one after the other. Functions from Tensor to Tensor may stand among them.
class Sequential : public Module {
 public:
  template <class... M>
  explicit Sequential(M... modules) : Module("Sequential") {
    (append(std::move(modules)), ...);
  }
  // Under the next number, or under a name.
  template <class M>
  Sequential& append(M module) {
    return append(std::to_string(size()), std::move(module));
  }
  template <class M>
  Sequential& append(std::string name, M module) {
    if constexpr (std::derived_from<M, Module>) register_module(std::move(name), module);
    calls_->emplace_back(std::move(module));
    return *this;
  }
  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const auto& call : *calls_) y = call(y);
    return y;
  }
  size_t size() const { return calls_->size(); }

 private:
  using Call = std::function<Tensor(const Tensor&)>;
  std::shared_ptr<std::vector<Call>> calls_ = std::make_shared<std::vector<Call>>();
};

// Modules of one type, named by number.
template <class M>
class ModuleList : public Module {
 public:
  explicit ModuleList(std::initializer_list<M> modules = {}) : Module("ModuleList") {
    for (const M& module : modules) append(module);
  }
  void append(M module) {
    modules_->push_back(register_module(std::to_string(size()), std::move(module)));
  }
  size_t size() const { return modules_->size(); }
  const M& operator[](size_t i) const { return (*modules_)[i]; }
  auto begin() const { return modules_->cbegin(); }
  auto end() const { return modules_->cend(); }

 private:
  std::shared_ptr<std::vector<M>> modules_ = std::make_shared<std::vector<M>>();
};

}  // namespace gotorch
