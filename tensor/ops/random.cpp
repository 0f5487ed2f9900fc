// Random tensors and fills: PyTorch's CPU numbers for the same seed.
#include "tensor/ops/random.h"

#include <algorithm>
#include <cmath>

#include "tensor/copy.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/ops.h"
#include "tensor/promote.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

template <class F>
void on_floats(Dtype d, F&& f) {
  check<NotImplementedError>(is_floating(d), "not implemented for ", d);
  dispatch(d, [&]<class T>() {
    if constexpr (is_floating(dtype_of<T>())) f.template operator()<T>();
  });
}

// The dims of x from the farthest to the nearest neighbours in memory.
DimVector memory_order(const Tensor& x) {
  DimVector order;
  bool repeated = false;
  for (int64_t d = 0; d < x.dim(); d++) {
    order.push_back(d);
    repeated |= x.strides()[d] == 0 && x.shape()[d] > 1;
  }
  if (!repeated)
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t i, int64_t j) { return x.strides()[i] > x.strides()[j]; });
  return order;
}

// A new tensor of x's shape whose elements follow each other in memory as x's do, without gaps.
Tensor empty_in_order_of(const Tensor& x, Dtype dtype) {
  if (x.is_contiguous()) return gotorch::empty(x.shape(), dtype);
  const DimVector order = memory_order(x);
  DimVector shape, back(order.size(), 0);
  for (size_t i = 0; i < order.size(); i++) {
    shape.push_back(x.shape()[order[i]]);
    back[order[i]] = static_cast<int64_t>(i);
  }
  return permuted(gotorch::empty(shape, dtype), back);
}

// fill(out, n) with numbers in the order of y's memory.
template <class F>
void fill_in_memory_order(const Tensor& y, F&& fill) {
  const bool dense = permuted(y, memory_order(y)).is_contiguous();
  const Tensor out = dense ? y : empty_in_order_of(y, y.dtype());
  dispatch(y.dtype(), [&]<class T>() { fill(out.data<T>(), out.numel()); });
  if (!dense) copy_elements(y, out);
}

template <class F>
Tensors filled_like_first(const Args& a) {
  Tensor y = empty_in_order_of(a[0], a[0].dtype());
  F{}(a, y);
  return {y};
}

// Kernels that fill y, which in place is the first argument, with random numbers.
template <class F>
Kernel filling(F) {
  Kernel k(Kernel::Kind::Random, &filled_like_first<F>);
  k.writer = &detail::as_writer<F>;
  return k;
}

// The same from a function of (a, out, n), for floating dtypes.
template <class F>
Kernel filling_floats(F) {
  return filling([](auto& a, auto& y) {
    fill_in_memory_order(y, [&]<class T>(T* out, int64_t n) {
      if constexpr (is_floating(dtype_of<T>())) F{}(a, out, n);
    });
  });
}

void fill_normal_like(const Tensor& y, double mean, double std, const Generator& g) {
  fill_in_memory_order(y, [&]<class T>(T* out, int64_t n) {
    if constexpr (is_floating(dtype_of<T>()))
      y.is_contiguous() ? fill_normal(out, n, mean, std, g)
                        : fill_normal_scalar(out, n, mean, std, g);
  });
}

void fill_range(const Tensor& y, int64_t low, int64_t high, const Generator& g) {
  check(low < high, "random_ expects 'from' to be less than 'to', but got from=", low,
        " >= to=", high);
  fill_in_memory_order(y, [&]<class T>(T* out, int64_t n) {
    const IntegerRange r = representable_range<T>(low, high);
    fill_integers(out, n, r.from, static_cast<uint64_t>(r.to) - static_cast<uint64_t>(r.from), g);
  });
}

Tensor integers(Dims shape, int64_t low, int64_t high, Dtype dtype, const Generator& g) {
  Tensor out = gotorch::empty(shape, dtype);
  fill_range(out, low, high, g);
  return out;
}

// What dropout multiplies by: a number of the tensor's dtype, from a quotient in the compute type.
double dropout_scale(Dtype d, double p) {
  if (d == Dtype::Double) return 1 / (1 - p);
  const float scale = 1.0f / static_cast<float>(1 - p);
  if (d == Dtype::Half) return static_cast<float>(static_cast<Half>(scale));
  return d == Dtype::BFloat16 ? static_cast<float>(static_cast<BFloat16>(scale)) : scale;
}

// The checked probability of (input, p, training).
double drop_probability(const Args& a) {
  const double p = a.number(1);
  check<ValueError>(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
  return p;
}

// The result where nothing is dropped or everything; else undefined.
Tensor trivially_dropped(const Args& a, double p) {
  if (p == 0 || !a.flag(2) || a[0].numel() == 0) return a[0];
  return p == 1 ? a[0] * 0 : Tensor();
}

// One decision for each channel: for the first `leading` dims.
Tensor dropout_mask(const Tensor& x, double p, size_t leading) {
  DimVector shape(static_cast<size_t>(x.dim()), 1);
  std::copy_n(x.shape().begin(), leading, shape.begin());
  return keep_mask(gotorch::empty(shape, x.dtype()), 1 - p);
}

// Dropout of whole channels. An input of `unbatched` dims is one sample.
Tensor drop_channels(const Args& a, int64_t unbatched) {
  const Tensor& x = a[0];
  const double p = drop_probability(a);
  check(x.dim() >= 2, "Feature dropout requires at least 2 dimensions in the input");
  if (Tensor y = trivially_dropped(a, p); y.defined()) return y;
  return apply_mask(x, dropout_mask(x, p, x.dim() == unbatched ? 1 : 2),
                    dropout_scale(x.dtype(), p));
}

// Dropout that keeps mean and variance of what selu() gives: dropped elements become -lambda alpha of selu, then all are
// scaled and moved (Klambauer et al. 2017).
Tensor drop_to_saturation(const Args& a, size_t leading) {
  const Tensor& x = a[0];
  const double p = drop_probability(a);
  if (Tensor y = trivially_dropped(a, p); y.defined()) return y;
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
    .kernel = random([](auto& a) {
      const Tensor y = empty_in_order_of(a[0], a.dtype_or(1, a[0].dtype()));
      on_floats(y.dtype(), [&]<class T>() {
        fill_uniform(y.data<T>(), y.numel(), 0, 1, default_generator());
      });
      return y;
    }),
    .samples = {{in(-1, 1)}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op randn_like{{
    .sig = "randn_like(Tensor input, *, dtype? dtype=None) -> Tensor",
    .doc = "Normal numbers with mean 0 and standard deviation 1, in input's shape.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      const Tensor y = empty_in_order_of(a[0], a.dtype_or(1, a[0].dtype()));
      check<NotImplementedError>(is_floating(y.dtype()), "not implemented for ", y.dtype());
      fill_normal_like(y, 0, 1, default_generator());
      return y;
    }),
    .samples = {{in(-1, 1)}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op randint_like_low{{
    .sig = "randint_like.low(Tensor input, int low, int high, *, dtype? dtype=None) -> Tensor",
    .doc = "Uniform integers in [low, high), in input's shape and dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      const Tensor y = empty_in_order_of(a[0], a.dtype_or(3, a[0].dtype()));
      fill_range(y, a.integer(1), a.integer(2), default_generator());
      return y;
    }),
    .samples = {{in(-1, 1), 2, 9}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op randint_like{{
    .sig = "randint_like(Tensor input, int high, *, dtype? dtype=None) -> Tensor",
    .doc = "Uniform integers in [0, high), in input's shape and dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return randint_like_low(a[0], 0, a.value(1), a.value(2)); }),
    .samples = {{in(-1, 1), 9}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op uniform{{
    .sig =
        "uniform(Tensor input, float from=0, float to=1, *, Generator? generator=None) -> Tensor",
    .doc = "Uniform numbers in [from, to), in input's shape and dtype.",
    .scope = Scope::Method,
    .kernel = filling_floats([](auto& a, auto* out, int64_t n) {
      fill_uniform(out, n, a.number(1), a.number(2), generator_of(a, 3));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(1) <= a.number(2),
                "uniform_ expects to return a [from, to) range, but found from=", a.number(1),
                " > to=", a.number(2));
        },
    .samples = {{in(-1, 1)}, {in(-1, 1), -2.0, 3.0}},
    .errors = {{{in(-1, 1), 1.0, 0.0}, "found from=1 > to=0"}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op normal_fill{{
    .sig =
        "normal(Tensor input, float mean=0, float std=1, *, Generator? generator=None) -> Tensor",
    .doc = "Normal numbers with the given mean and standard deviation, in input's shape and dtype.",
    .scope = Scope::Method,
    .kernel = filling([](auto& a, auto& y) {
      fill_normal_like(y, a.number(1), a.number(2), generator_of(a, 3));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(2) >= 0, "normal expects std >= 0.0, but found std ", a.number(2));
        },
    .samples = {{in(-1, 1)}, {in(-1, 1, {4, 33}), -2.0, 3.0}},
    .errors = {{{in(-1, 1), 0.0, -1.0}, "normal expects std >= 0.0, but found std -1"}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op random_integers{{
    .sig = "random(Tensor input, *, Generator? generator=None) -> Tensor",
    .doc = "Uniform integers from 0 to the largest that input's dtype counts to without gaps, in "
           "input's shape and dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = filling([](auto& a, auto& y) {
      fill_in_memory_order(
          y, [&](auto* out, int64_t n) { fill_integers(out, n, generator_of(a, 1)); });
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .samples = {{in(-1, 1)}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op random_to{{
    .sig = "random.to(Tensor input, int to, *, Generator? generator=None) -> Tensor",
    .doc = "Uniform integers in [0, to), in input's shape and dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = filling([](auto& a, auto& y) { fill_range(y, 0, a.integer(1), generator_of(a, 2)); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .samples = {{in(-1, 1), 2}},
    .errors = {{{in(-1, 1), 0}, "random_ expects 'from' to be less than 'to'"}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op random_from{{
    .sig = "random.from(Tensor input, int from, int to, *, Generator? generator=None) -> Tensor",
    .doc = "Uniform integers in [from, to), in input's shape and dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = filling(
        [](auto& a, auto& y) { fill_range(y, a.integer(1), a.integer(2), generator_of(a, 3)); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .samples = {{in(-1, 1), 0, 2}, {in(-1, 1, {4, 33}), 0, 1}},
    .errors = {{{in(-1, 1), 3, 3}, "but got from=3 >= to=3"}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
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
    .errors = {{{in(2, 3)}, "Expected p_in >= 0 && p_in <= 1"}},
}};

const Op bernoulli_p{{
    .sig = "bernoulli.p(Tensor input, float p=0.5, *, Generator? generator=None) -> Tensor",
    .doc = "1 with probability p, else 0, in input's shape and dtype.",
    .dtypes = kAll,
    .kernel =
        [] {
          const auto draw = [](const Args& a, const Tensor& y) {
            fill_in_memory_order(y, [&](auto* out, int64_t n) {
              fill_bernoulli(out, n, a.number(1), generator_of(a, 2));
            });
          };
          Kernel k = filling(draw);
          // Unlike the in-place form, in the order of the indices.
          k.function = [](const Args& a) {
            const Tensor y = gotorch::empty(a[0].shape(), a[0].dtype());
            decltype(draw){}(a, y);
            return Tensors{y};
          };
          return k;
        }(),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(1) >= 0 && a.number(1) <= 1,
                "bernoulli_ expects p to be in [0, 1], but got p=", a.number(1));
        },
    .samples = {{in(0, 1), 0.3}},
    .errors = {{{in(0, 1), 1.5}, "bernoulli_ expects p to be in [0, 1], but got p=1.5"}},
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
             wrt("p", "", [](auto& s) { return s.g() * 0; })},
    .inplace = true,
    .samples = {{in(0, 1), in(0, 1)}},
}};

const Op keep_mask{{
    .sig = "_keep_mask(Tensor input, float p) -> Tensor",
    .doc = "A bool tensor of input's shape, True with probability p.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      const Tensor out = empty_in_order_of(a[0], Dtype::Bool);
      fill_bernoulli(out.data<bool>(), out.numel(), a.number(1), default_generator());
      return out;
    }),
    .samples = {{in(-1, 1), 0.3}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
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
      const double p = drop_probability(a);
      if (Tensor y = trivially_dropped(a, p); y.defined()) return y;
      return apply_mask(a[0], keep_mask(a[0], 1 - p), dropout_scale(a[0].dtype(), p));
    }),
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1), 0.2}, {in(-1, 1), 0.5, false}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
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
