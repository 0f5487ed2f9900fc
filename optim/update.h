#pragma once
// What the rules of optimizers are made of: one element's arithmetic, and the loop over it for each instruction set.
//
// A rule is a struct of scalars in the type of the computation, built from StepScalars, with `kStates` and
//   void update(T& p, T g, T& state...) const;
#include "optim/definition.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch::optimizers {

template <class Rule, class T>
inline void update_loop(const StepScalars& s, T* __restrict p, const T* __restrict g,
                        T* const* state, int64_t n) {
  const Rule rule(s);
  T* __restrict a = Rule::kStates > 0 ? state[0] : nullptr;
  T* __restrict b = Rule::kStates > 1 ? state[1] : nullptr;
  T* __restrict c = Rule::kStates > 2 ? state[2] : nullptr;
  for (int64_t i = 0; i < n; i++) {
    if constexpr (Rule::kStates == 0) rule.update(p[i], g[i]);
    else if constexpr (Rule::kStates == 1) rule.update(p[i], g[i], a[i]);
    else if constexpr (Rule::kStates == 2) rule.update(p[i], g[i], a[i], b[i]);
    else rule.update(p[i], g[i], a[i], b[i], c[i]);
  }
}

template <template <class> class Rule>
UpdateLoops loops() {
  static const UpdateLoops variants{best_variant<&update_loop<Rule<float>, float>>(),
                                    best_variant<&update_loop<Rule<double>, double>>()};
  return variants;
}

// sign * g + decay * p: weight decay in the gradient, and maximization.
template <class T>
struct Gradient {
  T sign, decay;
  Gradient(double sign, double decay) : sign(T(sign)), decay(T(decay)) {}
  T operator()(T g, T p) const { return sign * g + decay * p; }
};
inline double sign_of(double maximize) { return maximize != 0 ? -1.0 : 1.0; }

// Running averages of the gradient and of its square.
template <class T>
struct Moments {
  T fresh1, beta2, fresh2;
  Moments(double beta1, double beta2)
      : fresh1(T(1 - beta1)), beta2(T(beta2)), fresh2(T(1 - beta2)) {}
  void update(T g, T& m, T& v) const {
    m = m + fresh1 * (g - m);
    v = v * beta2 + fresh2 * g * g;
  }
};

}  // namespace gotorch::optimizers
