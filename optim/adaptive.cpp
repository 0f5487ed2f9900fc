// Optimizers that divide the gradient by a measure of its size so far.
#include <cmath>

#include "optim/update.h"

namespace gotorch::optimizers {
namespace {

template <class T, bool Centered, bool Momentum>
struct RmspropRule {
  static constexpr int kStates = 1 + Centered + Momentum;
  Gradient<T> gradient;
  T lr, alpha, fresh, eps, momentum;
  explicit RmspropRule(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
        lr(T(s.v[2])),
        alpha(T(s.v[3])),
        fresh(T(1 - s.v[3])),
        eps(T(s.v[4])),
        momentum(T(s.v[5])) {}
  T average(T d, T& square) const {
    square = square * alpha + fresh * d * d;
    return square;
  }
  T variance(T d, T& square, T& mean) const {
    average(d, square);
    mean = mean + fresh * (d - mean);
    return square - mean * mean;
  }
  T scaled(T d, T variance) const { return d / (math::sqrt(variance) + eps); }

  void update(T& p, T g, T& square) const {
    const T d = gradient(g, p);
    p = p - lr * scaled(d, average(d, square));
  }
  // The second state is the momentum's buffer, or the mean.
  void update(T& p, T g, T& square, T& other) const {
    const T d = gradient(g, p);
    if constexpr (Momentum) {
      other = other * momentum + scaled(d, average(d, square));
      p = p - lr * other;
    } else {
      p = p - lr * scaled(d, variance(d, square, other));
    }
  }
  void update(T& p, T g, T& square, T& buffer, T& mean) const {
    const T d = gradient(g, p);
    buffer = buffer * momentum + scaled(d, variance(d, square, mean));
    p = p - lr * buffer;
  }
};
template <class T>
using Rmsprop = RmspropRule<T, false, false>;
template <class T>
using RmspropCentered = RmspropRule<T, true, false>;
template <class T>
using RmspropMomentum = RmspropRule<T, false, true>;
template <class T>
using RmspropBoth = RmspropRule<T, true, true>;

template <class T>
struct Adagrad {
  static constexpr int kStates = 1;
  Gradient<T> gradient;
  T lr, eps;
  explicit Adagrad(const StepScalars& s)
      : gradient(s.v[0], s.v[1]), lr(T(s.v[2])), eps(T(s.v[3])) {}
  void update(T& p, T g, T& sum) const {
    const T d = gradient(g, p);
    sum = sum + d * d;
    p = p - lr * (d / (math::sqrt(sum) + eps));
  }
};

template <class T>
struct Adadelta {
  static constexpr int kStates = 2;
  Gradient<T> gradient;
  T lr, rho, fresh, eps;
  explicit Adadelta(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
        lr(T(s.v[2])),
        rho(T(s.v[3])),
        fresh(T(1 - s.v[3])),
        eps(T(s.v[4])) {}
  void update(T& p, T g, T& square, T& moved) const {
    const T d = gradient(g, p);
    square = square * rho + fresh * d * d;
    const T delta = math::sqrt(moved + eps) / math::sqrt(square + eps) * d;
    moved = moved * rho + fresh * delta * delta;
    p = p - lr * delta;
  }
};

}  // namespace

namespace rmsprop_options {
enum { lr, alpha, eps, weight_decay, momentum, centered, maximize };
}

extern const OptimizerDef rmsprop;
const OptimizerDef rmsprop{{
    .sig =
        "RMSprop(float lr=1e-2, float alpha=0.99, float eps=1e-8, float weight_decay=0, float "
        "momentum=0, "
        "bool centered=False, ignored capturable=False, ignored foreach=None, bool maximize=False, "
        "ignored differentiable=False)",
    .doc = "Gradients divided by a running average of their size (Hinton 2012).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"},
               {"eps", Limit::NotNegative, "epsilon value"},
               {"momentum"},
               {"weight_decay"},
               {"alpha"}},
    .states = {number("step"), tensor("square_avg"),
               tensor("momentum_buffer", nullptr,
                      [](Options o) { return o[rmsprop_options::momentum] > 0; }),
               tensor("grad_avg", nullptr,
                      [](Options o) { return o[rmsprop_options::centered] != 0; })},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace rmsprop_options;
      n[0] += 1;
      return {{sign_of(o[maximize]), o[weight_decay], o[lr], o[alpha], o[eps], o[momentum]}};
    },
    .loops =
        [](Options o) {
          using namespace rmsprop_options;
          if (o[momentum] > 0)
            return o[centered] != 0 ? loops<RmspropBoth>() : loops<RmspropMomentum>();
          return o[centered] != 0 ? loops<RmspropCentered>() : loops<Rmsprop>();
        },
}};

namespace adagrad_options {
enum { lr, lr_decay, weight_decay, start, eps, maximize };
}

extern const OptimizerDef adagrad;
const OptimizerDef adagrad{{
    .sig = "Adagrad(float lr=1e-2, float lr_decay=0, float weight_decay=0, float "
           "initial_accumulator_value=0, "
           "float eps=1e-10, ignored foreach=None, *, bool maximize=False, ignored "
           "differentiable=False, "
           "ignored fused=None)",
    .doc = "Gradients divided by the root of the sum of their squares (Duchi et al. 2011).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"},
               {"lr_decay"},
               {"weight_decay"},
               {"initial_accumulator_value"},
               {"eps", Limit::NotNegative, "epsilon value"}},
    .states = {number("step"), tensor("sum", [](Options o) { return o[adagrad_options::start]; })},
    .eager = true,
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace adagrad_options;
      n[0] += 1;
      return {
          {sign_of(o[maximize]), o[weight_decay], o[lr] / (1 + (n[0] - 1) * o[lr_decay]), o[eps]}};
    },
    .loops = [](Options) { return loops<Adagrad>(); },
}};

namespace adadelta_options {
enum { lr, rho, eps, weight_decay, maximize };
}

extern const OptimizerDef adadelta;
const OptimizerDef adadelta{{
    .sig = "Adadelta(float lr=1.0, float rho=0.9, float eps=1e-6, float weight_decay=0, ignored "
           "foreach=None, *, "
           "ignored capturable=False, bool maximize=False, ignored differentiable=False)",
    .doc = "Steps in the units of the parameters (Zeiler 2012).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"},
               {"rho", Limit::AtMostOne},
               {"eps", Limit::NotNegative, "epsilon value"},
               {"weight_decay"}},
    .states = {number("step"), tensor("square_avg"), tensor("acc_delta")},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace adadelta_options;
      n[0] += 1;
      return {{sign_of(o[maximize]), o[weight_decay], o[lr], o[rho], o[eps]}};
    },
    .loops = [](Options) { return loops<Adadelta>(); },
}};

}  // namespace gotorch::optimizers
