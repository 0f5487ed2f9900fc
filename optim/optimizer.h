#pragma once
// Optimizers: one rule per element, run in one fused pass over all parameters of a group.
//
//   optimizer_step(adamw, hyper, parameters, gradients, states, steps);
//
// A rule is compiled for each instruction set; work is cut by sizes only, so results do not depend on workers.
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace gotorch {

inline constexpr int kMaxStates = 4;
inline constexpr int kMaxHyper = 12;

// What one element's update needs besides the element: computed once per parameter.
struct StepScalars {
  double v[kMaxHyper] = {};
};

struct OptimizerRule {
  const char* name;
  std::vector<std::string> hyper;   // names of the numbers, in the order in which they are given
  std::vector<std::string> states;  // names of the tensors kept per parameter, each of its shape
  // From the hyper-parameters and the number of this step (from 1).
  StepScalars (*prepare)(std::span<const double> hyper, double step);
  // p[i], state[k][i] updated from g[i] for i < n.
  void (*float_loop)(const StepScalars& s, float* p, const float* g, float* const* state,
                     int64_t n);
  void (*double_loop)(const StepScalars& s, double* p, const double* g, double* const* state,
                      int64_t n);
};

const std::vector<OptimizerRule>& optimizer_rules();
const OptimizerRule* find_rule(std::string_view name);

// One step. states[k][i] is state k of parameter i; steps[i] is the number of this step for parameter i.
// Counts as a write to the parameters and states. Throws, before anything is written, if shapes or dtypes differ.
void optimizer_step(const OptimizerRule& rule, std::span<const double> hyper,
                    std::span<const Tensor> parameters, std::span<const Tensor> gradients,
                    std::span<const std::vector<Tensor>> states, std::span<const double> steps);

}  // namespace gotorch
