// Random tensors and fills: PyTorch's CPU numbers for the same seed.
#include "tensor/ops/random.h"

#include <algorithm>

#include "tensor/kernels/random_fill.h"
#include "tensor/ops.h"
#include "tensor/promote.h"

namespace gotorch::ops {
namespace {

template <class F>
void on_floats(Dtype d, F&& f) {
  check<NotImplementedError>(is_floating(d), "not implemented for ", d);
  dispatch(d, [&]<class T>() {
    if constexpr (is_floating(dtype_of<T>())) f.template operator()<T>();
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

// As `filling`, but the function, unlike the in-place form, draws in the order of the indices.
template <class F>
Kernel filling_by_index(F) {
  Kernel k = filling(F{});
  k.function = &detail::as_written<F, &detail::empty_like_first>;
  return k;
}

}  // namespace

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
}};

const Op randint_like{{
    .sig = "randint_like(Tensor input, int high, *, dtype? dtype=None) -> Tensor",
    .doc = "Uniform integers in [0, high), in input's shape and dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return randint_like_low(a[0], 0, a.value(1), a.value(2)); }),
    .samples = {{in(-1, 1), 9}},
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
    .kernel = filling_by_index([](auto& a, auto& y) {
      fill_in_memory_order(y, [&](auto* out, int64_t n) {
        fill_bernoulli(out, n, a.number(1), generator_of(a, 2));
      });
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; })},
    .validate =
        [](const Args& a) {
          check(a.number(1) >= 0 && a.number(1) <= 1,
                "bernoulli_ expects p to be in [0, 1], but got p=", a.number(1));
        },
    .samples = {{in(0, 1), 0.3}},
    .errors = {{{in(0, 1), 1.5}, "bernoulli_ expects p to be in [0, 1], but got p=1.5"}},
    .untested = "inplace: draws in the order of memory, the function in that of the indices",
}};

const Op bernoulli_tensor{{
    .sig = "bernoulli.Tensor(Tensor input, Tensor p, *, Generator? generator=None) -> Tensor",
    .doc = "1 with the probability that p gives, else 0, in input's shape and dtype.",
    .dtypes = kAll,
    .kernel = filling([](auto& a, auto& y) {
      check(is_floating(a[1].dtype()), "expects probabilities of a floating dtype, got ",
            a[1].dtype());
      const Unrecorded inside;
      const DimVector order = memory_order(y);
      const Tensor p = permuted(expand(a[1], y.shape()), order);
      copy_elements(permuted(y, order), bernoulli(p, Value(a.generator(2))));
    }),
    .grad = {wrt("input", "", [](auto& s) { return s.g() * 0; }),
             wrt("p", "", [](auto& s) { return s.g() * 0; })},
    .samples = {{in(0, 1), in(0, 1)}},
}};

}  // namespace gotorch::ops
