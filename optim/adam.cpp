// Adam and its relatives: steps scaled by running estimates of the gradient's moments.
#include <cmath>

#include "optim/update.h"

namespace gotorch::optimizers {
namespace {

// Adam and AdamW differ in where the decay goes: into the gradient, or as a factor on the parameter.
template <class T, bool Ams>
struct AdamRule {
  static constexpr int kStates = Ams ? 3 : 2;
  Gradient<T> gradient;
  T keep;
  Moments<T> moments;
  T step_size, root_correction, eps;
  explicit AdamRule(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
        keep(T(s.v[2])),
        moments(s.v[3], s.v[4]),
        step_size(T(s.v[5])),
        root_correction(T(s.v[6])),
        eps(T(s.v[7])) {}
  void update(T& p, T g, T& m, T& v) const {
    moments.update(gradient(g, p), m, v);
    move(p, m, v);
  }
  void update(T& p, T g, T& m, T& v, T& largest) const {
    moments.update(gradient(g, p), m, v);
    largest = v <= largest ? largest : v;  // NaN wins
    move(p, m, largest);
  }
  void move(T& p, T m, T v) const {
    p = p * keep - step_size * (m / (math::sqrt(v) / root_correction + eps));
  }
};
template <class T>
using Adam = AdamRule<T, false>;
template <class T>
using AdamAms = AdamRule<T, true>;

template <class T>
struct NesterovAdam {
  static constexpr int kStates = 2;
  Gradient<T> gradient;
  T keep;
  Moments<T> moments;
  T gradient_size, momentum_size, correction2, eps;
  explicit NesterovAdam(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
        keep(T(s.v[2])),
        moments(s.v[3], s.v[4]),
        gradient_size(T(s.v[5])),
        momentum_size(T(s.v[6])),
        correction2(T(s.v[7])),
        eps(T(s.v[8])) {}
  void update(T& p, T g, T& m, T& v) const {
    const T d = gradient(g, p);
    moments.update(d, m, v);
    const T root = math::sqrt(v / correction2) + eps;
    p = p * keep - gradient_size * (d / root) - momentum_size * (m / root);
  }
};

// Until the variance of the second moment can be estimated, plain momentum.
template <class T>
struct RectifiedAdam {
  static constexpr int kStates = 2;
  Gradient<T> gradient;
  T keep;
  Moments<T> moments;
  T correction1, lr, rectified, scale, eps;
  explicit RectifiedAdam(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
        keep(T(s.v[2])),
        moments(s.v[3], s.v[4]),
        correction1(T(s.v[5])),
        lr(T(s.v[6])),
        rectified(T(s.v[7])),
        scale(T(s.v[8])),
        eps(T(s.v[9])) {}
  void update(T& p, T g, T& m, T& v) const {
    moments.update(gradient(g, p), m, v);
    const T direction = m / correction1 * lr;
    const T adapted = scale / (math::sqrt(v) + eps);
    p = p * keep - direction * (rectified != 0 ? adapted : T(1));
  }
};

// The second moment is a decaying maximum.
template <class T>
struct MaximumAdam {
  static constexpr int kStates = 2;
  Gradient<T> gradient;
  T fresh1, beta2, step_size, eps;
  explicit MaximumAdam(const StepScalars& s)
      : gradient(s.v[0], s.v[1]),
        fresh1(T(1 - s.v[2])),
        beta2(T(s.v[3])),
        step_size(T(s.v[4])),
        eps(T(s.v[5])) {}
  void update(T& p, T g, T& m, T& largest) const {
    const T d = gradient(g, p);
    m = m + fresh1 * (d - m);
    const T kept = beta2 * largest, now = (d < 0 ? -d : d) + eps;
    largest = now <= kept ? kept : now;  // NaN wins
    p = p - step_size * (m / largest);
  }
};

const std::vector<Limit> kAdamLimits = {{"lr", Limit::NotNegative, "learning rate"},
                                        {"eps", Limit::NotNegative, "epsilon value"},
                                        {"betas", Limit::BelowOne, "beta parameter"},
                                        {"weight_decay"}};

namespace adam_options {
enum { lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled };
}

bool amsgrad(Options o) { return o[adam_options::amsgrad] != 0; }
const std::vector<StateDef> kAdamStates = {number("step"), tensor("exp_avg"), tensor("exp_avg_sq"),
                                           tensor("max_exp_avg_sq", nullptr, amsgrad)};

StepScalars adam_scalars(Options o, Numbers n, bool decoupled) {
  using namespace adam_options;
  n[0] += 1;
  return {{sign_of(o[maximize]), decoupled ? 0 : o[weight_decay],
           decoupled ? 1 - o[lr] * o[weight_decay] : 1, o[beta1], o[beta2],
           o[lr] / (1 - std::pow(o[beta1], n[0])), std::sqrt(1 - std::pow(o[beta2], n[0])),
           o[eps]}};
}

UpdateLoops adam_loops(Options o) { return amsgrad(o) ? loops<AdamAms>() : loops<Adam>(); }

}  // namespace

extern const OptimizerDef adam;
const OptimizerDef adam{{
    .sig = "Adam(float lr=1e-3, float[2] betas=(0.9, 0.999), float eps=1e-8, float weight_decay=0, "
           "bool amsgrad=False, *, "
           "ignored foreach=None, bool maximize=False, ignored capturable=False, ignored "
           "differentiable=False, "
           "ignored fused=None, bool decoupled_weight_decay=False)",
    .doc =
        "Adam (Kingma and Ba 2015): steps scaled by running estimates of the gradient's moments.",
    .limits = kAdamLimits,
    .states = kAdamStates,
    .prepare = [](Options o, Numbers n,
                  bool) { return adam_scalars(o, n, o[adam_options::decoupled] != 0); },
    .loops = adam_loops,
}};

extern const OptimizerDef adamw;
const OptimizerDef adamw{{
    .sig = "AdamW(float lr=1e-3, float[2] betas=(0.9, 0.999), float eps=1e-8, float "
           "weight_decay=1e-2, "
           "bool amsgrad=False, *, bool maximize=False, ignored foreach=None, ignored "
           "capturable=False, "
           "ignored differentiable=False, ignored fused=None)",
    .doc = "Adam with decoupled weight decay (Loshchilov and Hutter 2019).",
    .limits = kAdamLimits,
    .states = kAdamStates,
    .prepare = [](Options o, Numbers n, bool) { return adam_scalars(o, n, true); },
    .loops = adam_loops,
}};

namespace nadam_options {
enum { lr, beta1, beta2, eps, weight_decay, momentum_decay, decoupled, maximize };
}

extern const OptimizerDef nadam;
const OptimizerDef nadam{{
    .sig =
        "NAdam(float lr=2e-3, float[2] betas=(0.9, 0.999), float eps=1e-8, float weight_decay=0, "
        "float momentum_decay=4e-3, bool decoupled_weight_decay=False, *, ignored foreach=None, "
        "bool maximize=False, "
        "ignored capturable=False, ignored differentiable=False)",
    .doc = "Adam with Nesterov's momentum (Dozat 2016).",
    .limits = {{"lr", Limit::NotNegative, "learning rate"},
               {"eps", Limit::NotNegative, "epsilon value"},
               {"betas", Limit::BelowOne, "beta parameter"},
               {"weight_decay"},
               {"momentum_decay"}},
    .states = {number("step"), number("mu_product", [](Options) { return 1.0; }), tensor("exp_avg"),
               tensor("exp_avg_sq")},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace nadam_options;
      const bool apart = o[decoupled] != 0;
      const double step = n[0] += 1;
      const double mu = o[beta1] * (1 - 0.5 * std::pow(0.96, step * o[momentum_decay]));
      const double next = o[beta1] * (1 - 0.5 * std::pow(0.96, (step + 1) * o[momentum_decay]));
      const double product = n[1] = static_cast<float>(n[1] * mu);
      return {{sign_of(o[maximize]), apart ? 0 : o[weight_decay],
               apart ? 1 - o[lr] * o[weight_decay] : 1, o[beta1], o[beta2],
               o[lr] * (1 - mu) / (1 - product), o[lr] * next / (1 - product * next),
               1 - std::pow(o[beta2], step), o[eps]}};
    },
    .loops = [](Options) { return loops<NesterovAdam>(); },
}};

namespace radam_options {
enum { lr, beta1, beta2, eps, weight_decay, decoupled, maximize };
}

extern const OptimizerDef radam;
const OptimizerDef radam{{
    .sig =
        "RAdam(float lr=1e-3, float[2] betas=(0.9, 0.999), float eps=1e-8, float weight_decay=0, "
        "bool decoupled_weight_decay=False, *, ignored foreach=None, bool maximize=False, ignored "
        "capturable=False, "
        "ignored differentiable=False)",
    .doc = "Adam whose first steps are rectified (Liu et al. 2020).",
    .limits = kAdamLimits,
    .states = {number("step"), tensor("exp_avg"), tensor("exp_avg_sq")},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace radam_options;
      const bool apart = o[decoupled] != 0;
      const double step = n[0] += 1;
      const double correction2 = 1 - std::pow(o[beta2], step);
      const double longest = 2 / (1 - o[beta2]) - 1;
      const double length = longest - 2 * step * std::pow(o[beta2], step) / correction2;
      const bool rectified = length > 5;
      const double scale = std::sqrt((length - 4) * (length - 2) * longest /
                                     ((longest - 4) * (longest - 2) * length));
      return {{sign_of(o[maximize]), apart ? 0 : o[weight_decay],
               apart ? 1 - o[lr] * o[weight_decay] : 1, o[beta1], o[beta2],
               1 - std::pow(o[beta1], step), o[lr], rectified ? 1.0 : 0.0,
               rectified ? scale * std::sqrt(correction2) : 0.0, o[eps]}};
    },
    .loops = [](Options) { return loops<RectifiedAdam>(); },
}};

namespace adamax_options {
enum { lr, beta1, beta2, eps, weight_decay, maximize };
}

extern const OptimizerDef adamax;
const OptimizerDef adamax{{
    .sig =
        "Adamax(float lr=2e-3, float[2] betas=(0.9, 0.999), float eps=1e-8, float weight_decay=0, "
        "ignored foreach=None, *, bool maximize=False, ignored differentiable=False, ignored "
        "capturable=False)",
    .doc = "Adam with a maximum in place of the second moment (Kingma and Ba 2015).",
    .limits = kAdamLimits,
    .states = {number("step"), tensor("exp_avg"), tensor("exp_inf")},
    .prepare = [](Options o, Numbers n, bool) -> StepScalars {
      using namespace adamax_options;
      n[0] += 1;
      return {{sign_of(o[maximize]), o[weight_decay], o[beta1], o[beta2],
               o[lr] / (1 - std::pow(o[beta1], n[0])), o[eps]}};
    },
    .loops = [](Options) { return loops<MaximumAdam>(); },
}};

}  // namespace gotorch::optimizers
