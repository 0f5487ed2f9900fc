#pragma once
// One step of an optimizer over many parameters: a single pass, cut by sizes only, so results do not depend on workers.
#include <vector>

#include "optim/definition.h"
#include "tensor/tensor.h"

namespace gotorch {

// A parameter with a gradient, and its state: one tensor per state of the definition, undefined where it has none yet.
struct StepItem {
  Tensor parameter, gradient;
  SmallVector<Tensor, 4> state;
};

// Makes what is missing of a parameter's state. True if anything was.
bool complete_state(const OptimizerDef& def, Options options, const Tensor& parameter,
                    std::span<Tensor> state);

// Completes the states and updates states and parameters, which counts as writing to them. Throws, before anything is
// written, if shapes or dtypes differ.
void optimizer_step(const OptimizerDef& def, Options options, std::span<StepItem> items);

}  // namespace gotorch
