#include "grad/accumulate.h"

#include "grad/mode.h"
#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch {
namespace {

class Accumulate : public Node {
 public:
  explicit Accumulate(const Tensor& leaf) : leaf_(leaf) {
    sequence = UINT64_MAX;  // before everything else that is ready
    results.push_back(meta_of(leaf));
  }
  ~Accumulate() override {
    Autograd& a = *Autograd::of(leaf_);
    std::lock_guard lock(a.mutex);
    if (a.accumulator == this) a.accumulator = nullptr;
  }

  std::string name() const override { return "AccumulateGrad"; }
  bool accumulates() const override { return true; }
  bool on_caller() const override {
    const Autograd& a = *Autograd::of(leaf_);
    return (a.hooks && a.hooks->on_caller) || (a.after_hooks && a.after_hooks->on_caller);
  }

  Tensors apply(Tensors& grads, Wanted wanted) override {
    Autograd& a = *Autograd::of(leaf_);
    Tensor g = std::move(grads[0]);
    if (!g.defined()) return {};
    if (a.hooks) g = a.hooks->run(std::move(g));
    add(a, std::move(g), wanted.graph);
    if (a.after_hooks) a.after_hooks->run(leaf_);
    return {};
  }

  const Tensor& leaf() const { return leaf_; }

 private:
  static void add(Autograd& a, Tensor g, bool create_graph) {
    std::lock_guard lock(a.mutex);
    if (!a.grad.defined()) {
      // Nobody else sees this gradient: keep it as it is, pending or not.
      const bool ours = g->ref_count() == 1 && g.is_contiguous() && !g->base && !g->requires_grad;
      a.grad = ours || create_graph ? std::move(g) : copy_of(g, g.dtype());
    } else if (create_graph) {
      a.grad = a.grad + g;
    } else {
      const Value values[] = {a.grad, g, 1};
      call_inplace(ops::add, values);
    }
  }

  Tensor leaf_;
};

}  // namespace

const Tensor& leaf_of(const Node& accumulator) {
  return static_cast<const Accumulate&>(accumulator).leaf();
}

Ref<Node> accumulator_of(const Tensor& leaf) {
  Autograd& a = Autograd::make(leaf);
  std::lock_guard lock(a.mutex);
  if (a.accumulator && a.accumulator->try_retain()) return Ref<Node>::adopt(a.accumulator);
  auto node = Ref<Node>::adopt(new Accumulate(leaf));
  a.accumulator = node.get();
  return node;
}

}  // namespace gotorch
