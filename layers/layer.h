#pragma once
// A layer: one value that says everything about it. The C++ and the Python class derive from it.
//
//   const Layer linear{{
//       .sig = "Linear(int in_features, int out_features, bool bias=True)",
//       .doc = "y = x W^T + b.",
//       .build = [](LayerState& s) {
//         s.parameter("weight", {s.integer(1), s.integer(0)});
//         s.parameter_if(s.flag(2), "bias", {s.integer(1)});
//       },
//       .reset = [](LayerState& s) { init::linear(s.tensor(0), s.tensor(1)); },
//       .forward = [](const LayerCall& c) { return ops::linear(c.input(), c.tensor(0), c.tensor(1)); },
//   }};
#include <string>
#include <vector>

#include "tensor/op.h"

namespace gotorch {

// The options and tensors of one layer object, by position: options in the order of the signature, tensors in the
// order in which `build` declares them.
class LayerState : public Args {
 public:
  struct Slot {
    std::string name;
    bool is_parameter;
    Tensor tensor;              // undefined: the layer does without
    bool persistent = true;     // of a buffer: part of state_dict()
    bool requires_grad = true;  // of a parameter
  };
  LayerState(std::span<Value> options, Dtype dtype)
      : Args(options), options_(options), dtype_(dtype) {}

  // Uninitialised; `reset` fills it.
  void parameter(const char* name, IntList shape, bool requires_grad = true);
  void parameter_if(bool present, const char* name, IntList shape);
  void parameter_of(const char* name, Tensor value, bool requires_grad);
  void buffer(const char* name, Tensor value);

  // Replaces an option by what the layer takes it for.
  void set(size_t option, Value value) { options_[option] = value; }

  const Tensor& tensor(size_t i) const { return slots_[i].tensor; }
  std::vector<Slot>& slots() { return slots_; }
  Dtype dtype() const { return dtype_; }

 private:
  std::span<Value> options_;
  Dtype dtype_;
  std::vector<Slot> slots_;
};

// What a layer computes from.
class LayerCall : public Args {
 public:
  LayerCall(std::span<const Value> options, std::span<const Tensor> tensors,
            std::span<const Tensor> inputs, bool training)
      : Args(options), training(training), tensors_(tensors), inputs_(inputs) {}
  const Tensor& input(size_t i = 0) const { return inputs_[i]; }
  const Tensor& tensor(size_t i) const { return tensors_[i]; }
  const bool training;

  // op(input, arguments...); with `inplace`, written to the input.
  template <class... A>
  Tensor apply(const Op& op, bool inplace, const A&... arguments) const {
    return inplace ? op.inplace(input(), arguments...) : op(input(), arguments...);
  }

 private:
  std::span<const Tensor> tensors_, inputs_;
};

struct LayerDef {
  const char* sig;
  const char* doc = "";
  const char* inputs = "input";  // names, separated by commas; "offsets?" may be left out
  void (*build)(LayerState&) = [](LayerState&) {};
  void (*reset)(LayerState&) = [](LayerState&) {};
  Tensor (*forward)(const LayerCall&);
  // Of layers with the option return_indices, in Python: the result and the indices.
  Tensors (*with_indices)(const LayerCall&) = nullptr;
  // The options that the printed form shows: "{in_features}, bias={bias}"; "{inplace?}" only if true, "{groups*}" only if
  // it is not the default, as ", groups=2".
  const char* repr = "";
};

class Layer {
 public:
  explicit Layer(LayerDef def);
  Layer(const Layer&) = delete;
  const LayerDef& def() const { return def_; }
  const Signature& signature() const { return signature_; }
  const std::string& name() const { return signature_.name; }
  struct Input {
    std::string name;
    bool optional;
  };
  const std::vector<Input>& inputs() const { return inputs_; }

 private:
  LayerDef def_;
  Signature signature_;
  std::vector<Input> inputs_;
};

const std::vector<const Layer*>& layer_table();
const Layer* find_layer(std::string_view name);

}  // namespace gotorch
