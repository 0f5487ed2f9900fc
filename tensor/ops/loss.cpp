// Losses. Those with class indices as targets have fused kernels; the others are composed, and fuse by themselves.
#include "tensor/ops/loss.h"

#include "tensor/copy.h"
#include "tensor/kernels/cross_entropy.h"
#include "tensor/ops.h"
#include "tensor/promote.h"
#include "tensor/simd/math_base.h"

namespace gotorch::ops {
namespace {

kernels::Reduction kernel_reduction(std::string_view s) {
  if (s == "mean") return kernels::Reduction::Mean;
  if (s == "sum") return kernels::Reduction::Sum;
  check<ValueError>(s == "none", s, " is not a valid value for reduction");
  return kernels::Reduction::None;
}

void check_same_size(const Tensor& input, const Tensor& target) {
  check<ValueError>(same(input.shape(), target.shape()), "Using a target size (", target.shape(),
                    ") that is different to the input size (", input.shape(),
                    ") is deprecated. Please ensure they have the same size.");
}

Tensor weighted(const Tensor& loss, const Tensor& input, const Tensor& weight) {
  check<ValueError>(same(weight.shape(), input.shape()),
                    "Weights and input must have the same size. Got ", weight.shape(), " and ",
                    input.shape());
  return loss * weight;
}

// The losses of (input, target, size_average, reduce, reduction, weight), reduced.
Tensor weighted_loss(const Args& a, const Tensor& loss) {
  const std::string_view reduction = reduction_at(a, 4);
  if (!a.given(5)) return reduced_loss(loss, reduction);
  const Tensor all = weighted(loss, a[0], a[5]);
  return reduction == "mean" ? sum(all) / sum(a[5]) : reduced_loss(all, reduction);
}

// Of _smooth_l1 to its input: d / beta, at most 1 in size.
Tensor smooth_l1_slope(const GradArgs& s) {
  return clamp((s[0] - s[1]) / s.scalar(2), -1, 1);
}

// [n, c, s] of logits and [n, s] of targets, checked.
struct ClassShape {
  int64_t n = 1, c, s = 1;
};
ClassShape class_shape(const Tensor& x, const Tensor& target, const Tensor& weight) {
  check(x.dim() >= 1, "input tensor should have at least one dimension");
  check(target.dtype() == Dtype::Int64 || target.dtype() == Dtype::UInt8 ||
            target.dtype() == Dtype::Int32,
        "expected class indices of an integer type, got ", target.dtype());
  ClassShape p;
  const size_t channel = x.dim() == 1 ? 0 : 1;
  DimVector expected;
  for (size_t d = 0; d < static_cast<size_t>(x.dim()); d++) {
    if (d == channel) p.c = x.size(static_cast<int64_t>(d));
    else {
      expected.push_back(x.shape()[d]);
      (d == 0 ? p.n : p.s) *= x.shape()[d];
    }
  }
  if (x.dim() > 1 && target.dim() > 0)
    check<ValueError>(target.size(0) == x.size(0), "Expected input batch_size (", x.size(0),
                      ") to match target batch_size (", target.size(0), ").");
  check(same(target.shape(), expected), "Expected target size ", Dims(expected), ", got ",
        target.shape());
  check(!weight.defined() || (weight.dim() == 1 && weight.size(0) == p.c),
        "weight tensor should be defined either for all ", p.c,
        " classes or no classes but got weight tensor of shape: ",
        weight.defined() ? weight.shape() : Dims());
  return p;
}

// The arguments of both kernels, in the compute type.
struct ClassArgs {
  Tensor x, target, weight;
  ClassShape shape;
  int64_t ignore_index;
  kernels::Reduction reduction;
  double smoothing = 0;

  template <class T>
  kernels::ClassLoss<T> pack(const Tensor& total, const Tensor& max, const Tensor& sum) const {
    kernels::ClassLoss<T> p{x.data<T>(),
                            target.data<int64_t>(),
                            weight.defined() ? weight.data<T>() : nullptr,
                            shape.n,
                            shape.c,
                            shape.s};
    p.ignore_index = ignore_index;
    p.reduction = reduction;
    p.smoothing = smoothing;
    p.total_weight = total.data<T>();
    if (max.defined()) p.max = max.data<T>();
    if (sum.defined()) p.sum = sum.data<T>();
    return p;
  }
};

// (input, target, weight, ignore_index, reduction[, smoothing]) from position `at`.
ClassArgs class_args(const Args& a, size_t at, bool smoothing) {
  const Dtype compute = compute_dtype(a[at].dtype());
  const Tensor weight = a.tensor_or(at + 2);
  check(!weight.defined() || weight.dtype() == a[at].dtype(), "expected the weight to be of ",
        a[at].dtype(), ", got ", weight.defined() ? weight.dtype() : Dtype::Float);
  ClassArgs c{packed(a[at], compute),
              packed(a[at + 1], Dtype::Int64),
              weight.defined() ? packed(weight, compute) : Tensor(),
              class_shape(a[at], a[at + 1], weight),
              a.integer(at + 3),
              kernel_reduction(a.str(at + 4))};
  if (smoothing) c.smoothing = a.number(at + 5);
  return c;
}

void check_targets(const std::optional<kernels::BadIndex>& bad) {
  if (bad) fail<IndexError>("Target ", bad->value, " is out of bounds.");
}

template <class F>
void in_type_of(const Tensor& x, F&& f) {
  if (x.dtype() == Dtype::Double) f.template operator()<double>();
  else f.template operator()<float>();
}

Tensor rounded(const Tensor& x, Dtype d) { return x.dtype() == d ? x : copy_of(x, d); }

// For a gradient of a gradient: the loss's gradient in public ops.
Tensor class_gradient(const Tensor& g, const Tensor& probabilities, const Args& a, bool of_logits) {
  const Tensor& x = a[0];
  const int64_t dim = x.dim() == 1 ? 0 : 1;
  const Tensor target = unsqueeze(_to_dtype(a[1], Dtype::Int64), dim);
  const Tensor mask = _to_dtype(ne(target, a.integer(3)), x.dtype());
  DimVector shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(dim)] = x.size(dim);
  const Tensor classes = reshape(arange(x.size(dim)), shape);
  const Tensor hot = _to_dtype(eq(target, classes), x.dtype()) * mask;
  const double e = of_logits ? a.number(5) : 0;
  const Tensor w =
      a.tensor_or(2).defined() ? reshape(a[2], shape) : gotorch::scalar_tensor(1, x.dtype());
  // d loss / d log p: minus the (smoothed, weighted) target distribution.
  const Tensor weighted = hot * w;
  const Tensor q =
      e ? weighted * (1 - e) + w * mask * (e / static_cast<double>(x.size(dim))) : weighted;
  Tensor scale = g;
  if (a.str(4) == "none") scale = unsqueeze(g, dim);
  else if (a.str(4) == "mean") scale = g / sum(weighted);
  if (!of_logits) return neg(q) * scale;
  return (probabilities * sum(q, IntList(dim), true) - q) * scale;
}

}  // namespace

std::string_view reduction_at(const Args& a, size_t at, size_t size_average) {
  const size_t reduce = at - 1;
  if (!a.given(size_average) && !a.given(reduce)) return a.str(at);
  if (a.given(reduce) && !a.flag(reduce)) return "none";
  return !a.given(size_average) || a.flag(size_average) ? "mean" : "sum";
}

Tensor reduced_loss(const Tensor& loss, std::string_view reduction) {
  switch (kernel_reduction(reduction)) {
    case kernels::Reduction::Mean: return mean(loss);
    case kernels::Reduction::Sum: return sum(loss);
    default: return loss;
  }
}

const Op nll_loss_kernel{{
    .sig = "_nll_loss(Tensor input, Tensor target, Tensor? weight, int ignore_index, str "
           "reduction) -> (Tensor result, Tensor total_weight)",
    .doc = "nll_loss, and the sum of the weights of the targets.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const ClassArgs c = class_args(a, 0, false);
      const bool plain = c.reduction == kernels::Reduction::None;
      const Tensor loss = gotorch::empty(plain ? a[1].shape() : Dims(), c.x.dtype()),
                   total = gotorch::empty({}, c.x.dtype());
      in_type_of(c.x, [&]<class T>() {
        check_targets(kernels::nll_loss(c.pack<T>(total, {}, {}), loss.data<T>()));
      });
      return {rounded(loss, a[0].dtype()), total};
    }),
    .grad = {wrt("input", "input target weight total_weight",
                 [](auto& s) -> Tensor {
                   if (grad_mode().enabled) return class_gradient(s.g(), {}, s, false);
                   const ClassArgs c = class_args(s, 0, false);
                   const Tensor g = packed(s.g(), c.x.dtype()), total = packed(s.y(1), c.x.dtype());
                   const Tensor gx = gotorch::empty(s.shape(0), c.x.dtype());
                   in_type_of(c.x, [&]<class T>() {
                     check_targets(kernels::nll_loss_backward(c.pack<T>(total, {}, {}), g.data<T>(),
                                                              gx.data<T>()));
                   });
                   return gx;
                 })},
    .samples = {{in(-2, 0, {3, 5}), indices(0, 5, {3}), none, -100, "mean"}},
    .untested = "grad, gradgrad: only the first result has a gradient",
}};

const Op nll_loss{{
    .sig = "nll_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, "
           "int ignore_index=-100, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "-weight[target] * input[target]: input [n, c, ...] of log-probabilities, target [n, "
           "...] of class indices. "
           "'mean' divides by the sum of the weights.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) {
      return std::move(
          nll_loss_kernel.all(a[0], a[1], a.tensor_or(2), a.integer(4), reduction_at(a, 6, 3))[0]);
    }),
    .samples = {{in(-2, 0, {3, 5}), indices(0, 5, {3})},
                {in(-2, 0, {3, 5, 2}), indices(0, 5, {3, 2}), in(0.5, 1, {5}), none, 1, none,
                 "sum"},
                {in(-2, 0, {5}), indices(0, 5, {}), none, none, -100, none, "none"}},
    .errors = {{{in(-2, 0, {3, 5}), indices(7, 8, {3})}, "Target 7 is out of bounds."}},
}};

const Op cross_entropy_kernel{{
    .sig = "_cross_entropy(Tensor input, Tensor target, Tensor? weight, int ignore_index, str "
           "reduction, float label_smoothing) -> (Tensor result, Tensor total_weight, Tensor max, "
           "Tensor sum)",
    .doc = "cross_entropy with class indices, and what its gradient needs.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const ClassArgs c = class_args(a, 0, true);
      const bool plain = c.reduction == kernels::Reduction::None;
      const Dtype d = c.x.dtype();
      const Tensor loss = gotorch::empty(plain ? a[1].shape() : Dims(), d),
                   total = gotorch::empty({}, d);
      const Tensor max = gotorch::empty(a[1].shape(), d), sum = gotorch::empty(a[1].shape(), d);
      in_type_of(c.x, [&]<class T>() {
        check_targets(kernels::cross_entropy(c.pack<T>(total, max, sum), loss.data<T>()));
      });
      return {rounded(loss, a[0].dtype()), total, max, sum};
    }),
    .grad = {wrt("input", "input target weight total_weight max sum",
                 [](auto& s) -> Tensor {
                   if (grad_mode().enabled)
                     return class_gradient(
                         s.g(), softmax_kernel(s[0], s.shape(0).size() == 1 ? 0 : 1), s, true);
                   const ClassArgs c = class_args(s, 0, true);
                   const Dtype d = c.x.dtype();
                   const Tensor g = packed(s.g(), d), total = packed(s.y(1), d),
                                max = packed(s.y(2), d), sum = packed(s.y(3), d);
                   const Tensor gx = gotorch::empty(s.shape(0), d);
                   in_type_of(c.x, [&]<class T>() {
                     check_targets(kernels::cross_entropy_backward(c.pack<T>(total, max, sum),
                                                                   g.data<T>(), gx.data<T>()));
                   });
                   return gx;
                 })},
    .samples = {{in(-2, 2, {3, 5}), indices(0, 5, {3}), none, -100, "mean", 0.0}},
    .untested = "grad, gradgrad: only the first result has a gradient",
}};

const Op cross_entropy{{
    .sig = "cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? "
           "size_average=None, int ignore_index=-100, bool? reduce=None, str reduction='mean', "
           "float label_smoothing=0.0) -> Tensor",
    .doc = "-log softmax(input)[target]: input [n, c, ...] of logits, target [n, ...] of class "
           "indices or [n, c, ...] of "
           "probabilities.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &target = a[1];
      const double e = a.number(7);
      check(e >= 0 && e <= 1, "label_smoothing must be between 0.0 and 1.0. Got: ", e);
      if (!target.is_floating())
        return std::move(cross_entropy_kernel.all(x, target, a.tensor_or(2), a.integer(4),
                                                  reduction_at(a, 6, 3), e)[0]);
      check(same(x.shape(), target.shape()),
            "cross_entropy with probabilities: expected target of shape ", x.shape(), ", got ",
            target.shape());
      const int64_t dim = x.dim() == 1 ? 0 : 1;
      const double c = static_cast<double>(x.size(dim));
      const Tensor q = e > 0 ? target * (1 - e) + e / c : target;
      Tensor terms = log_softmax_kernel(x, dim) * q;
      if (a.given(2)) {
        DimVector shape(static_cast<size_t>(x.dim()), 1);
        shape[static_cast<size_t>(dim)] = x.size(dim);
        terms = terms * reshape(a[2], shape);
      }
      const Tensor loss = neg(sum(terms, IntList(dim)));
      // Unlike with indices, the mean is over positions, not weights.
      return reduced_loss(loss, reduction_at(a, 6, 3));
    }),
    .samples = {{in(-2, 2, {3, 5}), indices(0, 5, {3})},
                {in(-2, 2, {3, 5}), indices(0, 5, {3}), in(0.5, 1, {5}), none, 2, none, "mean",
                 0.1},
                {in(-2, 2, {3, 5, 2}), indices(0, 5, {3, 2}), none, none, -100, none, "none"},
                {in(-2, 2, {3, 5}), indices(0, 5, {3}), none, false},
                {in(-2, 2, {3, 5}), in(0, 1, {3, 5})},
                {in(-2, 2, {5}), indices(0, 5, {}), none, none, -100, none, "sum"}},
    .errors = {{{in(-2, 2, {3, 5}), indices(5, 6, {3})}, "Target 5 is out of bounds."},
               {{in(-2, 2, {3, 5}), indices(0, 5, {4})}, "batch_size"}},
}};

const Op mse_loss{{
    .sig = "mse_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
           "reduction='mean', Tensor? weight=None) -> Tensor",
    .doc = "(input - target)^2 * weight, reduced; the mean is over the sum of the weights.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return weighted_loss(a, square(a[0] - a[1])); }),
    .samples = {{in(-1, 1), in(-1, 1)},
                {in(-1, 1), in(-1, 1), none, none, "sum"},
                {in(-1, 1), in(-1, 1), none, none, "none"},
                {in(-1, 1), in(-1, 1), false},
                {in(-1, 1), in(-1, 1), true, false},
                {in(-1, 1), in(-1, 1), none, true, "none"},
                {in(-1, 1), in(-1, 1), none, none, "mean", in(0.1, 1)},
                {in(-1, 1), in(-1, 1), none, none, "sum", in(0.1, 1)}},
    .errors = {{{in(-1, 1), in(-1, 1), none, none, "mean", in(0, 1, {5})},
                "Weights and input must have the same size."}},
    .ulp = 8,
}};

const Op l1_loss{{
    .sig = "l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
           "reduction='mean', Tensor? weight=None) -> Tensor",
    .doc = "|input - target| * weight, reduced; the mean is over the sum of the weights.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return weighted_loss(a, abs(a[0] - a[1])); }),
    .samples = {{in(-1, 1), in(-1, 1)},
                {in(-1, 1), in(-1, 1), none, none, "sum"},
                {in(-1, 1), in(-1, 1), none, none, "mean", in(0.1, 1)}},
    .ulp = 8,
}};

const Op smooth_l1{{
    .sig = "_smooth_l1(Tensor input, Tensor target, Scalar beta) -> Tensor",
    .doc = "d^2 / (2 beta) where d = |input - target| < beta, d - beta / 2 elsewhere.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto x, auto t, auto beta) {
      using T = decltype(x);
      const T d = math::abs(x - t);
      return d < beta ? d * d * (T(0.5) / beta) : d - T(0.5) * beta;
    }),
    .grad = {wrt("input", "input target", [](auto& s) { return s.g() * smooth_l1_slope(s); }),
             wrt("target", "input target", [](auto& s) { return neg(s.g() * smooth_l1_slope(s)); })},
    .samples = {{in(-2, 2), in(-2, 2), 0.5}},
}};

const Op smooth_l1_loss{{
    .sig = "smooth_l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? "
           "reduce=None, str reduction='mean', float beta=1.0) -> Tensor",
    .doc = "d^2 / (2 beta) where d = |input - target| < beta, d - beta / 2 elsewhere, reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const double beta = a.number(5);
      check(beta >= 0, "smooth_l1_loss does not support negative values for beta, got ", beta);
      return reduced_loss(beta == 0 ? abs(a[0] - a[1]) : smooth_l1(a[0], a[1], beta),
                          reduction_at(a, 4));
    }),
    .samples = {{in(-2, 2), in(-2, 2)}, {in(-2, 2), in(-2, 2), none, none, "none", 0.5}},
}};

const Op huber_loss{{
    .sig = "huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0, Tensor? "
           "weight=None) -> Tensor",
    .doc = "d^2 / 2 where d = |input - target| < delta, delta * (d - delta / 2) elsewhere, times "
           "weight, reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const double delta = a.number(3);
      check(delta > 0, "huber_loss does not support non-positive values for delta, got ", delta);
      if (!a.given(4)) return reduced_loss(smooth_l1(a[0], a[1], delta) * delta, a.str(2));
      return reduced_loss(weighted(smooth_l1(a[0], a[1], delta) * delta, a[0], a[4]), a.str(2));
    }),
    .samples = {{in(-2, 2), in(-2, 2)},
                {in(-2, 2), in(-2, 2), "sum", 0.5},
                {in(-2, 2), in(-2, 2), "mean", 0.5, in(0.1, 1)}},
}};

const Op binary_cross_entropy{{
    .sig = "binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? "
           "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "-(target * log(input) + (1 - target) * log(1 - input)) * weight, reduced. Logarithms "
           "are cut off at -100.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      check_same_size(a[0], a[1]);
      const Tensor yes = clamp_min(log(a[0]), -100), no = clamp_min(log1p(neg(a[0])), -100);
      const Tensor loss = (a[1] - 1) * no - a[1] * yes;
      return reduced_loss(a.given(2) ? loss * a[2] : loss, reduction_at(a, 5));
    }),
    .samples = {{in(0.1, 0.9), in(0, 1)}, {in(0.1, 0.9), in(0, 1), in(0.5, 1), none, none, "sum"}},
    .errors = {{{in(0.1, 0.9, {3}), in(0, 1, {4})}, "different to the input size"}},
}};

const Op binary_cross_entropy_with_logits{{
    .sig = "binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, "
           "bool? size_average=None, bool? reduce=None, str reduction='mean', Tensor? "
           "pos_weight=None) -> Tensor",
    .doc = "binary_cross_entropy(sigmoid(input), target), as (1 - target) * input + "
           "softplus(-input), which cannot overflow.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &target = a[1];
      check<ValueError>(same(x.shape(), target.shape()), "Target size (", target.shape(),
                        ") must be the same as input size (", x.shape(), ")");
      const Tensor log_no = neg(logsigmoid(x));
      Tensor loss = a.given(6) ? (1 - target) * x + ((a[6] - 1) * target + 1) * log_no
                               : (1 - target) * x + log_no;
      return reduced_loss(a.given(2) ? loss * a[2] : loss, reduction_at(a, 5));
    }),
    .samples = {{in(-2, 2), in(0, 1)},
                {in(-2, 2), in(0, 1), in(0.5, 1), none, none, "sum", in(0.5, 2, {5})}},
    .errors = {{{in(-1, 1, {3}), in(0, 1, {4})}, "must be the same as input size"}},
}};

const Op kl_div{{
    .sig = "kl_div(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
           "reduction='mean', bool log_target=False) -> Tensor",
    .doc = "target * (log(target) - input), reduced; input is of log-probabilities. 'batchmean' "
           "divides the sum by the batch.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &target = a[1];
      const Tensor loss =
          a.flag(5) ? exp(target) * (target - x) : xlogy(target, target) - target * x;
      if (reduction_at(a, 4) == "batchmean") return sum(loss) / (x.dim() ? x.size(0) : 1);
      return reduced_loss(loss, reduction_at(a, 4));
    }),
    .samples = {{in(-2, 0), in(0.1, 1)}, {in(-2, 0), in(-2, 0), none, none, "batchmean", true}},
}};

const Op xlogy{{
    .sig = "xlogy(Tensor input, Operand other) -> Tensor",
    .doc = "input * log(other), and 0 where input is 0.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Dtype dtype = a[0].is_floating() ? a[0].dtype() : default_dtype();
      const Tensor y = a.value(1).is_tensor() ? a[1] : gotorch::scalar_tensor(a.scalar(1), dtype);
      const Tensor zero = logical_and(eq(a[0], 0), logical_not(isnan(y)));
      // log sees 1 where it does not count, so that no infinity meets the zero, in the gradient either.
      return where(zero, 0, a[0] * log(where(zero, 1, y)));
    }),
    .samples = {{in(0, 2), in(0.1, 2)}, {in(0, 2), 1.5}},
}};

const Op poisson_nll_loss{{
    .sig =
        "poisson_nll_loss(Tensor input, Tensor target, bool log_input=True, bool full=False, bool? "
        "size_average=None, float eps=1e-08, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "exp(input) - target * input, or with log_input=False input - target * log(input + "
           "eps), reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &target = a[1];
      Tensor loss = a.flag(2) ? exp(x) - target * x : x - target * log(x + a.number(5));
      if (a.flag(3)) {
        const Tensor stirling =
            target * log(target) - target + log(target * 6.283185307179586) * 0.5;
        loss = loss + where(gt(target, 1), stirling, 0);
      }
      return reduced_loss(loss, reduction_at(a, 7, 4));
    }),
    .samples = {{in(-1, 1), in(0, 3)}, {in(0.5, 1), in(2, 3), false, true}},
}};

const Op hinge_embedding_loss{{
    .sig = "hinge_embedding_loss(Tensor input, Tensor target, float margin=1.0, bool? "
           "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "input where target is 1, max(0, margin - input) where it is -1, reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) {
      const Tensor apart = where(ne(a[1], 1), clamp_min(a.number(2) - a[0], 0), 0);
      return reduced_loss(apart + where(ne(a[1], -1), a[0], 0), reduction_at(a, 5));
    }),
    .samples = {{in(-1, 2), in(1, 1.0001)}},
}};

const Op margin_ranking_loss{{
    .sig = "margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, bool? "
           "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "max(0, -target * (input1 - input2) + margin), reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) {
      return reduced_loss(clamp_min(neg(a[2]) * (a[0] - a[1]) + a.number(3), 0),
                          reduction_at(a, 6));
    }),
    .samples = {{in(-1, 1), in(-1, 1), in(-1, 1)}, {in(-1, 1), in(-1, 1), in(-1, 1), 0.5}},
}};

}  // namespace gotorch::ops
