// Optimizers that follow the gradient, or its sign, itself.
#include <cmath>

#include "optim/update.h"
#include "tensor/error.h"

namespace gotorch::optimizers {
namespace {

template <class T>
struct Plain {
  static constexpr int kStates = 0;
  Gradient<T> gradient;
  T lr;
  explicit Plain(const StepScalars& s) : gradient(s.v[0], s.v[1]), lr(T(s.v[2])) {}
  void update(T& p, T g) const { p = p - lr * gradient(g, p); }
};

template <class T>
struct Momentum {
  static constexpr int kStates = 1;
  Gradient<T> gradient;
  T lr, momentum, fresh, nesterov;
  explicit Momentum(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
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

// The average `ax` trails the parameter.
template <class T>
struct Averaged {
  static constexpr int kStates = 1;
  Gradient<T> gradient;
  T keep, eta, mu;
  explicit Averaged(const StepScalars& s)
      : gradient(s.v[0], s.v[1]), keep(T(s.v[2])), eta(T(s.v[3])), mu(T(s.v[4])) {}
  void update(T& p, T g, T& ax) const {
    const T d = gradient(g, p);
    p = p * keep - eta * d;
    ax = mu == 1 ? p : ax + mu * (p - ax);
  }
};

// Each element has a step size of its own, which grows while the gradient keeps its sign.
template <class T>
struct Resilient {
  static constexpr int kStates = 2;
  T sign, shrink, grow, smallest, largest;
  explicit Resilient(const StepScalars& s)
      : sign(T(s.v[0])),
        shrink(T(s.v[1])),
        grow(T(s.v[2])),
        smallest(T(s.v[3])),
        largest(T(s.v[4])) {}
  void update(T& p, T g, T& previous, T& size) const {
    const T d = sign * g, agreement = d * previous;
    const T scaled = size * (agreement > 0 ? grow : agreement < 0 ? shrink : T(1));
    const T bounded = scaled < smallest ? smallest : scaled;
    size = bounded > largest ? largest : bounded;
    const T followed = agreement < 0 ? T(0) : d;
    p = p - (followed > 0 ? size : followed < 0 ? -size : T(0));
    previous = followed;
  }
};

}  // namespace

namespace sgd_options {
enum { lr, momentum, dampening, weight_decay, nesterov, maximize };
}

extern const OptimizerDef sgd;
const OptimizerDef sgd{{
    .sig = "SGD(float lr=1e-3, float momentum=0, float dampening=0, float weight_decay=0, bool "
           "nesterov=False, *, "
           "bool maximize=False, ignored foreach=None, ignored differentiable=False, ignored "
           "fused=None)",
    .doc = "Stochastic gradient descent, with momentum (Sutskever et al. 2013).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"}, {"momentum"}, {"weight_decay"}},
    .validate =
        [](Options o) {
          using namespace sgd_options;
          check<ValueError>(o[nesterov] == 0 || (o[momentum] > 0 && o[dampening] == 0),
                            "Nesterov momentum requires a momentum and zero dampening");
        },
    .states = {tensor("momentum_buffer", nullptr,
                      [](Options o) { return o[sgd_options::momentum] != 0; })},
    .prepare = [](Options o, Numbers, bool first) -> StepScalars {
      using namespace sgd_options;
      // The first step starts the buffer with the gradient.
      return {{sign_of(o[maximize]), o[weight_decay], o[lr], o[momentum],
               first ? 1.0 : 1 - o[dampening], o[nesterov]}};
    },
    .loops =
        [](Options o) {
          return o[sgd_options::momentum] != 0 ? loops<Momentum>() : loops<Plain>();
        },
}};

namespace asgd_options {
enum { lr, lambd, alpha, t0, weight_decay, maximize };
}

extern const OptimizerDef asgd;
const OptimizerDef asgd{{
    .sig = "ASGD(float lr=1e-2, float lambd=1e-4, float alpha=0.75, float t0=1e6, float "
           "weight_decay=0, "
           "ignored foreach=None, bool maximize=False, ignored differentiable=False, ignored "
           "capturable=False)",
    .doc = "Gradient descent that also averages the parameters (Polyak and Juditsky 1992).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"}, {"weight_decay"}},
    .states = {number("step"), number("eta", [](Options o) { return o[asgd_options::lr]; }),
               number("mu", [](Options) { return 1.0; }), tensor("ax")},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace asgd_options;
      const double eta = n[1], mu = n[2];  // as the step before left them
      n[0] += 1;
      n[1] = o[lr] / std::pow(1 + o[lambd] * o[lr] * n[0], o[alpha]);
      n[2] = 1 / std::max(1.0, n[0] - o[t0]);
      return {{sign_of(o[maximize]), o[weight_decay], 1 - o[lambd] * eta, eta, mu}};
    },
    .loops = [](Options) { return loops<Averaged>(); },
}};

namespace rprop_options {
enum { lr, eta_minus, eta_plus, smallest, largest, maximize };
}

extern const OptimizerDef rprop;
const OptimizerDef rprop{{
    .sig = "Rprop(float lr=1e-2, float[2] etas=(0.5, 1.2), float[2] step_sizes=(1e-6, 50), *, "
           "ignored capturable=False, "
           "ignored foreach=None, bool maximize=False, ignored differentiable=False)",
    .doc = "Steps by the sign of the gradient, for whole batches (Riedmiller and Braun 1993).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"}},
    .validate =
        [](Options o) {
          using namespace rprop_options;
          check<ValueError>(0 < o[eta_minus] && o[eta_minus] < 1 && 1 < o[eta_plus],
                            "Invalid eta values: ", o[eta_minus], ", ", o[eta_plus]);
        },
    .states = {number("step"), tensor("prev"),
               tensor("step_size", [](Options o) { return o[rprop_options::lr]; })},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace rprop_options;
      n[0] += 1;
      return {{sign_of(o[maximize]), o[eta_minus], o[eta_plus], o[smallest], o[largest]}};
    },
    .loops = [](Options) { return loops<Resilient>(); },
}};

}  // namespace gotorch::optimizers
