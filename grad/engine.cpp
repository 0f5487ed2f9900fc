// Invariants
//  - A node runs once, when all its uses that can be reached have sent their gradient.
//  - Gradients that arrive at one slot are kept apart until the node runs, then added in descending order of the senders'
//    sequence numbers: the sum does not depend on which sender was first.
//  - Of the nodes that are ready, the one that was recorded last runs first.
#include "grad/engine.h"

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "grad/accumulate.h"
#include "grad/mode.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/reduce.h"

namespace gotorch {
namespace {

struct Message {
  uint32_t slot;
  uint64_t sender;
  Tensor gradient;
};

struct State {
  bool visited = false;
  bool wanted = false;  // somebody asked for what arrives here
  bool needed = true;   // wanted, or on the way to something that is
  int waiting_for = 0;  // uses that have not sent yet
  SmallVector<Message, 2> inbox;
};

struct Capture {
  const Node* node;
  uint32_t slot;
};

struct Earlier {
  bool operator()(const Node* a, const Node* b) const { return a->sequence < b->sequence; }
};

bool broadcasts_to(Dims from, Dims to) {
  if (from.size() > to.size()) return false;
  const size_t lead = to.size() - from.size();
  for (size_t i = 0; i < from.size(); i++)
    if (from[i] != to[lead + i] && from[i] != 1) return false;
  return true;
}

// The gradient in the shape and dtype of what it is the gradient of.
Tensor fitted(Tensor g, const Edge& e, const Node& from) {
  const ResultMeta& meta = e.node->results[e.slot];
  if (!same(g.shape(), meta.shape)) {
    check(broadcasts_to(meta.shape, g.shape()), from.name(), " returned a gradient of shape ",
          g.shape(), " for a tensor of shape ", Dims(meta.shape));
    g = sum_to(g, meta.shape);
  }
  if (g.dtype() != meta.dtype) g = _to_dtype(g, meta.dtype);
  return g;
}

// One backward pass.
class Pass {
 public:
  Pass(std::span<const Edge> roots, const BackwardOptions& options)
      : roots_(roots), options_(options) {
    count_uses();
  }

  // Restricts the pass to what leads to these. `capture`: keep what arrives there; otherwise accumulators run.
  void restrict_to(std::span<const Edge> targets, bool capture) {
    restricted_ = true;
    captures_ = capture;
    for (const Edge& e : targets) {
      if (e) states_[e.node.get()].wanted = true;
      if (capture) captured_at_.push_back({e.node.get(), e.slot});
    }
    captured_.resize(captured_at_.size());
    // Users have higher sequence numbers than what they use; accumulators use nothing.
    std::sort(order_.begin(), order_.end(), [](const Node* a, const Node* b) {
      return (a->accumulates() ? 0 : a->sequence) < (b->accumulates() ? 0 : b->sequence);
    });
    for (Node* node : order_) states_[node].needed = states_[node].wanted || leads_on(*node);
  }

  Tensors run(std::span<const Tensor> grads) {
    const GradModeGuard mode(options_.create_graph);
    for (size_t i = 0; i < roots_.size(); i++)
      states_[roots_[i].node.get()].inbox.push_back({roots_[i].slot, UINT64_MAX - i, grads[i]});
    for (const Edge& root : roots_) {
      State& s = states_[root.node.get()];
      if (s.waiting_for != 0) continue;
      s.waiting_for = -1;  // a root may be named twice
      ready_.push(root.node.get());
    }
    while (!ready_.empty()) {
      Node* node = ready_.top();
      ready_.pop();
      step(*node);
    }
    return std::move(captured_);
  }

 private:
  void count_uses() {
    std::vector<Node*> stack;
    const auto visit = [&](Node* node) -> State& {
      State& s = states_[node];
      if (!s.visited) {
        s.visited = true;
        stack.push_back(node);
        order_.push_back(node);
      }
      return s;
    };
    for (const Edge& root : roots_) visit(root.node.get());
    while (!stack.empty()) {
      Node* node = stack.back();
      stack.pop_back();
      for (const Edge& e : node->edges)
        if (e) visit(e.node.get()).waiting_for++;
    }
  }

  bool leads_on(const Node& node) {
    for (const Edge& e : node.edges)
      if (e && states_[e.node.get()].needed) return true;
    return false;
  }

  bool runs(const Node& node, const State& s) {
    if (!restricted_) return true;
    return node.accumulates() ? s.wanted && !captures_ : leads_on(node);
  }

  // What arrived, added slot by slot, after the hooks of the tensors that these are the gradients of.
  static Tensors collect(const Node& node, State& s) {
    Tensors grads(node.results.size(), Tensor());
    std::stable_sort(s.inbox.begin(), s.inbox.end(),
                     [](const Message& a, const Message& b) { return a.sender > b.sender; });
    for (Message& m : s.inbox) {
      Tensor& sum = grads[m.slot];
      sum = sum.defined() ? sum + m.gradient : std::move(m.gradient);
    }
    s.inbox.clear();
    for (const auto& [slot, list] : node.hooks) {
      for (const auto& [id, hook] : list->hooks) {
        if (!grads[slot].defined()) continue;
        if (Tensor replaced = hook(grads[slot]); replaced.defined())
          grads[slot] = std::move(replaced);
      }
    }
    return grads;
  }

  void step(Node& node) {
    State& s = states_[&node];
    Tensors grads = collect(node, s);
    for (size_t i = 0; i < captured_at_.size(); i++)
      if (captured_at_[i].node == &node) captured_[i] = grads[captured_at_[i].slot];
    Tensors out;
    if (runs(node, s)) {
      out = node.apply(grads, options_.create_graph);
      if (!options_.keep_graph && !options_.create_graph) node.release_saved();
      if (node.accumulates() && options_.ready) options_.ready(leaf_of(node));
    }
    for (size_t i = 0; i < node.edges.size(); i++) {
      const Edge& e = node.edges[i];
      if (!e) continue;
      State& to = states_[e.node.get()];
      if (i < out.size() && out[i].defined())
        to.inbox.push_back({e.slot, node.sequence, fitted(std::move(out[i]), e, node)});
      if (--to.waiting_for == 0) ready_.push(e.node.get());
    }
  }

  std::span<const Edge> roots_;
  const BackwardOptions& options_;
  bool restricted_ = false;
  bool captures_ = false;
  std::unordered_map<const Node*, State> states_;
  std::vector<Node*> order_;
  std::vector<Capture> captured_at_;
  Tensors captured_;
  std::priority_queue<Node*, std::vector<Node*>, Earlier> ready_;
};

struct Roots {
  SmallVector<Edge, 2> edges;
  Tensors grads;
};

Roots roots_of(std::span<const Tensor> results, std::span<const Tensor> grads) {
  Roots roots;
  for (size_t i = 0; i < results.size(); i++) {
    const Tensor& y = results[i];
    roots.edges.push_back(gradient_edge(y));
    check(static_cast<bool>(roots.edges.back()), "element ", i,
          " of tensors does not require grad and does not have a grad_fn");
    if (i < grads.size() && grads[i].defined()) {
      check(same(grads[i].shape(), y.shape()), "Mismatch in shape: grad_output[", i,
            "] has a shape of ", grads[i].shape(), " and output[", i, "] has a shape of ",
            y.shape(), ".");
      roots.grads.push_back(grads[i]);
    } else {
      check(y.numel() == 1, "grad can be implicitly created only for scalar outputs, got shape ",
            y.shape());
      Tensor one = empty(y.shape(), y.dtype());
      store_scalar(one.raw(), y.dtype(), 1);
      roots.grads.push_back(one);
    }
  }
  return roots;
}

}  // namespace

void backward(std::span<const Tensor> results, std::span<const Tensor> grads,
              const BackwardOptions& options, std::span<const Tensor> inputs) {
  const Roots roots = roots_of(results, grads);
  Pass pass(roots.edges, options);
  if (!inputs.empty()) {
    SmallVector<Edge, 4> targets;
    for (const Tensor& x : inputs) {
      targets.push_back(gradient_edge(x));
      check(targets.back() && targets.back().node->accumulates(),
            "backward: inputs must be leaves that require grad");
    }
    pass.restrict_to(targets, false);
  }
  pass.run(roots.grads);
}

Tensors gradients(std::span<const Tensor> results, std::span<const Tensor> inputs,
                  std::span<const Tensor> grads, const BackwardOptions& options,
                  bool allow_unused) {
  const Roots roots = roots_of(results, grads);
  SmallVector<Edge, 4> targets;
  for (const Tensor& x : inputs) {
    targets.push_back(gradient_edge(x));
    check(static_cast<bool>(targets.back()),
          "One of the differentiated Tensors does not require grad");
  }
  Pass pass(roots.edges, options);
  pass.restrict_to(targets, true);
  Tensors out = pass.run(roots.grads);
  for (const Tensor& g : out)
    check(allow_unused || g.defined(),
          "One of the differentiated Tensors appears to not have been used in the graph. "
          "Set allow_unused=True if this is the desired behavior.");
  return out;
}

}  // namespace gotorch
