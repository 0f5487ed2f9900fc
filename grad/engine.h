#pragma once
// Backward: gradients travel from results to leaves as messages to the slots of nodes.
//
//   backward(loss);                                     // adds to .grad of every leaf
//   Tensors g = gradients({loss}, {x, y});              // returns them instead
//
// Branches that do not depend on each other run at the same time where that pays; the sums, and so the bits, do not
// depend on it. Hooks that are not marked `on_caller` may therefore be called on any thread.
#include "grad/node.h"
#include "runtime/chan.h"

namespace gotorch {

// The gradient of `leaf` is complete: grad_of(leaf).
struct GradReady {
  Tensor leaf;
};

struct BackwardOptions {
  bool keep_graph = false;    // another pass will follow
  bool create_graph = false;  // gradients have gradients; keeps the graph too
  // Gets each leaf as soon as its gradient is complete, while the rest still runs; closed at the end, with the error if
  // there was one. Who receives may write to the leaf, provided that the graph uses it only as itself: what reads its
  // memory through detach() or `.data` may still have to run.
  runtime::chan<GradReady> ready = {};
};

// Undefined gradients stand for ones, which only a one-element result may leave out. With `inputs`, only those leaves get a gradient.
void backward(std::span<const Tensor> results, std::span<const Tensor> grads,
              const BackwardOptions& options = {}, std::span<const Tensor> inputs = {});
inline void backward(const Tensor& result, const BackwardOptions& options = {}) {
  backward(std::span(&result, 1), {}, options);
}
// Gradients of the results with respect to `inputs`; undefined where there is no path and `allow_unused`, else an error.
Tensors gradients(std::span<const Tensor> results, std::span<const Tensor> inputs,
                  std::span<const Tensor> grads = {}, const BackwardOptions& options = {},
                  bool allow_unused = false);

}  // namespace gotorch
