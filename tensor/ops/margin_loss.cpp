// Losses of margins, similarities and of several labels at once, and the Gaussian one.
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/loss.h"

namespace gotorch::ops {
namespace {

Tensor from_zero(const Tensor& x) { return clamp_min(x, 0); }

Tensor class_numbers(int64_t n) { return arange(n, Dtype::Int64); }

}  // namespace

const Op soft_margin_loss{{
    .sig = "soft_margin_loss(Tensor input, Tensor target, bool? size_average=None, bool? "
           "reduce=None, str reduction='mean') -> Tensor",
    .doc = "log(1 + exp(-target * input)) for targets of -1 and 1, reduced.",
    .scope = Scope::Nn,
    .kernel = compose(
        [](auto& a) { return reduced_loss(neg(logsigmoid(a[1] * a[0])), reduction_at(a, 4)); }),
    .samples = {{in(-2, 2), in(-1, 1)}, {in(-2, 2), in(-1, 1), none, none, "sum"}},
}};

const Op multilabel_soft_margin_loss{{
    .sig = "multilabel_soft_margin_loss(Tensor input, Tensor target, Tensor? weight=None, bool? "
           "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "The binary cross-entropy of logits, averaged over the last dimension, then reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &t = a[1];
      Tensor loss = neg(t * logsigmoid(x) + (1 - t) * logsigmoid(neg(x)));
      if (a.given(2)) loss = loss * a[2];
      return reduced_loss(mean(loss, -1), reduction_at(a, 5));
    }),
    .samples = {{in(-2, 2), in(0, 1)}, {in(-2, 2), in(0, 1), in(0, 1, {5}), none, none, "none"}},
}};

const Op multi_margin_loss{{
    .sig = "multi_margin_loss(Tensor input, Tensor target, int p=1, float margin=1.0, Tensor? "
           "weight=None, bool? size_average=None, bool? reduce=None, str reduction='mean') -> "
           "Tensor",
    .doc = "The mean over the classes of max(0, margin - input[target] + input)^p, without the "
           "target's own; reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      check<ValueError>(a.integer(2) == 1 || a.integer(2) == 2, "only p == 1 and p == 2 supported");
      const bool one = a[0].dim() < 2;
      const Tensor x = one ? reshape(a[0], DimVector{1, -1}) : a[0],
                   t = reshape(a[1], DimVector{-1, 1});
      check(x.dim() == 2 && x.size(1) > 0 && t.size(0) == x.size(0),
            "inconsistent target size: got inputs of shape ", a[0].shape(),
            " and targets of shape ", a[1].shape());
      Tensor loss = from_zero(a.number(3) - gather(x, 1, t) + x);
      if (a.integer(2) == 2) loss = square(loss);
      if (a.given(4)) loss = loss * take(a[4], t);
      loss = where(eq(class_numbers(x.size(1)), t), 0, loss);
      loss = sum(loss, 1) / x.size(1);
      return reduced_loss(one ? squeeze(loss, 0) : loss, reduction_at(a, 7));
    }),
    .samples = {{in(-1, 1, {3, 5}), indices(0, 5, {3})},
                {in(-1, 1, {3, 5}), indices(0, 5, {3}), 2, 0.5, in(0, 1, {5})},
                {in(-1, 1, {5}), indices(0, 5, {})}},
    .errors = {{{in(-1, 1, {3, 5}), indices(0, 5, {3}), 3}, "only p == 1 and p == 2 supported"}},
    .untested = "empty: of an empty batch PyTorch returns what the memory held, not nan",
}};

const Op multilabel_margin_loss{{
    .sig = "multilabel_margin_loss(Tensor input, Tensor target, bool? size_average=None, bool? "
           "reduce=None, str reduction='mean') -> Tensor",
    .doc = "The sum of max(0, 1 - (input[j] - input[i])) over target classes j and others i, over "
           "the number of classes; reduced. A row of target lists classes up to the first -1.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      check(same(a[0].shape(), a[1].shape()) && a[0].dim() >= 1 && a[0].dim() <= 2,
            "inconsistent target size: got inputs of shape ", a[0].shape(),
            " and targets of shape ", a[1].shape());
      const bool one = a[0].dim() == 1;
      const Tensor x = one ? unsqueeze(a[0], 0) : a[0], rows = one ? unsqueeze(a[1], 0) : a[1];
      const int64_t classes = x.size(1);
      const Tensor listed = cumprod(as_dtype(ge(rows, 0), Dtype::Int64), 1);
      // Rows are as wide as there are classes, but few of them list many.
      const int64_t most = rows.numel() ? amax(sum(listed, 1)).item<int64_t>() : 0;
      const Tensor t = narrow(rows, 1, 0, most);
      // [n, target, class]
      const Tensor counted = unsqueeze(ne(narrow(listed, 1, 0, most), 0), 2);
      const Tensor named = logical_and(counted, eq(unsqueeze(t, 2), class_numbers(classes)));
      const Tensor other = logical_not(any(named, 1, true));
      const Tensor margin =
          from_zero(1 - unsqueeze(gather(x, 1, clamp_min(t, 0)), 2) + unsqueeze(x, 1));
      const Tensor loss =
          sum(where(logical_and(counted, other), margin, 0), DimVector{1, 2}) / classes;
      return reduced_loss(one ? squeeze(loss, 0) : loss, reduction_at(a, 4));
    }),
    .samples = {{in(-1, 1, {3, 4}), indices(0, 4, {3, 4})}, {in(-1, 1, {4}), indices(-1, 3, {4})}},
    .untested = "empty: of an empty batch PyTorch returns what the memory held, not nan",
}};

const Op cosine_embedding_loss{{
    .sig = "cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, "
           "bool? size_average=None, bool? reduce=None, str reduction='mean') -> Tensor",
    .doc = "1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1, "
           "reduced.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      check(a[2].dim() + 1 == std::max(a[0].dim(), a[1].dim()),
            "0D or 1D target tensor expected for inputs of shapes ", a[0].shape(), " and ",
            a[1].shape(), ", got a target of shape ", a[2].shape());
      const auto length = [](const Tensor& x) { return sum(square(x), -1) + 1e-12; };
      const Tensor cosine = sum(a[0] * a[1], -1) / sqrt(length(a[0]) * length(a[1]));
      const Tensor apart = where(eq(a[2], -1), from_zero(cosine - a.number(3)), 0);
      return reduced_loss(where(eq(a[2], 1), 1 - cosine, 0) + apart, reduction_at(a, 6));
    }),
    .samples = {{in(-1, 1, {3, 5}), in(-1, 1, {3, 5}), in(1, 1.0001, {3})}},
    .ulp = 16,
}};

const Op triplet_margin_loss{{
    .sig = "triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, "
           "float p=2, float eps=1e-06, bool swap=False, bool? size_average=None, bool? "
           "reduce=None, str reduction='mean') -> Tensor",
    .doc =
        "max(0, |anchor - positive| - |anchor - negative| + margin) in the p-norm, reduced. swap "
        "takes |positive - negative| where that is smaller (Balntas et al. 2016).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      check<ValueError>(a.number(3) > 0, "margin must be greater than 0, got ", a.number(3));
      const auto distance = [&](const Tensor& x, const Tensor& y) {
        return pairwise_distance(x, y, a.number(4), a.number(5));
      };
      Tensor apart = distance(a[0], a[2]);
      if (a.flag(6)) apart = minimum(apart, distance(a[1], a[2]));
      return reduced_loss(from_zero(distance(a[0], a[1]) - apart + a.number(3)),
                          reduction_at(a, 9));
    }),
    .samples = {{in(-1, 1), in(-1, 1), in(-1, 1)},
                {in(-1, 1), in(-1, 1), in(-1, 1), 0.5, 1.0, 1e-3, true, none, none, "sum"}},
    .ulp = 16,
}};

const Op gaussian_nll_loss{{
    .sig = "gaussian_nll_loss(Tensor input, Tensor target, Operand var, bool full=False, float "
           "eps=1e-06, str reduction='mean') -> Tensor",
    .doc = "(log(var) + (input - target)^2 / var) / 2, reduced. var counts as eps where it is "
           "smaller, but has the gradient that it would have there.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      Tensor var =
          a.value(2).is_tensor() ? a[2] : full(DimVector(x.shape()), a.scalar(2), x.dtype());
      const Dims outer = x.shape().first(x.dim() ? x.shape().size() - 1 : 0);
      if (x.dim() > 0 && same(var.shape(), outer) && !same(var.shape(), x.shape()))
        var = unsqueeze(var, -1);
      check<ValueError>(same(var.shape(), x.shape()) ||
                            (var.dim() == x.dim() && same(var.shape().first(outer.size()), outer) &&
                             var.size(-1) == 1),
                        "var is of incorrect size: got ", var.shape(), " for an input of ",
                        x.shape());
      check<ValueError>(a.number(4) > 0, "eps must be positive, got ", a.number(4));
      Tensor lift;
      {
        const Unrecorded inside;
        check<ValueError>(!any(lt(var, 0)).template item<bool>(), "var has negative entry/entries");
        lift = clamp_min(var, a.number(4)) - var;
      }
      var = var + lift;
      Tensor loss = (log(var) + square(x - a[1]) / var) * 0.5;
      if (a.flag(3)) loss = loss + 0.9189385332046727;  // log(2 pi) / 2
      return reduced_loss(loss, a.str(5));
    }),
    .samples = {{in(-1, 1), in(-1, 1), in(0.5, 2)},
                {in(-1, 1), in(-1, 1), in(0.5, 2, {3, 1}), true, 1e-3, "sum"}},
    .errors = {{{in(-1, 1), in(-1, 1), in(-2, -1)}, "var has negative entry"},
               {{in(-1, 1), in(-1, 1), in(1, 2, {4})}, "var is of incorrect size"}},
}};

}  // namespace gotorch::ops
