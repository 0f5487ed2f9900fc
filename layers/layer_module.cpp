// The classes of layers/layers.h: options, tensors and calls by the table.
#include "grad/autograd.h"
#include "layers/module.h"
#include "tensor/promote.h"

namespace gotorch {

LayerOptions::LayerOptions(const Signature& signature, std::span<const Value> given) {
  const size_t n = signature.params.size();
  check(given.size() == n, "internal error: ", signature.name, " has ", n, " options, got ",
        given.size());
  // Values point into these.
  lists_.resize(n);
  strings_.resize(n);
  tensors_.resize(n);
  for (size_t i = 0; i < n; i++) {
    const Param& p = signature.params[i];
    const Value& v = given[i];
    check<TypeError>(!v.is_none() || p.optional, signature.name, "(): argument '", p.name,
                     "' must be ", p.type_text);
    if (v.kind() == Value::Kind::Ints) {
      lists_[i] = DimVector(v.ints());
      if (p.list_size > 0 && lists_[i].size() == 1)
        lists_[i] = DimVector(static_cast<size_t>(p.list_size), lists_[i][0]);
      check<ValueError>(p.list_size == 0 || lists_[i].size() == static_cast<size_t>(p.list_size),
                        signature.name, "(): argument '", p.name, "' takes ", p.list_size,
                        " integers, got ", lists_[i].size());
      values_.emplace_back(Dims(lists_[i]));
    } else if (v.kind() == Value::Kind::Str) {
      strings_[i] = v.str();
      values_.emplace_back(std::string_view(strings_[i]));
    } else if (v.is_tensor()) {
      tensors_[i] = v.tensor();
      values_.emplace_back(tensors_[i]);
    } else {
      values_.push_back(v);
    }
  }
}

LayerModule::LayerModule(const Layer& layer, std::initializer_list<Value> options)
    : Module(layer.name()),
      layer_(&layer),
      options_(std::make_shared<LayerOptions>(layer.signature(),
                                              std::span(options.begin(), options.size()))) {
  LayerState state(options_->values(), default_dtype());
  check<NotImplementedError>(
      !layer.def().with_indices ||
          !state.flag(static_cast<size_t>(layer.signature().index_of("return_indices"))),
      layer.name(), ": a layer returns one tensor; the op ", layer.name(), "_with_indices both");
  layer.def().build(state);
  layer.def().reset(state);
  for (auto& slot : state.slots()) {
    if (slot.is_parameter) register_parameter(slot.name, slot.tensor, slot.requires_grad);
    else register_buffer(slot.name, slot.tensor, slot.persistent);
  }
}

void LayerModule::reset_parameters() const {
  LayerState state(options_->values(), default_dtype());
  state.slots() = slots();
  layer_->def().reset(state);
}

Tensor LayerModule::compute(std::initializer_list<Tensor> inputs) const {
  SmallVector<Tensor, 5> tensors;
  for (const auto& slot : slots()) tensors.push_back(slot.tensor);
  return layer_->def().forward(LayerCall(options_->values(), tensors,
                                         std::span(inputs.begin(), inputs.size()), is_training()));
}

}  // namespace gotorch
