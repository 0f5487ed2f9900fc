// The update rules. Each is written once, as one element's arithmetic, in PyTorch's order of operations.
#include <cmath>

#include "optim/optimizer.h"
#include "tensor/simd/isa.h"
#include "tensor/simd/math.h"

namespace gotorch {
namespace {

// The loop over one contiguous run; Rule::update changes p and the states from g.
template <class Rule, class T>
inline void loop(const StepScalars& s, T* __restrict p, const T* __restrict g, T* const* state,
                 int64_t n) {
  const Rule rule(s, T{});
  T* __restrict a = state[0];
  T* __restrict b = state[1];
  T* __restrict c = state[2];
  for (int64_t i = 0; i < n; i++) {
    if constexpr (Rule::kStates == 0) rule.update(p[i], g[i]);
    else if constexpr (Rule::kStates == 1) rule.update(p[i], g[i], a[i]);
    else if constexpr (Rule::kStates == 2) rule.update(p[i], g[i], a[i], b[i]);
    else rule.update(p[i], g[i], a[i], b[i], c[i]);
  }
}

template <template <class> class Rule>
OptimizerRule rule(const char* name, std::vector<std::string> hyper,
                   std::vector<std::string> states,
                   StepScalars (*prepare)(std::span<const double>, double)) {
  return {name,
          std::move(hyper),
          std::move(states),
          prepare,
          best_variant<&loop<Rule<float>, float>>(),
          best_variant<&loop<Rule<double>, double>>()};
}

// sign * g + decay * p: weight decay in the gradient, and maximization.
template <class T>
struct Gradient {
  T sign, decay;
  T operator()(T g, T p) const { return sign * g + decay * p; }
};

template <class T>
struct Sgd {
  static constexpr int kStates = 0;
  Gradient<T> gradient;
  T lr;
  Sgd(const StepScalars& s, T) : gradient{T(s.v[0]), T(s.v[1])}, lr(T(s.v[2])) {}
  void update(T& p, T g) const { p = p - lr * gradient(g, p); }
};

template <class T>
struct SgdMomentum {
  static constexpr int kStates = 1;
  Gradient<T> gradient;
  T lr, momentum, fresh, nesterov;
  SgdMomentum(const StepScalars& s, T)
      : gradient{T(s.v[0]), T(s.v[1])},
        lr(T(s.v[2])),
        momentum(T(s.v[3])),
        fresh(T(s.v[4])),
        nesterov(T(s.v[5])) {}
  void update(T& p, T g, T& buffer) const {
    const T d = gradient(g, p);
    buffer = buffer * momentum + d * fresh;
    p = p - lr * (nesterov != 0 ? d + momentum * buffer : buffer);
  }
};

StepScalars prepare_sgd(std::span<const double> h, double step) {
  // lr, momentum, dampening, weight_decay, nesterov, maximize. The first step starts the buffer with the gradient.
  return {{h[5] != 0 ? -1.0 : 1.0, h[3], h[0], h[1], step == 1 ? 1.0 : 1 - h[2], h[4]}};
}

// Adam and AdamW differ in where the decay goes: into the gradient, or as a factor on the parameter.
template <class T, bool Ams>
struct AdamRule {
  static constexpr int kStates = Ams ? 3 : 2;
  Gradient<T> gradient;
  T keep, fresh1, beta2, fresh2, step_size, root_correction, eps;
  AdamRule(const StepScalars& s, T)
      : gradient{T(s.v[0]), T(s.v[1])},
        keep(T(s.v[2])),
        fresh1(T(s.v[3])),
        beta2(T(s.v[4])),
        fresh2(T(s.v[5])),
        step_size(T(s.v[6])),
        root_correction(T(s.v[7])),
        eps(T(s.v[8])) {}
  void moments(T g, T& m, T& v) const {
    m = m + fresh1 * (g - m);
    v = v * beta2 + fresh2 * g * g;
  }
  void move(T& p, T m, T v) const {
    p = p - step_size * (m / (math::sqrt(v) / root_correction + eps));
  }
  void update(T& p, T g, T& m, T& v) const {
    const T d = gradient(g, p);
    p = p * keep;
    moments(d, m, v);
    move(p, m, v);
  }
  void update(T& p, T g, T& m, T& v, T& largest) const {
    const T d = gradient(g, p);
    p = p * keep;
    moments(d, m, v);
    largest = v > largest ? v : largest;
    move(p, m, largest);
  }
};
template <class T>
using Adam = AdamRule<T, false>;
template <class T>
using AdamAms = AdamRule<T, true>;

// lr, beta1, beta2, eps, weight_decay, maximize, decoupled.
StepScalars prepare_adam(std::span<const double> h, double step) {
  const bool decoupled = h[6] != 0;
  return {{h[5] != 0 ? -1.0 : 1.0, decoupled ? 0 : h[4], decoupled ? 1 - h[0] * h[4] : 1, 1 - h[1],
           h[2], 1 - h[2], h[0] / (1 - std::pow(h[1], step)), std::sqrt(1 - std::pow(h[2], step)),
           h[3]}};
}

template <class T>
struct Rmsprop {
  static constexpr int kStates = 3;
  Gradient<T> gradient;
  T lr, alpha, fresh, eps, momentum, centered;
  Rmsprop(const StepScalars& s, T)
      : gradient{T(s.v[0]), T(s.v[1])},
        lr(T(s.v[2])),
        alpha(T(s.v[3])),
        fresh(T(s.v[4])),
        eps(T(s.v[5])),
        momentum(T(s.v[6])),
        centered(T(s.v[7])) {}
  void update(T& p, T g, T& square_avg, T& buffer, T& grad_avg) const {
    const T d = gradient(g, p);
    square_avg = square_avg * alpha + fresh * d * d;
    grad_avg = grad_avg + fresh * (d - grad_avg);
    const T variance = centered != 0 ? square_avg - grad_avg * grad_avg : square_avg;
    buffer = buffer * momentum + d / (math::sqrt(variance) + eps);
    p = p - lr * buffer;
  }
};

StepScalars prepare_rmsprop(std::span<const double> h, double) {
  // lr, alpha, eps, weight_decay, momentum, centered, maximize.
  return {{h[6] != 0 ? -1.0 : 1.0, h[3], h[0], h[1], 1 - h[1], h[2], h[4], h[5]}};
}

template <class T>
struct Adagrad {
  static constexpr int kStates = 1;
  Gradient<T> gradient;
  T lr, eps;
  Adagrad(const StepScalars& s, T)
      : gradient{T(s.v[0]), T(s.v[1])}, lr(T(s.v[2])), eps(T(s.v[3])) {}
  void update(T& p, T g, T& sum) const {
    const T d = gradient(g, p);
    sum = sum + d * d;
    p = p - lr * (d / (math::sqrt(sum) + eps));
  }
};

StepScalars prepare_adagrad(std::span<const double> h, double step) {
  // lr, lr_decay, weight_decay, eps, maximize.
  return {{h[4] != 0 ? -1.0 : 1.0, h[2], h[0] / (1 + (step - 1) * h[1]), h[3]}};
}

}  // namespace

const std::vector<OptimizerRule>& optimizer_rules() {
  static const auto* rules = new std::vector<OptimizerRule>{
      rule<Sgd>("sgd", {"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"}, {},
                prepare_sgd),
      rule<SgdMomentum>("sgd_momentum",
                        {"lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"},
                        {"momentum_buffer"}, prepare_sgd),
      rule<Adam>("adam", {"lr", "beta1", "beta2", "eps", "weight_decay", "maximize", "decoupled"},
                 {"exp_avg", "exp_avg_sq"}, prepare_adam),
      rule<AdamAms>("adam_amsgrad",
                    {"lr", "beta1", "beta2", "eps", "weight_decay", "maximize", "decoupled"},
                    {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, prepare_adam),
      rule<Rmsprop>("rmsprop",
                    {"lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize"},
                    {"square_avg", "momentum_buffer", "grad_avg"}, prepare_rmsprop),
      rule<Adagrad>("adagrad", {"lr", "lr_decay", "weight_decay", "eps", "maximize"}, {"sum"},
                    prepare_adagrad),
  };
  return *rules;
}

}  // namespace gotorch
