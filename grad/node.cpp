#include "grad/node.h"

#include <atomic>

#include "grad/accumulate.h"
#include "grad/views.h"

namespace gotorch {
namespace {

std::atomic<uint64_t> next_sequence{1};

}  // namespace

Node::Node() : sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)) {}

void Node::destroy(Node* node) {
  // The first destruction on this thread works through those that it causes.
  static thread_local std::vector<Node*>* queue = nullptr;
  if (queue) {
    queue->push_back(node);
    return;
  }
  std::vector<Node*> waiting;
  queue = &waiting;
  delete node;
  while (!waiting.empty()) {
    Node* next = waiting.back();
    waiting.pop_back();
    delete next;
  }
  queue = nullptr;
}

Tensor HookList::run(Tensor g) const {
  const auto as_they_are = hooks;
  for (const auto& [id, hook] : as_they_are)
    if (Tensor replaced = hook(g); replaced.defined()) g = std::move(replaced);
  return g;
}

Autograd& Autograd::make(const Tensor& t) {
  if (!t->grad) t->grad = std::make_unique<Autograd>();
  return *of(t);
}

ResultMeta meta_of(const Tensor& t) { return {t.dtype(), t->shape}; }

Edge gradient_edge(const Tensor& t) {
  if (t->base && t.version() != t->view_version) refresh_view(t);
  if (!t->requires_grad) return {};
  Autograd& a = Autograd::make(t);
  if (a.history) return a.history;
  return {accumulator_of(t), 0};
}

void set_history(const Tensor& t, Ref<Node> node, uint32_t slot) {
  Autograd& a = Autograd::make(t);
  a.history = {std::move(node), slot};
  a.wants_grad = false;
  t->requires_grad = true;
  if (t->base) t->view_version = t.version();
}

SavedTensor::SavedTensor(const Tensor& t, const Node* result_of, uint32_t slot)
    : version_(t.version()), slot_(slot), is_result_(result_of != nullptr) {
  const Autograd* a = Autograd::of(t);
  // A leaf that wants its gradient cannot get another history, so it is kept as it is.
  const bool leaf = !is_result_ && a && a->wants_grad;
  data_ = leaf ? t : twin(t);
  if (!is_result_ && !leaf && t.requires_grad()) history_ = gradient_edge(t);
}

Tensor SavedTensor::unpack(Node* owner, bool with_history) const {
  if (data_.version() != version_) {
    fail(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: a ",
        data_.dtype(), " tensor of shape ", data_.shape(), " saved by ", owner->name(),
        " is at version ", data_.version(), "; expected version ", version_, " instead");
  }
  if (!with_history || (!is_result_ && !history_)) return data_;
  Tensor t = twin(data_);
  if (is_result_) set_history(t, Ref<Node>::share(owner), slot_);
  else set_history(t, history_.node, history_.slot);
  return t;
}

}  // namespace gotorch
