#include "grad/autograd.h"

#include <algorithm>

#include "tensor/ops.h"

namespace gotorch {

void set_requires_grad(const Tensor& t, bool wanted) {
  check(is_leaf(t) || wanted,
        "you can only change requires_grad flags of leaf variables. If you want to use a computed "
        "variable in a subgraph that doesn't require differentiation use var_no_grad = "
        "var.detach().");
  if (!is_leaf(t)) return;
  check(!wanted || t.is_floating(),
        "only Tensors of floating point dtype can require gradients, got ", t.dtype());
  check(!wanted || !t->inference,
        "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
  if (!wanted && !t->grad) return;
  Autograd::make(t).wants_grad = wanted;
  t->requires_grad = wanted;
}

bool is_leaf(const Tensor& t) {
  if (!t.requires_grad()) return true;
  const Autograd* a = Autograd::of(t);
  return a && a->wants_grad;
}

Tensor grad_of(const Tensor& t) {
  const Autograd* a = Autograd::of(t);
  if (!a) return {};
  return a->retained ? *a->retained : a->grad;
}

void set_grad(const Tensor& t, const Tensor& grad) {
  if (grad.defined()) {
    check(same(grad.shape(), t.shape()),
          "assigned grad has data of a different size: ", grad.shape(), " for a tensor of shape ",
          t.shape());
    check<TypeError>(grad.dtype() == t.dtype(),
                     "assigned grad has data of a different type: ", grad.dtype(),
                     " for a tensor of ", t.dtype());
    check(!grad.is(t), "can't assign Variable as its own grad");
  } else if (!t->grad) {
    return;
  }
  Autograd& a = Autograd::make(t);
  if (a.retained) *a.retained = grad;
  else a.grad = grad;
}

void retain_grad(const Tensor& t) {
  check(t.requires_grad(), "can't retain_grad on Tensor that has requires_grad=False");
  const Edge edge = gradient_edge(t);
  Autograd& a = Autograd::make(t);
  if (a.wants_grad || a.retained) return;
  a.retained = std::make_shared<Tensor>();
  auto list = std::make_shared<HookList>();
  list->hooks.emplace_back(0, [cell = a.retained](const Tensor& g) {
    *cell = cell->defined() ? *cell + g : g;
    return Tensor();
  });
  edge.node->hooks.emplace_back(edge.slot, std::move(list));
}

Tensor detach(const Tensor& t) {
  Tensor out = twin(t);
  return out;
}

Tensor data_of(const Tensor& t) {
  Tensor out = twin(t);
  out->counts_writes = false;
  return out;
}

void set_data(const Tensor& t, const Tensor& data) {
  const Tensor from = twin(data);
  check(!t.requires_grad() || from.is_floating(),
        "data set to a tensor that requires gradients must be floating point, got ", from.dtype());
  t->dtype = from->dtype;
  t->contiguous = from->contiguous;
  t->numel = from->numel;
  t->offset = from->offset;
  t->shape = from->shape;
  t->strides = from->strides;
  t->storage = from->storage;
  t->pending = from->pending;
  t->base = nullptr;
}

void detach_inplace(const Tensor& t) {
  check(!t->base, "Can't detach views in-place. Use detach() instead.");
  t->requires_grad = false;
  if (Autograd* a = Autograd::of(t)) {
    a->history = {};
    a->wants_grad = false;
  }
}

namespace {

uint64_t add_to(HookList& list, TensorHook hook, bool on_caller) {
  list.on_caller |= on_caller;
  list.hooks.emplace_back(list.next_id, std::move(hook));
  return list.next_id++;
}

void remove_from(HookList* list, uint64_t id) {
  if (list) std::erase_if(list->hooks, [id](const auto& entry) { return entry.first == id; });
}

}  // namespace

uint64_t add_hook(const Tensor& t, TensorHook hook, bool on_caller) {
  check(t.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  const Edge edge = gradient_edge(t);
  Autograd& a = Autograd::make(t);
  if (!a.hooks) {
    a.hooks = std::make_shared<HookList>();
    // A leaf's accumulator finds them itself: it may be made anew for each pass.
    if (!a.wants_grad) edge.node->hooks.emplace_back(edge.slot, a.hooks);
  }
  return add_to(*a.hooks, std::move(hook), on_caller);
}

void remove_hook(const Tensor& t, uint64_t id) {
  if (const Autograd* a = Autograd::of(t)) remove_from(a->hooks.get(), id);
}

uint64_t add_after_hook(const Tensor& leaf, TensorHook hook, bool on_caller) {
  check(leaf.requires_grad(), "cannot register a hook on a tensor that doesn't require gradient");
  check(is_leaf(leaf), "post accumulate grad hooks cannot be registered on non-leaf tensors");
  Autograd& a = Autograd::make(leaf);
  if (!a.after_hooks) a.after_hooks = std::make_shared<HookList>();
  return add_to(*a.after_hooks, std::move(hook), on_caller);
}

void remove_after_hook(const Tensor& leaf, uint64_t id) {
  if (const Autograd* a = Autograd::of(leaf)) remove_from(a->after_hooks.get(), id);
}

}  // namespace gotorch
