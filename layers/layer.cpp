#include "layers/layer.h"

#include <sstream>

namespace gotorch {
namespace {

std::vector<const Layer*>& mutable_table() {
  static auto* table = new std::vector<const Layer*>;
  return *table;
}

}  // namespace

void LayerState::parameter(const char* name, IntList shape, bool requires_grad) {
  parameter_of(name, empty(shape, dtype_), requires_grad);
}

void LayerState::parameter_if(bool present, const char* name, IntList shape) {
  if (present) parameter(name, shape);
  else slots_.push_back({name, true, {}});
}

void LayerState::parameter_of(const char* name, Tensor value, bool requires_grad) {
  slots_.push_back({name, true, std::move(value), true, requires_grad});
}

void LayerState::buffer(const char* name, Tensor value) {
  slots_.push_back({name, false, std::move(value)});
}

Layer::Layer(LayerDef def) : def_(def), signature_(def.sig) {
  std::istringstream names(def.inputs);
  for (std::string name; names >> name;) {
    if (name.ends_with(',')) name.pop_back();
    const bool optional = name.ends_with('?');
    if (optional) name.pop_back();
    inputs_.push_back({std::move(name), optional});
  }
  mutable_table().push_back(this);
}

const std::vector<const Layer*>& layer_table() { return mutable_table(); }

const Layer* find_layer(std::string_view name) {
  for (const Layer* layer : layer_table())
    if (layer->name() == name) return layer;
  return nullptr;
}

}  // namespace gotorch
