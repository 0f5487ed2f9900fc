#include "grad/engine.h"

#include "grad/pass.h"

namespace gotorch {
namespace {

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

void end(const runtime::chan<GradReady>& ready, std::exception_ptr error) {
  if (!ready) return;
  try {
    ready.close(std::move(error));
  } catch (const runtime::ChanError&) {  // the receiver was faster
  }
}

}  // namespace

void backward(std::span<const Tensor> results, std::span<const Tensor> grads,
              const BackwardOptions& options, std::span<const Tensor> inputs) {
  try {
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
  } catch (...) {
    end(options.ready, std::current_exception());
    throw;
  }
  end(options.ready, nullptr);
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
