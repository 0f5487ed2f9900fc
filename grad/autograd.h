#pragma once
// What users do with a tensor's gradient.
#include "grad/engine.h"
#include "grad/mode.h"

namespace gotorch {

// Asks for a gradient of a leaf, or stops asking. Throws for integers and for results.
void set_requires_grad(const Tensor& t, bool requires_grad);
inline Tensor requires_grad(Tensor t) {
  set_requires_grad(t, true);
  return t;
}
bool is_leaf(const Tensor& t);
// The accumulated gradient; undefined if there is none.
Tensor grad_of(const Tensor& t);
void set_grad(const Tensor& t, const Tensor& grad);
// Keeps the gradient of a result in grad_of() too.
void retain_grad(const Tensor& t);
// The same memory without history. Writes to it count as writes to t.
Tensor detach(const Tensor& t);
// The same memory without history; writes to it go unnoticed.
Tensor data_of(const Tensor& t);
// Makes t a tensor with the data, dtype and shape of `data`; its object and its place in the graph stay.
void set_data(const Tensor& t, const Tensor& data);
// Forgets t's history in place.
void detach_inplace(const Tensor& t);

// Returns the id for remove_hook.
uint64_t add_hook(const Tensor& t, TensorHook hook, bool on_caller = false);
void remove_hook(const Tensor& t, uint64_t id);
// The hook gets the leaf once a pass has completed its gradient; what it returns is ignored.
uint64_t add_after_hook(const Tensor& leaf, TensorHook hook, bool on_caller = false);
void remove_after_hook(const Tensor& leaf, uint64_t id);

}  // namespace gotorch
