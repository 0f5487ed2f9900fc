// Random tensors and fills: PyTorch's CPU numbers for the same seed.
#include "tensor/random.h"

#include <cmath>
#include "tensor/copy.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/ops.h"
#include "tensor/promote.h"

namespace gotorch::ops {
namespace {

const Generator& generator_of(const Args& a, size_t i) {
  return a.generator(i) ? *a.generator(i) : default_generator();
}

template <class F>
void on_floats(Dtype d, F&& f) {
  check<NotImplementedError>(is_floating(d), "not implemented for ", d);
  dispatch(d, [&]<class T>() {
    if constexpr (is_floating(dtype_of<T>())) f.template operator()<T>();
  });
}

// A new tensor like x, filled by fill(out, n).
template <class F>
Tensor filled_like(const Tensor& x, F&& fill) {
  Tensor out = gotorch::empty(x.shape(), x.dtype());
  on_floats(x.dtype(), [&]<class T>() { fill(out.data<T>(), out.numel()); });
  return out;
}

Tensor integers(Dims shape, int64_t low, int64_t high, Dtype dtype, const Generator& g) {
  check(low < high, "random_ expects 'from' to be less than 'to', but got from=", low,
        " >= to=", high);
  Tensor out = gotorch::empty(shape, dtype);
  dispatch(dtype, [&]<class T>() {
    const IntegerRange r = representable_range<T>(low, high);
    fill_integers(out.data<T>(), out.numel(), r.from,
                  static_cast<uint64_t>(r.to) - static_cast<uint64_t>(r.from), g);
  });
  return out;
}

// One decision for each channel: for the first `leading` dims.
Tensor dropout_mask(const Tensor& x, double p, size_t leading) {
  DimVector shape(static_cast<size_t>(x.dim()), 1);
  std::copy_n(x.shape().begin(), leading, shape.begin());
  return keep_mask(shape, 1 - p);
}

// Dropout of whole channels. An input of `unbatched` dims is one sample.
Tensor drop_channels(const Args& a, int64_t unbatched) {
  const Tensor& x = a[0];
  const double p = a.number(1);
  check<ValueError>(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
  check(x.dim() >= 2, "Feature dropout requires at least 2 dimensions in the input");
  if (p == 0 || !a.flag(2) || x.numel() == 0) return x;
  if (p == 1) return x * 0;
  return apply_mask(x, dropout_mask(x, p, x.dim() == unbatched ? 1 : 2), 1 / (1 - p));
}

// Dropout that keeps mean and variance of what selu() gives: dropped elements become -lambda alpha of selu, then all are
// scaled and moved (Klambauer et al. 2017).
Tensor drop_to_saturation(const Args& a, size_t leading) {
  const Tensor& x = a[0];
  const double p = a.number(1);
  check<ValueError>(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
  if (p == 0 || !a.flag(2) || x.numel() == 0) return x;
  if (p == 1) return x * 0;
  constexpr double alpha = 1.7580993408473766;
  const double scale = 1 / std::sqrt((alpha * alpha * p + 1) * (1 - p));
  const Tensor keep = dropout_mask(x, p, std::min(leading, static_cast<size_t>(x.dim())));
  const Tensor moved = as_dtype(keep, x.dtype()) * (alpha * scale) + alpha * scale * (p - 1);
  return apply_mask(x, keep, scale) + moved;
}

}  // namespace

const Op rand{{
    .sig = "rand(int[] size, *, Generator? generator=None, dtype? dtype=None) -> Tensor",
    .doc = "Uniform numbers in [0, 1).",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      Tensor out = gotorch::empty(a.ints(0), a.dtype_or(2, default_dtype()));
      on_floats(out.dtype(), [&]<class T>() {
        fill_uniform(out.data<T>(), out.numel(), 0, 1, generator_of(a, 1));
      });
      return out;
    }),
    .samples = {{dims({3, 5})}, {dims({4, 33})}},
}};

const Op randn{{
    .sig = "randn(int[] size, *, Generator? generator=None, dtype? dtype=None) -> Tensor",
    .doc = "Normal numbers with mean 0 and standard deviation 1.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      Tensor out = gotorch::empty(a.ints(0), a.dtype_or(2, default_dtype()));
      on_floats(out.dtype(), [&]<class T>() {
        fill_normal(out.data<T>(), out.numel(), 0, 1, generator_of(a, 1));
      });
      return out;
    }),
    .samples = {{dims({3, 5})}, {dims({4, 33})}},
}};

const Op randint_low{{
    .sig = "randint.low(int low, int high, int[] size, *, Generator? generator=None, dtype? "
           "dtype=None) -> Tensor",
    .doc = "Uniform integers in [low, high).",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      return integers(a.ints(2), a.integer(0), a.integer(1), a.dtype_or(4, Dtype::Int64),
                      generator_of(a, 3));
    }),
    .samples = {{-3, 7, dims({3, 5})}},
}};

const Op randint{{
    .sig =
        "randint(int high, int[] size, *, Generator? generator=None, dtype? dtype=None) -> Tensor",
    .doc = "Uniform integers in [0, high).",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      return integers(a.ints(1), 0, a.integer(0), a.dtype_or(3, Dtype::Int64), generator_of(a, 2));
    }),
    .samples = {{7, dims({3, 5})}},
}};

const Op randperm{{
    .sig = "randperm(int n, *, Generator? generator=None, dtype? dtype=None) -> Tensor",
    .doc = "A random permutation of 0 .. n-1.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      const int64_t n = a.integer(0);
      check(n >= 0, "n must be non-negative, got ", n);
      Tensor out = gotorch::empty(n, a.dtype_or(2, Dtype::Int64));
      dispatch(out.dtype(), [&]<class T>() {
        if constexpr (!std::is_same_v<T, bool>)
          fill_permutation(out.data<T>(), n, generator_of(a, 1));
        else fail<NotImplementedError>("not implemented for bool");
      });
      return out;
    }),
    .samples = {{0}, {1}, {20}},
}};

const Op rand_like{{
    .sig = "rand_like(Tensor input, *, dtype? dtype=None) -> Tensor",
    .doc = "Uniform numbers in [0, 1), in input's shape.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        compose([](auto& a) { return rand(a[0].shape(), Value(), a.dtype_or(1, a[0].dtype())); }),
    .samples = {{in(-1, 1)}},
}};

const Op randn_like{{
    .sig = "randn_like(Tensor input, *, dtype? dtype=None) -> Tensor",
    .doc = "Normal numbers with mean 0 and standard deviation 1, in input's shape.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        compose([](auto& a) { return randn(a[0].shape(), Value(), a.dtype_or(1, a[0].dtype())); }),
    .samples = {{in(-1, 1)}},
}};

const Op randint_like_low{{
    .sig = "randint_like.low(Tensor input, int low, int high, *, dtype? dtype=None) -> Tensor",
    .doc = "Uniform integers in [low, high), in input's shape and dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      return randint_low(a.integer(1), a.integer(2), a[0].shape(), Value(),
                         a.dtype_or(3, a[0].dtype()));
    }),
    .samples = {{in(-1, 1), 2, 9}},
}};

const Op randint_like{{
    .sig = "randint_like(Tensor input, int high, *, dtype? dtype=None) -> Tensor",
    .doc = "Uniform integers in [0, high), in input's shape and dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      return randint(a.integer(1), a[0].shape(), Value(), a.dtype_or(2, a[0].dtype()));
    }),
    .samples = {{in(-1, 1), 9}},
}};

const Op uniform{{
    .sig =
        "uniform(Tensor input, float from=0, float to=1, *, Generator? generator=None) -> Tensor",
    .doc = "Uniform numbers in [from, to), in input's shape and dtype.",
    .scope = Scope::Method,
    .kernel = random([](auto& a) {
      const double lo = a.number(1), hi = a.number(2);
      check(lo <= hi, "uniform_ expects to return a [from, to) range, but found from=", lo,
            " > to=", hi);
      return filled_like(
          a[0], [&](auto* out, int64_t n) { fill_uniform(out, n, lo, hi, generator_of(a, 3)); });
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1), -2.0, 3.0}},
}};

const Op normal_fill{{
    .sig =
        "normal(Tensor input, float mean=0, float std=1, *, Generator? generator=None) -> Tensor",
    .doc = "Normal numbers with the given mean and standard deviation, in input's shape and dtype.",
    .scope = Scope::Method,
    .kernel = random([](auto& a) {
      const double mean = a.number(1), std = a.number(2);
      check(std >= 0, "normal expects std >= 0.0, but found std ", std);
      return filled_like(a[0], [&](auto* out, int64_t n) {
        if (a[0].is_contiguous()) fill_normal(out, n, mean, std, generator_of(a, 3));
        else fill_normal_scalar(out, n, mean, std, generator_of(a, 3));
      });
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1, {4, 33}), -2.0, 3.0}},
}};

const Op random_integers{{
    .sig = "random(Tensor input, *, Generator? generator=None) -> Tensor",
    .doc = "Uniform integers from 0 to the largest that input's dtype counts to without gaps, in "
           "input's shape and dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      Tensor out = gotorch::empty(a[0].shape(), a[0].dtype());
      dispatch(out.dtype(),
               [&]<class T>() { fill_integers(out.data<T>(), out.numel(), generator_of(a, 1)); });
      return out;
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .inplace = true,
    .samples = {{in(-1, 1)}},
}};

const Op bernoulli{{
    .sig = "bernoulli(Tensor input, *, Generator? generator=None) -> Tensor",
    .doc = "1 with the probability that input gives, else 0.",
    .kernel = random([](auto& a) {
      const Tensor p = packed(a[0]);
      Tensor out = gotorch::empty(p.shape(), p.dtype());
      on_floats(p.dtype(), [&]<class T>() {
        const T* from = p.data<T>();
        for (int64_t i = 0; i < p.numel(); i++)
          check(from[i] >= 0 && from[i] <= 1,
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false: p=",
                static_cast<double>(from[i]));
        fill_bernoulli(out.data<T>(), from, p.numel(), generator_of(a, 1));
      });
      return out;
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .samples = {{in(0, 1)}},
}};

const Op bernoulli_p{{
    .sig = "bernoulli.p(Tensor input, float p=0.5, *, Generator? generator=None) -> Tensor",
    .doc = "1 with probability p, else 0, in input's shape and dtype.",
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      check(a.number(1) >= 0 && a.number(1) <= 1,
            "bernoulli_ expects p to be in [0, 1], but got p=", a.number(1));
      Tensor out = gotorch::empty(a[0].shape(), a[0].dtype());
      dispatch(out.dtype(), [&]<class T>() {
        fill_bernoulli(out.data<T>(), out.numel(), a.number(1), generator_of(a, 2));
      });
      return out;
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .inplace = true,
    .samples = {{in(0, 1), 0.3}},
}};

const Op bernoulli_tensor{{
    .sig = "bernoulli.Tensor(Tensor input, Tensor p, *, Generator? generator=None) -> Tensor",
    .doc = "1 with the probability that p gives, else 0, in input's shape and dtype.",
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      check(is_floating(a[1].dtype()), "expects probabilities of a floating dtype, got ",
            a[1].dtype());
      const Tensor drawn = bernoulli(expand(a[1], a[0].shape()), Value(a.generator(2)));
      return as_dtype(drawn, a[0].dtype());
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; }),
             wrt("p", "", [](auto& s) { return sum(s.g() * 0); })},
    .inplace = true,
    .samples = {{in(0, 1), in(0, 1)}},
}};

const Op keep_mask{{
    .sig = "_keep_mask(int[] size, float p) -> Tensor",
    .doc = "A bool tensor, True with probability p.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      Tensor out = gotorch::empty(a.ints(0), Dtype::Bool);
      fill_bernoulli(out.data<bool>(), out.numel(), a.number(1), default_generator());
      return out;
    }),
    .samples = {{dims({3, 5}), 0.3}},
}};

const Op apply_mask{{
    .sig = "_apply_mask(Tensor input, Tensor mask, float scale) -> Tensor",
    .doc = "input * scale where mask, input * 0 elsewhere.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats, ResultType::Same, 2>(
        [](auto x, bool keep, auto scale) { return x * (keep ? scale : decltype(scale)(0)); }),
    .grad = {wrt("input", "mask", [](auto& s) { return apply_mask(s.g(), s[1], s.scalar(2)); })},
    .samples = {{in(-1, 1), bools({3, 5}), 2.0}},
}};

const Op dropout{{
    .sig = "dropout(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes each element with probability p and scales the others by 1 / (1 - p). With "
           "training=False, input itself.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const double p = a.number(1);
      check<ValueError>(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ",
                        p);
      if (p == 0 || !a.flag(2) || a[0].numel() == 0) return a[0];
      if (p == 1) return a[0] * 0;
      return apply_mask(a[0], keep_mask(a[0].shape(), 1 - p), 1 / (1 - p));
    }),
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1), 0.2}, {in(-1, 1), 0.5, false}},
}};

const Op dropout1d{{
    .sig = "dropout1d(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes whole channels of [n, c, l] or [c, l] with probability p and scales the others "
           "by 1 / (1 - p).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_channels(a, 2); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4})}, {in(-1, 1, {3, 4}), 0.3}},
}};

const Op dropout2d{{
    .sig = "dropout2d(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes whole channels of [n, c, h, w] with probability p and scales the others by 1 / "
           "(1 - p).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_channels(a, 0); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4})}, {in(-1, 1, {2, 3, 4, 2}), 0.3}},
}};

const Op dropout3d{{
    .sig = "dropout3d(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes whole channels of [n, c, d, h, w] or [c, d, h, w] with probability p and scales "
           "the others by 1 / (1 - p).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_channels(a, 4); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4, 1, 2})}, {in(-1, 1, {2, 3, 4, 2}), 0.3}},
}};

const Op alpha_dropout{{
    .sig = "alpha_dropout(Tensor input, float p=0.5, bool training=False) -> Tensor",
    .doc = "Dropout that keeps mean and variance of what selu gives (Klambauer et al. 2017).",
    .scope = Scope::Nn,
    .kernel =
        compose([](auto& a) { return drop_to_saturation(a, static_cast<size_t>(a[0].dim())); }),
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1), 0.3, true}},
}};

const Op feature_alpha_dropout{{
    .sig = "feature_alpha_dropout(Tensor input, float p=0.5, bool training=False) -> Tensor",
    .doc = "alpha_dropout of whole channels of [n, c, ...].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_to_saturation(a, 2); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4}), 0.3, true}},
}};

}  // namespace gotorch::ops
