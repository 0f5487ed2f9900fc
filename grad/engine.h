#pragma once
// Backward: gradients travel from results to leaves as messages to the slots of nodes.
//
//   backward(loss);                                     // adds to .grad of every leaf
//   Tensors g = gradients({loss}, {x, y});              // returns them instead
#include <functional>

#include "grad/node.h"

namespace gotorch {

struct BackwardOptions {
  bool keep_graph = false;    // another pass will follow
  bool create_graph = false;  // gradients have gradients; keeps the graph too
  // Called with each leaf as soon as its gradient is complete, while the rest still runs. On the thread that runs the node.
  std::function<void(const Tensor& leaf)> ready = nullptr;
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
