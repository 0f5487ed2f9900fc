// Scaled-dot-product attention. The kernels never hold all scores in memory; where a gradient of the gradient is wanted, or
// one of the mask, it is composed of public ops instead.
#include "tensor/kernels/attention.h"

#include <cmath>
#include <limits>

#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/expect.h"
#include "tensor/ops/random.h"

namespace gotorch::ops {
namespace {

// Arguments of _attention.
enum Argument { kQuery, kKey, kValue, kMask, kKeep, kScale, kKeepScale, kCausal };

DimVector joined(Dims lead, std::initializer_list<int64_t> tail) {
  DimVector out(lead);
  out.append(tail.begin(), tail.end());
  return out;
}

Dims leading(const Tensor& x) { return x.shape().first(x.dim() - 2); }

// The matrices of x, whose leading dims are broadcast to `lead`, and its last ones to `rows` and `columns`.
template <class T>
class Spread {
 public:
  Spread(const Tensor& x, Dims lead, int64_t rows, int64_t columns) {
    if (!x.defined()) return;
    const DimVector shape = joined(lead, {rows, columns});
    const DimVector strides = broadcast_strides(x.shape(), x.strides(), shape);
    const size_t n = lead.size();
    matrices_ = {x.data<std::remove_const_t<T>>(), nullptr, strides[n], strides[n + 1]};
    start_.resize(static_cast<size_t>(numel_of(lead)));
    for (size_t z = 0; z < start_.size(); z++) {
      auto rest = static_cast<int64_t>(z);
      for (size_t d = n; d-- > 0; rest /= lead[d]) start_[z] += rest % lead[d] * strides[d];
    }
    matrices_.start = start_.data();
  }
  const kernels::Matrices<T>& operator*() const { return matrices_; }

 private:
  kernels::Matrices<T> matrices_;
  Buffer<int64_t> start_;
};

// Sizes of a call, which must fit.
struct Problem {
  DimVector lead;
  int64_t queries, keys, width, out_width;

  explicit Problem(const Args& a) {
    const Tensor &q = a[kQuery], &k = a[kKey], &v = a[kValue];
    check(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2,
          "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
          q.dim(), " key.dim: ", k.dim(), " and value.dim: ", v.dim(), " instead.");
    check(q.dtype() == k.dtype() && q.dtype() == v.dtype(),
          "Expected query, key, and value to have the same dtype, but got query.dtype: ", q.dtype(),
          " key.dtype: ", k.dtype(), " and value.dtype: ", v.dtype(), " instead.");
    queries = q.size(-2), keys = k.size(-2), width = q.size(-1), out_width = v.size(-1);
    check(k.size(-1) == width, "query and key differ in their last dimension: got shapes ",
          q.shape(), " and ", k.shape());
    check(v.size(-2) == keys, "key and value differ in length: got shapes ", k.shape(), " and ",
          v.shape());
    lead = broadcast_shapes(broadcast_shapes(leading(q), leading(k)), leading(v));
    const Tensor mask = a.tensor_or(kMask), keep = a.tensor_or(kKeep);
    const DimVector scores = joined(lead, {queries, keys});
    if (mask.defined())
      check(same(broadcast_shapes(mask.shape(), scores), scores), "attn_mask of shape ",
            mask.shape(), " does not fit scores of shape ", scores);
    if (keep.defined()) {
      expect_shape("keep", keep, scores);
      expect_dtype("keep", keep, Dtype::Bool);
    }
  }
};

// A new tensor of this shape, its elements in the order of x's if that has the same.
Tensor empty_as(const Tensor& x, Dims shape, Dtype dtype) {
  return same(x.shape(), shape) ? empty_in_order_of(x, dtype) : gotorch::empty(shape, dtype);
}

Tensor converted(const Tensor& x, Dtype dtype) { return x.defined() ? as_dtype(x, dtype) : x; }

// Calls f with the kernels' view of a call in its compute type. y and log_sum are its results.
template <class F>
void with_kernel(const Args& a, const Problem& shape, const Tensor& y, const Tensor& log_sum, F f) {
  const auto run = [&]<class T>() {
    const Tensor q = as_dtype(a[kQuery], y.dtype()), k = as_dtype(a[kKey], y.dtype()),
                 v = as_dtype(a[kValue], y.dtype()), m = converted(a.tensor_or(kMask), y.dtype());
    const Spread<const T> qs(q, shape.lead, shape.queries, shape.width),
        ks(k, shape.lead, shape.keys, shape.width), vs(v, shape.lead, shape.keys, shape.out_width),
        masks(m, shape.lead, shape.queries, shape.keys);
    const Spread<const bool> keeps(a.tensor_or(kKeep), shape.lead, shape.queries, shape.keys);
    const Spread<T> ys(y, shape.lead, shape.queries, shape.out_width);
    f(kernels::Attention<T>{.batch = numel_of(shape.lead),
                            .queries = shape.queries,
                            .keys = shape.keys,
                            .width = shape.width,
                            .out_width = shape.out_width,
                            .q = *qs,
                            .k = *ks,
                            .v = *vs,
                            .mask = *masks,
                            .keep = *keeps,
                            .scale = static_cast<T>(a.number(kScale)),
                            .keep_scale = static_cast<T>(a.number(kKeepScale)),
                            .causal = a.flag(kCausal),
                            .y = *ys,
                            .log_sum = log_sum.data<T>()});
  };
  if (y.dtype() == Dtype::Double) run.template operator()<double>();
  else run.template operator()<float>();
}

Tensor flipped(const Tensor& x) { return transpose(x, -2, -1); }

// In public ops: for second order, and for the mask.
Tensors composed_gradient(const GradArgs& s) {
  const Tensor &q = s[kQuery], &k = s[kKey], &v = s[kValue], &g = s.g();
  const Tensor mask = s.tensor_or(kMask);
  const Scalar scale = s.scalar(kScale);
  Tensor scores = matmul(q, flipped(k)) * scale;
  if (mask.defined()) scores = scores + mask;
  const double nothing = -std::numeric_limits<double>::infinity();
  if (s.flag(kCausal)) {
    const Tensor later = triu(ones(DimVector{q.size(-2), k.size(-2)}, Dtype::Bool), 1);
    scores = masked_fill(scores, later, nothing);
  }
  // Queries that may look at no key have weights of 0.
  const Tensor idle = all(eq(scores, nothing), -1, true);
  const Tensor weights = masked_fill(softmax(masked_fill(scores, idle, 0), -1), idle, 0);
  const auto kept = [&](const Tensor& x) {
    return s.given(kKeep) ? apply_mask(x, s[kKeep], s.number(kKeepScale)) : x;
  };
  const Tensor gw = kept(matmul(g, flipped(v)));
  const Tensor gs = weights * (gw - sum(gw * weights, IntList(-1), true));
  return {matmul(gs, k) * scale, matmul(flipped(gs), q) * scale, matmul(flipped(kept(weights)), g),
          gs};
}

Tensors attention_gradient(const GradArgs& s) {
  if (grad_mode().enabled || s.needs(kMask)) return composed_gradient(s);
  const Problem shape(s);
  const Dtype dtype = s[kQuery].dtype(), compute = compute_dtype(dtype);
  const Tensor g = as_dtype(s.g(), compute), y = as_dtype(s.y(0), compute),
               log_sum = packed(s.y(1));
  const DimVector result = joined(shape.lead, {shape.queries, shape.out_width});
  expect_shape("grad", g, result);
  expect_shape("result", y, result);
  expect_shape("log_sum", log_sum, joined(shape.lead, {shape.queries}));
  const Tensor gq = empty_as(s[kQuery], joined(shape.lead, {shape.queries, shape.width}), compute),
               gk = empty_as(s[kKey], joined(shape.lead, {shape.keys, shape.width}), compute),
               gv = empty_as(s[kValue], joined(shape.lead, {shape.keys, shape.out_width}), compute);
  with_kernel(s, shape, y, log_sum, [&]<class T>(const kernels::Attention<T>& p) {
    const Spread<const T> gs(g, shape.lead, shape.queries, shape.out_width);
    const Spread<T> gqs(gq, shape.lead, shape.queries, shape.width),
        gks(gk, shape.lead, shape.keys, shape.width),
        gvs(gv, shape.lead, shape.keys, shape.out_width);
    kernels::attention_backward(p, kernels::AttentionGradient<T>{*gs, *gqs, *gks, *gvs});
  });
  return {as_dtype(gq, dtype), as_dtype(gk, dtype), as_dtype(gv, dtype), Tensor()};
}

// A mask that is added to the scores: 0 where a bool mask is true, -inf where not.
Tensor added_mask(const Tensor& mask, const Tensor& query) {
  if (!mask.defined()) return mask;
  check(
      mask.dtype() == Dtype::Bool || mask.dtype() == Dtype::Float || mask.dtype() == query.dtype(),
      "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
      "attn_mask.dtype: ",
      mask.dtype(), " and  query.dtype: ", query.dtype(), " instead.");
  check(mask.dtype() != Dtype::Float || query.dtype() != Dtype::Double,
        "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
        "attn_mask.dtype: ",
        mask.dtype(), " and  query.dtype: ", query.dtype(), " instead.");
  check<IndexError>(mask.dim() >= 2, "attn_mask must have at least 2 dimensions, got shape ",
                    mask.shape());
  if (mask.dtype() != Dtype::Bool) return mask;
  const double nothing = -std::numeric_limits<double>::infinity();
  return masked_fill(zeros(DimVector(mask.shape()), query.dtype()), logical_not(mask), nothing);
}

// [*, heads, n, e] as [*, groups, heads / groups, n, e].
Tensor grouped(const Tensor& x, int64_t groups) {
  return unflatten(x, -3, DimVector{groups, groups > 0 ? x.size(-3) / groups : x.size(-3)});
}

// The decisions of dropout for all scores, in the order in which PyTorch draws them.
Tensor kept_scores(const Problem& shape, double p) {
  const DimVector scores = joined(shape.lead, {shape.queries, shape.keys});
  return p == 1 ? zeros(scores, Dtype::Bool)
                : keep_mask(gotorch::empty(scores, Dtype::Bool), 1 - p);
}

}  // namespace

const Op attention_kernel{{
    .sig = "_attention(Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor? keep, float "
           "scale, float keep_scale, "
           "bool causal) -> (Tensor result, Tensor log_sum)",
    .doc = "softmax(scale * query key^T + mask) value, and the logarithm of the sum of each row of "
           "the softmax. Weights are "
           "multiplied by keep_scale where keep, else by 0.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const Problem shape(a);
      const Dtype dtype = a[kQuery].dtype(), compute = compute_dtype(dtype);
      const Tensor y = empty_as(a[kQuery], joined(shape.lead, {shape.queries, shape.out_width}),
                                compute),
                   log_sum = gotorch::empty(joined(shape.lead, {shape.queries}), compute);
      with_kernel(a, shape, y, log_sum, [](const auto& p) { kernels::attention(p); });
      return {as_dtype(y, dtype), log_sum};
    }),
    .grad = {wrt("query key value mask", "query key value mask keep result log_sum",
                 [](auto& s) { return attention_gradient(s); })},
    .samples = {{in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 5, 4}), in(-1, 1, {2, 5, 3}),
                 in(-1, 1, {3, 5}), bools({2, 3, 5}), 0.5, 2.0, false}},
    .ulp = 16,
    .untested = "grad, gradgrad: only the first result has a gradient",
}};

const Op scaled_dot_product_attention{{
    .sig = "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? "
           "attn_mask=None, float "
           "dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> "
           "Tensor",
    .doc = "softmax(scale * query key^T + attn_mask) value, of [*, queries, e], [*, keys, e] and "
           "[*, keys, v]; scale is 1 / "
           "sqrt(e) if not given. A bool mask is true where a query may look at a key; a query "
           "that may look at none gives "
           "zeros. is_causal: query i looks at keys 0, ..., i. Dropout is of the softmax. "
           "enable_gqa: neighbouring heads of "
           "query [*, heads, queries, e] share a head of key and value.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const double p = a.number(4);
      check(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
      Tensor q = a[0], k = a[1], v = a[2], mask = added_mask(a.tensor_or(3), q);
      const bool shared = a.flag(7);
      if (shared) {
        const int64_t heads = q.size(-3), key_heads = k.size(-3), value_heads = v.size(-3);
        check(
            key_heads > 0 && value_heads > 0 && heads % key_heads == 0 && heads % value_heads == 0,
            "Number of heads in key and value must divide the number of heads in query, got ",
            key_heads, ", ", value_heads, " and ", heads);
        check(key_heads == value_heads || key_heads == 1 || value_heads == 1,
              "key and value must have the same number of heads, or one of them 1, got ", key_heads,
              " and ", value_heads);
        const int64_t groups = std::max(key_heads, value_heads);
        q = grouped(q, groups);
        k = unsqueeze(k, -3), v = unsqueeze(v, -3);
        if (mask.defined() && mask.dim() >= 3)
          mask = mask.size(-3) == 1 ? unsqueeze(mask, -3) : grouped(mask, groups);
      }
      Tensor keep;
      if (p > 0) {
        const Value values[] = {q, k, v, mask, Value()};
        keep = kept_scores(Problem(Args(values)), p);
      }
      const double scale = a.given(6)       ? a.number(6)
                           : q.size(-1) > 0 ? 1 / std::sqrt(static_cast<double>(q.size(-1)))
                                            : 1;
      const Tensor y = std::move(attention_kernel.all(q, k, v, mask, keep, scale,
                                                      p < 1 ? 1 / (1 - p) : 0.0, a.flag(5))[0]);
      return shared ? flatten(y, -4, -3) : y;
    }),
    .samples = {{in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 5, 4}), in(-1, 1, {2, 5, 3})},
                {in(-1, 1, {2, 2, 3, 4}), in(-1, 1, {2, 2, 5, 4}), in(-1, 1, {2, 2, 5, 4}),
                 bools({2, 1, 3, 5})},
                {in(-1, 1, {2, 2, 3, 4}), in(-1, 1, {2, 2, 5, 4}), in(-1, 1, {2, 2, 5, 4}),
                 in(-1, 1, {2, 1, 3, 5})},
                {in(-1, 1, {5, 4}), in(-1, 1, {3, 4}), in(-1, 1, {3, 4}), none, 0.0, true, 0.7},
                {in(-1, 1, {2, 4, 3, 4}), in(-1, 1, {2, 2, 5, 4}), in(-1, 1, {2, 2, 5, 4}), none,
                 0.0, false, none, true}},
    .errors = {{{in(-1, 1, {4}), in(-1, 1, {4}), in(-1, 1, {4})}, "at least 2 dimensional"},
               {{in(-1, 1, {3, 4}), in(-1, 1, {3, 5}), in(-1, 1, {3, 5})}, "last dimension"},
               {{in(-1, 1, {3, 4}), in(-1, 1, {2, 4}), in(-1, 1, {3, 4})}, "differ in length"},
               {{in(-1, 1, {3, 4}), in(-1, 1, {3, 4}), in(-1, 1, {3, 4}), none, 1.5},
                "between 0 and 1"}},
    .ulp = 16,
}};

}  // namespace gotorch::ops
