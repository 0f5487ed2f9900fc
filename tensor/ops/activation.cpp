// Activation functions.
#include "tensor/ops.h"
#include "tensor/simd/math.h"
#include "tensor/simd/math_normal.h"

namespace gotorch::ops {

const Op relu{{
    .sig = "relu(Tensor input) -> Tensor",
    .doc = "max(input, 0); NaN stays. The gradient at 0 is 0.",
    .scope = Scope::TorchNn,
    .dtypes = kNumbers,
    .kernel = pointwise<kNumbers>([](auto x) { return x < decltype(x)(0) ? decltype(x)(0) : x; }),
    .grad = {wrt("input", "result", [](auto& s) { return where(le(s.y(), 0), 0, s.g()); })},
    .samples = {{in(-2, 2)}},
}};

const Op sigmoid{{
    .sig = "sigmoid(Tensor input) -> Tensor",
    .doc = "1 / (1 + exp(-input)).",
    .scope = Scope::TorchNn,
    .dtypes = kAll,
    .kernel = pointwise<kFloats, ResultType::Float>([](auto x) { return math::sigmoid(x); }),
    .grad = {wrt("input", "result", [](auto& s) { return s.g() * (s.y() * (1 - s.y())); })},
    .samples = {{in(-4, 4)}},
}};

const Op logsigmoid{{
    .sig = "logsigmoid(Tensor input) -> Tensor",
    .doc = "log(sigmoid(input)) as min(input, 0) - log1p(exp(-|input|)), so exp <= 1.",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>(
        [](auto x) { return (x < 0 ? x : x * 0) - math::log1p(math::exp(-math::abs(x))); }),
    .grad = {wrt("input", "input", [](auto& s) { return s.g() * sigmoid(neg(s[0])); })},
    .samples = {{in(-4, 4)}},
}};

const Op softplus{{
    .sig = "softplus(Tensor input, float beta=1, float threshold=20) -> Tensor",
    .doc = "log(1 + exp(beta * input)) / beta. Linear above threshold, so exp cannot overflow.",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>(
        [](auto x, auto b, auto t) { return x * b > t ? x : math::log1p(math::exp(x * b)) / b; }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   const Tensor z = s[0] * s.scalar(1);
                   return where(gt(z, s.scalar(2)), s.g(), s.g() * sigmoid(z));
                 })},
    .samples = {{in(-4, 4)}, {in(-1, 1), 2.0, 20.0}, {in(-4, 4), 1.0, 2.0}},
}};

const Op leaky_relu{{
    .sig = "leaky_relu(Tensor input, float negative_slope=0.01) -> Tensor",
    .doc = "input where positive, negative_slope * input elsewhere. The gradient at 0 is "
           "negative_slope.",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x, auto a) { return x > 0 ? x : x * a; }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return where(gt(s[0], 0), s.g(), s.g() * s.scalar(1)); })},
    .samples = {{in(-4, 4)}, {in(-1, 1), 0.2}},
}};

const Op elu{{
    .sig = "elu(Tensor input, float alpha=1.0) -> Tensor",
    .doc = "input where positive, alpha * (exp(input) - 1) elsewhere.",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x, auto a) { return x > 0 ? x : a * math::expm1(x); }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   // exp only where it is used, and so cannot overflow.
                   return where(gt(s[0], 0), s.g(),
                                s.g() * (exp(clamp_max(s[0], 0)) * s.scalar(1)));
                 })},
    .samples = {{in(-4, 4)}, {in(-1, 1), 0.5}},
}};

const Op celu{{
    .sig = "celu(Tensor input, float alpha=1.0) -> Tensor",
    .doc = "max(0, input) + min(0, alpha * (exp(input / alpha) - 1)).",
    .scope = Scope::TorchNn,
    .kernel = pointwise<kFloats>([](auto x, auto a) { return x > 0 ? x : a * math::expm1(x / a); }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   return where(gt(s[0], 0), s.g(), s.g() * exp(clamp_max(s[0], 0) / s.scalar(1)));
                 })},
    .samples = {{in(-4, 4)}, {in(-1, 1), 0.5}},
}};

const Op selu{{
    .sig = "selu(Tensor input) -> Tensor",
    .doc = "scale * elu(input, alpha) with the constants of Klambauer et al. 2017.",
    .scope = Scope::TorchNn,
    .kernel = pointwise<kFloats>([](auto x) {
      using T = decltype(x);
      return T(1.0507009873554804934193349852946) *
             (x > 0 ? x : T(1.6732632423543772848170429916717) * math::expm1(x));
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   return where(
                       gt(s[0], 0), s.g() * 1.0507009873554804934193349852946,
                       s.g() * (exp(clamp_max(s[0], 0)) * 1.7580993408473768599402175208123));
                 })},
    .samples = {{in(-4, 4)}},
}};

const Op silu{{
    .sig = "silu(Tensor input) -> Tensor",
    .doc = "input * sigmoid(input).",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x) { return x / (1 + math::exp(-x)); }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   const Tensor p = sigmoid(s[0]);
                   return s.g() * (p * (s[0] * (1 - p) + 1));
                 })},
    .samples = {{in(-4, 4)}},
}};

const Op gelu_erf_backward{{
    .sig = "_gelu_erf_backward(Tensor grad, Tensor input) -> Tensor",
    .doc = "grad * (Phi(input) + input * phi(input)).",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto g, auto x) {
      const auto n = math::normal(x);
      return g * (n.cdf + x * n.density);
    }),
    .grad = {wrt("grad", "input", [](auto& s) { return gelu_erf_backward(s.g(), s[1]); }),
             wrt("input", "grad input",
                 [](auto& s) {
                   const Tensor x2 = square(s[1]),
                                density = exp(x2 * -0.5) * 0.39894228040143267794;
                   return s.g() * s[0] * density * (2 - x2);
                 })},
    .samples = {{in(-1, 1), in(-4, 4)}},
}};

const Op gelu_erf{{
    .sig = "_gelu_erf(Tensor input) -> Tensor",
    .doc = "input * Phi(input), Phi the normal distribution function.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto x) { return x * math::normal_cdf(x); }),
    .grad = {wrt("input", "input", [](auto& s) { return gelu_erf_backward(s.g(), s[0]); })},
    .samples = {{in(-4, 4)}},
}};

const Op gelu_tanh{{
    .sig = "_gelu_tanh(Tensor input) -> Tensor",
    .doc = "0.5 * input * (1 + tanh(sqrt(2/pi) * (input + 0.044715 * input^3))).",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto x) {
      using T = decltype(x);
      const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
      return T(0.5) * x * (1 + math::tanh(inner));
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   const Tensor x2 = square(s[0]);
                   const Tensor t = tanh(s[0] * (x2 * 0.044715 + 1) * 0.79788456080286535588);
                   const Tensor slope = (x2 * 0.134145 + 1) * 0.79788456080286535588;
                   return s.g() * ((t + 1) * 0.5 + s[0] * 0.5 * (1 - square(t)) * slope);
                 })},
    .samples = {{in(-4, 4)}},
}};

const Op gelu{{
    .sig = "gelu(Tensor input, *, str approximate='none') -> Tensor",
    .doc = "input * Phi(input), exact or with the tanh approximation of Hendrycks and Gimpel 2016.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      if (a.str(1) == "none") return gelu_erf(a[0]);
      check(a.str(1) == "tanh", "approximate argument must be either none or tanh.");
      return gelu_tanh(a[0]);
    }),
    .samples = {{in(-4, 4)}, {in(-4, 4), "tanh"}},
}};

const Op mish{{
    .sig = "mish(Tensor input) -> Tensor",
    .doc = "input * tanh(softplus(input)).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return a[0] * tanh(softplus(a[0])); }),
    .inplace = true,
    .samples = {{in(-4, 4)}},
}};

const Op hardtanh{{
    .sig = "hardtanh(Tensor input, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
    .doc = "input limited to [min_val, max_val]. The gradient at the limits is 0.",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x, auto lo, auto hi) {
      return x < lo ? lo : x > hi ? hi : x;
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   return where(logical_and(gt(s[0], s.scalar(1)), lt(s[0], s.scalar(2))), s.g(),
                                0);
                 })},
    .samples = {{in(-2, 2)}, {in(-2, 2), -0.5, 0.25}},
}};

const Op relu6{{
    .sig = "relu6(Tensor input) -> Tensor",
    .doc = "input limited to [0, 6].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return hardtanh(a[0], 0, 6); }),
    .inplace = true,
    .samples = {{in(-2, 8)}},
}};

const Op hardsigmoid{{
    .sig = "hardsigmoid(Tensor input) -> Tensor",
    .doc = "input / 6 + 1/2, limited to [0, 1].",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x) {
      using T = decltype(x);
      const T y = x + 3;
      return (y < 0 ? T(0) : y > 6 ? T(6) : y) / 6;
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   return where(logical_and(gt(s[0], -3), lt(s[0], 3)), s.g() * (1.0 / 6.0), 0);
                 })},
    .samples = {{in(-4, 4)}},
}};

const Op hardswish{{
    .sig = "hardswish(Tensor input) -> Tensor",
    .doc = "input * hardsigmoid(input).",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x) {
      using T = decltype(x);
      const T y = x + 3;
      return x * (y < 0 ? T(0) : y > 6 ? T(6) : y) / 6;
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   const Tensor inside = s.g() * (s[0] * (1.0 / 3.0) + 0.5);
                   return where(le(s[0], -3), 0, where(lt(s[0], 3), inside, s.g()));
                 })},
    .samples = {{in(-4, 4)}},
}};

const Op softsign{{
    .sig = "softsign(Tensor input) -> Tensor",
    .doc = "input / (1 + |input|).",
    .scope = Scope::Nn,
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) { return a[0] / (abs(a[0]) + 1); }),
    .samples = {{in(-4, 4)}},
}};

const Op tanhshrink{{
    .sig = "tanhshrink(Tensor input) -> Tensor",
    .doc = "input - tanh(input).",
    .scope = Scope::Nn,
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) { return a[0] - tanh(a[0]); }),
    .samples = {{in(-4, 4)}},
}};

const Op prelu_kernel{{
    .sig = "_prelu(Tensor input, Tensor weight) -> Tensor",
    .doc = "input where positive, weight * input elsewhere; weight broadcasts.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto x, auto w) { return x > 0 ? x : x * w; }),
    .grad = {wrt("input", "input weight",
                 [](auto& s) { return where(gt(s[0], 0), s.g(), s.g() * s[1]); }),
             wrt("weight", "input", [](auto& s) { return where(gt(s[0], 0), 0, s.g() * s[0]); })},
    .samples = {{in(-2, 2), in(-1, 1, {5})}},
}};

const Op prelu{{
    .sig = "prelu(Tensor input, Tensor weight) -> Tensor",
    .doc = "input where positive, weight * input elsewhere; one weight, or one for each channel "
           "(dimension 1).",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &w = a[1];
      if (w.numel() == 1) return prelu_kernel(x, reshape(w, DimVector{}));
      check(w.dim() == 1 && x.dim() > 0 && w.numel() == x.size(x.dim() > 1 ? 1 : 0),
            "weight must have one element or one for each channel of the input of shape ",
            x.shape(), ", got shape ", w.shape());
      DimVector shape(static_cast<size_t>(std::max<int64_t>(x.dim() - 1, 1)), 1);
      shape[0] = w.numel();
      return prelu_kernel(x, reshape(w, shape));
    }),
    .samples = {{in(-2, 2), in(-1, 1, {5})},
                {in(-2, 2, {2, 3, 4}), in(-1, 1, {1})},
                {in(-2, 2, {2, 3, 4}), in(-1, 1, {3})}},
    .errors = {{{in(-2, 2), in(-1, 1, {4})}, "weight must have one element or one for each"}},
}};

const Op threshold{{
    .sig = "threshold(Tensor input, Scalar threshold, Scalar value) -> Tensor",
    .doc = "input where above threshold, value elsewhere; NaN stays.",
    .scope = Scope::TorchNn,
    .kernel = pointwise<kFloats>([](auto x, auto t, auto v) { return x <= t ? v : x; }),
    .grad = {wrt("input", "input", [](auto& s) { return where(le(s[0], s.scalar(1)), 0, s.g()); })},
    .samples = {{in(-2, 2), 0.5, 3.0}},
}};

const Op hardshrink{{
    .sig = "hardshrink(Tensor input, Scalar lambd=0.5) -> Tensor",
    .doc = "input where |input| > lambd, 0 elsewhere; NaN stays.",
    .scope = Scope::TorchNn,
    .kernel = pointwise<kFloats>([](auto x, auto l) { return math::abs(x) <= l ? l * 0 : x; }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return where(le(abs(s[0]), s.scalar(1)), 0, s.g()); })},
    .samples = {{in(-2, 2)}, {in(-2, 2), 1.0}},
}};

const Op softshrink{{
    .sig = "softshrink(Tensor input, float lambd=0.5) -> Tensor",
    .doc = "input moved towards 0 by lambd, and 0 where |input| <= lambd; NaN stays.",
    .scope = Scope::Nn,
    .kernel = pointwise<kFloats>([](auto x, auto l) {
      const auto moved = x > 0 ? x - l : x + l;
      return math::abs(x) <= l ? l * 0 : moved;
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return where(le(abs(s[0]), s.scalar(1)), 0, s.g()); })},
    .validate =
        [](const Args& a) {
          check(a.number(1) >= 0, "lambda must be greater or equal to 0, but found to be ",
                a.number(1));
        },
    .samples = {{in(-2, 2)}, {in(-2, 2), 1.0}},
    .errors = {{{in(-2, 2), -1.0}, "lambda must be greater or equal to 0"}},
}};

const Op glu{{
    .sig = "glu(Tensor input, int dim=-1) -> Tensor",
    .doc = "a * sigmoid(b) for the halves a and b of input along dim (Dauphin et al. 2017).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      check(a[0].dim() > 0, "glu does not support 0-dimensional tensors");
      const int64_t d = wrap_dim(a.integer(1), a[0].dim()), n = a[0].size(d);
      check(n % 2 == 0, "Halving dimension must be even, but dimension ", d, " is size ", n);
      return narrow(a[0], d, 0, n / 2) * sigmoid(narrow(a[0], d, n / 2, n / 2));
    }),
    .samples = {{in(-2, 2, {3, 4})}, {in(-2, 2, {4, 3}), 0}},
    .errors = {{{in(-2, 2, {3, 5})}, "Halving dimension must be even"}},
}};

}  // namespace gotorch::ops
