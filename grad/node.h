#pragma once
// The graph that backward walks: nodes, the edges between them, and what a tensor knows of its node.
//
// Invariants
//  - Edges lead from later results to earlier ones, so there are no cycles: a node saves its own results, and
//    tensors that may get another history later, as twins without history.
//  - Destroying a graph is iterative: a chain of a million nodes does not deepen the stack.
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tensor/op.h"

namespace gotorch {

class Node;

// Where a gradient goes: input slot `slot` of `node`. No node: nobody wants it.
struct Edge {
  Ref<Node> node;
  uint32_t slot = 0;
  explicit operator bool() const { return static_cast<bool>(node); }
};

// What the gradient of a result must look like.
struct ResultMeta {
  Dtype dtype;
  DimVector shape;
};

// Sees the gradient of a tensor and may return another one (undefined: unchanged).
using TensorHook = std::function<Tensor(const Tensor&)>;
struct HookList {
  std::vector<std::pair<uint64_t, TensorHook>> hooks;  // by id, in order of registration
  uint64_t next_id = 0;
  bool on_caller = false;  // some hook must run on the thread that called backward

  // Calls them all; each sees what the one before has returned. A hook may take itself away.
  Tensor run(Tensor g) const;
};

// What is asked of a node: whether the gradients have gradients themselves, and which of the first 32 edges need none.
struct Wanted {
  bool graph = false;
  uint32_t without = 0;
};

class Node : public RefCounted<Node> {
 public:
  static constexpr bool kObserved = true;  // accumulators are found through a plain pointer
  Node();
  virtual ~Node() = default;
  static void destroy(Node* node);

  // Gradients of the results in, gradients for the edges out (undefined: zero). Runs at most once at a time.
  virtual Tensors apply(Tensors& grads, Wanted wanted) = 0;
  virtual std::string name() const = 0;
  // Lets saved tensors go; apply then throws.
  virtual void release_saved() {}
  // Runs on the thread that called backward: Python code.
  virtual bool on_caller() const { return false; }
  // A leaf's accumulator: runs as soon as it is ready.
  virtual bool accumulates() const { return false; }

  SmallVector<Edge, 3> edges;
  SmallVector<ResultMeta, 1> results;
  std::vector<std::pair<uint32_t, std::shared_ptr<HookList>>> hooks;  // of the tensor at that slot
  // Higher for later calls. Backward runs the latest ready node first, and adds gradients in that order.
  uint64_t sequence;
};

// Autograd's part of a tensor.
struct Autograd : GradMeta {
  bool wants_grad = false;           // a leaf for which requires_grad was asked
  Edge history;                      // the node whose result this is
  Tensor grad;                       // of a leaf
  std::shared_ptr<Tensor> retained;  // the gradient of a result, after retain_grad()
  std::shared_ptr<HookList> hooks;
  std::shared_ptr<HookList>
      after_hooks;              // of a leaf: get the leaf itself once its gradient is complete
  std::mutex mutex;             // guards accumulator and grad against concurrent backward passes
  Node* accumulator = nullptr;  // borrowed; takes itself out when it goes

  static Autograd* of(const Tensor& t) { return static_cast<Autograd*>(t->grad.get()); }
  static Autograd& make(const Tensor& t);
};

// Where t's gradient goes; creates the accumulator of a leaf, and a new node for a view whose base was written to.
Edge gradient_edge(const Tensor& t);
// Makes t result `slot` of `node`.
void set_history(const Tensor& t, Ref<Node> node, uint32_t slot);
ResultMeta meta_of(const Tensor& t);

// A tensor kept for backward. Checks that it has not been written to since.
class SavedTensor {
 public:
  SavedTensor() = default;
  // `result_of`: t is result `slot` of that node, which must not own itself.
  SavedTensor(const Tensor& t, const Node* result_of, uint32_t slot = 0);
  // With its history if `with_history`. Throws if the memory has been written to since.
  Tensor unpack(Node* owner, bool with_history) const;
  bool defined() const { return data_.defined(); }
  void reset() { *this = {}; }

 private:
  Tensor data_;
  Edge history_;
  uint32_t version_ = 0;
  uint32_t slot_ = 0;
  bool is_result_ = false;
};

}  // namespace gotorch
