// Softmax and log_softmax over one dimension.
#include "tensor/kernels/softmax.h"

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/axis.h"
#include "tensor/ops/expect.h"

namespace gotorch::ops {
namespace {

// A kernel over one or two inputs of the shape of the first; 16-bit floats are computed in float32.
template <class F>
Tensor along(const Tensor& a, const Tensor& b, int64_t dim, F&& kernel) {
  if (b.defined()) expect_shape("result", b, a.shape());
  const Dtype compute = compute_dtype(a.dtype());
  const Tensor x = packed(a, compute), y = b.defined() ? packed(b, compute) : Tensor();
  Tensor out = gotorch::empty(a.shape(), compute);
  const auto run = [&]<class T>() {
    kernel(x.data<T>(), b.defined() ? y.data<T>() : nullptr, out.data<T>(),
           axis_of(a.shape(), wrap_dim(dim, a.dim())));
  };
  if (compute == Dtype::Double) run.template operator()<double>();
  else run.template operator()<float>();
  return out.dtype() == a.dtype() ? out : copy_of(out, a.dtype());
}

// `dtype`: convert first.
Tensor as_given(const Args& a, size_t i) {
  return a.given(i) && a.value(i).dtype() != a[0].dtype() ? _to_dtype(a[0], a.value(i).dtype())
                                                          : a[0];
}

int64_t given_dim(const Args& a, size_t i) {
  if (a.given(i)) return a.integer(i);
  // What PyTorch's implicit choice was before it asked for a dim.
  return a[0].dim() == 0 || a[0].dim() == 1 || a[0].dim() == 3 ? 0 : 1;
}

}  // namespace

const Op softmax_backward{{
    .sig = "_softmax_backward(Tensor grad, Tensor result, int dim) -> Tensor",
    .doc = "result * (grad - sum(grad * result)).",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      return along(a[0], a[1], a.integer(2),
                   [](const auto* g, const auto* y, auto* gx, kernels::Axis axis) {
                     kernels::softmax_backward(g, y, gx, axis);
                   });
    }),
    .grad = {wrt("grad", "result",
                 [](auto& s) { return softmax_backward(s.g(), s[1], s.integer(2)); }),
             wrt("result", "grad result",
                 [](auto& s) {
                   const int64_t dim = s.integer(2);
                   const Tensor inner = s[0] - sum(s[0] * s[1], IntList(dim), true);
                   return s.g() * inner - s[0] * sum(s.g() * s[1], IntList(dim), true);
                 })},
    .samples = {{in(-1, 1), in(0, 1), 1}},
}};

const Op softmax_kernel{{
    .sig = "_softmax(Tensor input, int dim) -> Tensor",
    .doc = "exp(input) / sum(exp(input)) along dim.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      return along(a[0], {}, a.integer(1),
                   [](const auto* x, const auto*, auto* y, kernels::Axis axis) {
                     kernels::softmax(x, y, axis);
                   });
    }),
    .grad = {wrt("input", "result",
                 [](auto& s) { return softmax_backward(s.g(), s.y(), s.integer(1)); })},
    .samples = {{in(-4, 4), 1}, {in(-4, 4), 0}},
}};

const Op softmax{{
    .sig = "softmax(Tensor input, int? dim=None, *, dtype? dtype=None) -> Tensor",
    .doc = "exp(input) / sum(exp(input)) along dim. The maximum is subtracted first, so exp <= 1.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return softmax_kernel(as_given(a, 2), given_dim(a, 1)); }),
    .samples = {{in(-4, 4), 1}, {in(-4, 4), 0}, {in(-4, 4, {2, 3, 4}), -2}},
    .errors = {{{in(-1, 1), 5}, "Dimension out of range"}},
}};

const Op log_softmax_backward{{
    .sig = "_log_softmax_backward(Tensor grad, Tensor result, int dim) -> Tensor",
    .doc = "grad - exp(result) * sum(grad).",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      return along(a[0], a[1], a.integer(2),
                   [](const auto* g, const auto* y, auto* gx, kernels::Axis axis) {
                     kernels::log_softmax_backward(g, y, gx, axis);
                   });
    }),
    .grad = {wrt("grad", "result",
                 [](auto& s) {
                   return s.g() - sum(s.g() * exp(s[1]), IntList(s.integer(2)), true);
                 }),
             wrt("result", "grad result",
                 [](auto& s) {
                   return neg(s.g() * exp(s[1]) * sum(s[0], IntList(s.integer(2)), true));
                 })},
    .samples = {{in(-1, 1), in(-2, 0), 1}},
}};

const Op log_softmax_kernel{{
    .sig = "_log_softmax(Tensor input, int dim) -> Tensor",
    .doc = "log(softmax(input)) along dim.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      return along(a[0], {}, a.integer(1),
                   [](const auto* x, const auto*, auto* y, kernels::Axis axis) {
                     kernels::log_softmax(x, y, axis);
                   });
    }),
    .grad = {wrt("input", "result",
                 [](auto& s) { return log_softmax_backward(s.g(), s.y(), s.integer(1)); })},
    .samples = {{in(-4, 4), 1}, {in(-4, 4), 0}},
}};

const Op log_softmax{{
    .sig = "log_softmax(Tensor input, int? dim=None, *, dtype? dtype=None) -> Tensor",
    .doc = "log(softmax(input)) along dim, without the loss of digits of that formula.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return log_softmax_kernel(as_given(a, 2), given_dim(a, 1)); }),
    .samples = {{in(-4, 4), 1}, {in(-4, 4), 0}, {in(-4, 4, {2, 3, 4}), -2}},
    .errors = {{{in(-1, 1), 5}, "Dimension out of range"}},
}};

const Op softmin{{
    .sig = "softmin(Tensor input, int? dim=None, *, dtype? dtype=None) -> Tensor",
    .doc = "softmax(-input).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return softmax_kernel(neg(as_given(a, 2)), given_dim(a, 1)); }),
    .samples = {{in(-4, 4), 1}},
}};

}  // namespace gotorch::ops
