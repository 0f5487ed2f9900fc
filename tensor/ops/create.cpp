// New tensors from numbers.
#include <cmath>

#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/kernels/truncate.h"
#include "tensor/ops.h"
#include "tensor/promote.h"

namespace gotorch::ops {
namespace {

Tensor filled(Dims shape, Dtype dtype, Scalar value) {
  Tensor out = gotorch::empty(shape, dtype);
  fill_elements(out, value);
  return out;
}

Dtype dtype_of_number(Scalar s) {
  return s.category() == Category::Bool ? Dtype::Bool
         : s.is_floating()              ? default_dtype()
                                        : Dtype::Int64;
}

// value(i) for all i < n, computed as V and rounded to dtype once.
template <class V, class F>
Tensor generated(int64_t n, Dtype dtype, F value) {
  Tensor out = gotorch::empty({n}, dtype);
  dispatch(dtype, [&]<class T>() {
    T* y = out.data<T>();
    runtime::parallel_for(n, 16384, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const V v = static_cast<V>(value(i));
        if constexpr (std::is_floating_point_v<V> && std::is_integral_v<T> &&
                      !std::is_same_v<T, bool>)
          y[i] = truncated<T>(v);
        else y[i] = static_cast<T>(static_cast<Compute<T>>(v));
      }
    });
  });
  return out;
}

Tensor range(Scalar start, Scalar end, Scalar step, std::optional<Dtype> wanted) {
  const bool floating = start.is_floating() || end.is_floating() || step.is_floating();
  const Dtype dtype = wanted ? *wanted : floating ? default_dtype() : Dtype::Int64;
  check<NotImplementedError>(dtype != Dtype::Bool, "not implemented for bool");
  // An integer result steps by the truncated numbers.
  if (!is_floating(dtype) && floating) {
    start = start.to<int64_t>();
    step = step.to<int64_t>();
  }
  const double from = start.to<double>(), to = end.to<double>(), by = step.to<double>();
  check(by != 0, "step must be nonzero");
  check(std::isfinite(from) && std::isfinite(to), "unsupported range: ", from, " -> ", to);
  check(by > 0 ? to >= from : to <= from,
        "upper bound and lower bound inconsistent with step sign: from ", from, " to ", to, " by ",
        by);
  if (!end.is_floating() && !start.is_floating() && !step.is_floating()) {
    const int64_t a = start.to<int64_t>(), b = end.to<int64_t>(), s = step.to<int64_t>();
    const auto span = static_cast<__int128>(b) - a;
    const __int128 n = (span + s - (s > 0 ? 1 : -1)) / s;
    check(n < INT64_MAX, "the range from ", a, " to ", b, " by ", s, " has too many elements");
    return generated<int64_t>(static_cast<int64_t>(n), dtype, [=](int64_t i) { return a + i * s; });
  }
  const double n = std::ceil((to - from) / by);
  check(n < 0x1p62, "the range from ", from, " to ", to, " by ", by, " has too many elements");
  if (!is_floating(dtype)) {
    const int64_t a = start.to<int64_t>(), s = step.to<int64_t>();
    return generated<int64_t>(static_cast<int64_t>(n), dtype, [=](int64_t i) { return a + i * s; });
  }
  return generated<double>(static_cast<int64_t>(n), dtype,
                           [=](int64_t i) { return from + by * static_cast<double>(i); });
}

// n equal steps from `from` to `to`, both met exactly: each half counts from its own end.
struct Steps {
  double from, to, by;
  int64_t n;
  Steps(double from, double to, int64_t n, Dtype dtype) : from(from), to(to), n(n) {
    check(n >= 0, "number of steps must be non-negative, got ", n);
    by = (to - from) / static_cast<double>(n - 1);
    // As if computed in the result's type, so that it equals what PyTorch makes.
    if (dtype != Dtype::Double && is_floating(dtype)) {
      this->from = static_cast<float>(from);
      this->to = static_cast<float>(to);
      by = (static_cast<float>(to) - static_cast<float>(from)) / static_cast<float>(n - 1);
    }
  }
  double at(int64_t i) const {
    if (n == 1) return from;
    return i < n / 2 ? from + by * static_cast<double>(i)
                     : to - by * static_cast<double>(n - 1 - i);
  }
};

std::optional<Dtype> dtype_at(const Args& a, size_t i) {
  return a.given(i) ? std::optional(a.value(i).dtype()) : std::nullopt;
}

Tensor triangle_indices(int64_t rows, int64_t cols, int64_t offset, bool lower, Dtype dtype) {
  check(rows >= 0, "row must be non-negative, got ", rows);
  check(cols >= 0, "col must be non-negative, got ", cols);
  // Row r has the columns from 0 to r + k, or from r + k on. Wide, so that nothing overflows.
  using Wide = __int128;
  const Wide k = static_cast<Wide>(offset) + (lower ? 1 : 0);
  // Rows [slope, flat) grow by one element each, and those behind them have all columns: of the lower triangle. The
  // upper one is what is left of the rectangle.
  const auto slope = static_cast<int64_t>(std::clamp<Wide>(-k, 0, rows));
  const auto flat = static_cast<int64_t>(std::clamp<Wide>(cols - k, slope, rows));
  const Wide grown = flat - slope, least = std::clamp<Wide>(slope + k, 0, cols);
  const Wide below =
      grown * least + grown * (grown - 1) / 2 + static_cast<Wide>(rows - flat) * cols;
  const Wide count = lower ? below : static_cast<Wide>(rows) * cols - below;
  check(count < INT64_MAX, "the triangle of ", rows, " rows and ", cols,
        " columns has too many elements");
  const auto n = static_cast<int64_t>(count);
  Tensor out = gotorch::empty({2, n}, Dtype::Int64);
  int64_t* y = out.data<int64_t>();
  const int64_t first = lower ? slope : 0, last = lower ? rows : flat;
  const auto edge = [&](int64_t r) {
    return static_cast<int64_t>(std::clamp<Wide>(r + k, 0, cols));
  };
  for (int64_t r = first, i = 0; i < n && r < last; r++)
    for (int64_t c = lower ? 0 : edge(r), to = lower ? edge(r) : cols; c < to; c++, i++) {
      y[i] = r;
      y[n + i] = c;
    }
  return dtype == Dtype::Int64 ? out : copy_of(out, dtype);
}

}  // namespace

const Op empty{{
    .sig = "empty(int[] size, *, dtype? dtype=None) -> Tensor",
    .doc = "A tensor of this shape whose elements are not set.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return gotorch::empty(a.ints(0), a.dtype_or(1, default_dtype())); }),
    .samples = {{dims({3, 5})}, {dims({4}), Dtype::Int32}},
    .errors = {{{dims({-1})}, "negative dimension -1"}},
    .untested = "values, out, threads, noncontiguous, empty: the elements are not defined",
}};

const Op zeros{{
    .sig = "zeros(int[] size, *, dtype? dtype=None) -> Tensor",
    .doc = "A tensor of zeros.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return filled(a.ints(0), a.dtype_or(1, default_dtype()), 0); }),
    .samples = {{dims({2, 3})}, {dims({0, 3}), Dtype::Int32}, {dims({}), Dtype::Bool}},
    .errors = {{{dims({2, -1})}, "negative dimension -1"}},
}};

const Op ones{{
    .sig = "ones(int[] size, *, dtype? dtype=None) -> Tensor",
    .doc = "A tensor of ones.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return filled(a.ints(0), a.dtype_or(1, default_dtype()), 1); }),
    .samples = {{dims({2, 3})}, {dims({4}), Dtype::BFloat16}, {dims({}), Dtype::Bool}},
}};

const Op full{{
    .sig = "full(int[] size, Scalar fill_value, *, dtype? dtype=None) -> Tensor",
    .doc = "A tensor of fill_value; without dtype, of its kind: bool, int64 or the default float.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return filled(a.ints(0), a.dtype_or(2, dtype_of_number(a.scalar(1))), a.scalar(1));
    }),
    .samples =
        {{dims({2, 3}), 1.5}, {dims({2}), 7}, {dims({2}), true}, {dims({2}), 2.5, Dtype::Int32}},
    .errors = {{{dims({2}), 300, Dtype::UInt8},
                "cannot be converted to type uint8 without overflow"},
               {{dims({2}), 1e60}, "cannot be converted to type float32 without overflow"}},
}};

const Op empty_like{{
    .sig = "empty_like(Tensor input, *, dtype? dtype=None) -> Tensor",
    .doc = "A tensor of input's shape whose elements are not set.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return gotorch::empty(a[0].shape(), a.dtype_or(1, a[0].dtype())); }),
    .samples = {{in(-1, 1)}, {in(-1, 1), Dtype::Int32}},
    .untested = "values, out, threads, noncontiguous, empty: the elements are not defined",
}};

const Op zeros_like{{
    .sig = "zeros_like(Tensor input, *, dtype? dtype=None) -> Tensor",
    .doc = "Zeros of input's shape.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return filled(a[0].shape(), a.dtype_or(1, a[0].dtype()), 0); }),
    .samples = {{in(-1, 1)}, {in(-1, 1), Dtype::Int32}},
}};

const Op ones_like{{
    .sig = "ones_like(Tensor input, *, dtype? dtype=None) -> Tensor",
    .doc = "Ones of input's shape.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return filled(a[0].shape(), a.dtype_or(1, a[0].dtype()), 1); }),
    .samples = {{in(-1, 1)}, {in(-1, 1), Dtype::Int32}},
}};

const Op full_like{{
    .sig = "full_like(Tensor input, Scalar fill_value, *, dtype? dtype=None) -> Tensor",
    .doc = "fill_value in input's shape and, without dtype, input's dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function(
        [](auto& a) { return filled(a[0].shape(), a.dtype_or(2, a[0].dtype()), a.scalar(1)); }),
    .samples = {{in(-1, 1), 2.5}, {in(-1, 1), 3, Dtype::Int32}},
}};

const Op fill{{
    .sig = "fill(Tensor input, Operand value) -> Tensor",
    .doc = "value, a number or a 0-d tensor, in input's shape and dtype.",
    .dtypes = kAll,
    .kernel = overwrite([](auto& a, auto& y) {
      if (!a.value(1).is_tensor()) return fill_elements(y, a.scalar(1));
      check(a[1].dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ",
            a[1].dim(), " dimensions.");
      copy_elements(y, a[1]);
    }),
    .grad = {wrt("value", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-1, 1), 2.5}, {in(-1, 1), in(-1, 1, {})}},
    .errors = {{{in(-1, 1), in(-1, 1, {2})},
                "fill_ only supports 0-dimension value tensor but got tensor with 1 dimensions."}},
}};

const Op zero{{
    .sig = "zero(Tensor input) -> Tensor",
    .doc = "Zeros in input's shape and dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = overwrite([](auto&, auto& y) { fill_elements(y, 0); }),
    .grad = {wrt("input", "", [](auto&) { return Tensor(); })},
    .samples = {{in(-1, 1)}},
    .untested = "values: PyTorch has only zero_",
}};

const Op scalar_tensor{{
    .sig = "scalar_tensor(Scalar s, *, dtype? dtype=None) -> Tensor",
    .doc = "A 0-d tensor of the default dtype, or of dtype.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel =
        function([](auto& a) { return filled({}, a.dtype_or(1, default_dtype()), a.scalar(0)); }),
    .samples = {{2.5}, {3}, {3, Dtype::Int8}},
}};

const Op arange{{
    .sig = "arange(Scalar end, *, dtype? dtype=None) -> Tensor",
    .doc = "0, 1, ... up to but not including end; int64 if end is an integer.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return range(0, a.scalar(0), 1, dtype_at(a, 1)); }),
    .samples = {{5}, {5.5}, {0}, {7, Dtype::Half}},
    .errors = {{{-1}, "upper bound and lower bound inconsistent with step sign"},
               {{__builtin_inf()}, "unsupported range"}},
}};

const Op arange_start{{
    .sig = "arange.start(Scalar start, Scalar end, Scalar step=1, *, dtype? dtype=None) -> Tensor",
    .doc = "start, start + step, ... up to but not including end; int64 if all are integers.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function(
        [](auto& a) { return range(a.scalar(0), a.scalar(1), a.scalar(2), dtype_at(a, 3)); }),
    .samples = {{1, 6}, {0.0, 1.0, 0.3}, {5, -5, -3}, {1.5, 6, 1.5, Dtype::Int64}, {3, 3}},
    .errors = {{{5, 0}, "upper bound and lower bound inconsistent with step sign"},
               {{0, 5, 0}, "step must be nonzero"}},
}};

const Op linspace{{
    .sig = "linspace(Scalar start, Scalar end, int steps, *, dtype? dtype=None) -> Tensor",
    .doc = "`steps` evenly spaced numbers from start to end, both included.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Dtype dtype = a.dtype_or(3, default_dtype());
      const Steps s(a.number(0), a.number(1), a.integer(2), dtype);
      return generated<double>(s.n, dtype, [=](int64_t i) { return s.at(i); });
    }),
    .samples = {{0, 1, 11}, {-3.3, 7.7, 100}, {0, 1, 1}, {0, 1, 0}, {0, 10, 5, Dtype::Int64}},
    .errors = {{{0, 1, -1}, "number of steps must be non-negative"}},
}};

const Op logspace{{
    .sig = "logspace(Scalar start, Scalar end, int steps, float base=10.0, *, dtype? dtype=None) "
           "-> Tensor",
    .doc = "base to the power of `steps` evenly spaced numbers from start to end.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Dtype dtype = a.dtype_or(4, default_dtype());
      const Steps s(a.number(0), a.number(1), a.integer(2), dtype);
      const double base = a.number(3);
      return generated<double>(s.n, dtype, [=](int64_t i) { return std::pow(base, s.at(i)); });
    }),
    .samples = {{0, 1, 11}, {-1.5, 2, 20, 2.0}, {0, 1, 1}},
    .errors = {{{0, 1, -1}, "number of steps must be non-negative"}},
}};

const Op eye{{
    .sig = "eye(int n, int? m=None, *, dtype? dtype=None) -> Tensor",
    .doc = "Ones on the diagonal of n rows and m (without: n) columns, zeros elsewhere.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const int64_t n = a.integer(0), m = a.given(1) ? a.integer(1) : n;
      check(n >= 0, "n must be greater or equal to 0, got ", n);
      check(m >= 0, "m must be greater or equal to 0, got ", m);
      const Tensor out = filled(DimVector{n, m}, a.dtype_or(2, default_dtype()), 0);
      for (int64_t i = 0; i < std::min(n, m); i++)
        store_scalar(static_cast<std::byte*>(out.raw()) + i * (m + 1) * out.item_size(),
                     out.dtype(), 1);
      return out;
    }),
    .samples = {{3}, {2, 4}, {4, 2, Dtype::Bool}, {0}},
    .errors = {{{-1}, "n must be greater or equal to 0, got -1"}},
}};

const Op tril_indices{{
    .sig = "tril_indices(int row, int col, int offset=0, *, dtype? dtype=None) -> Tensor",
    .doc = "Rows and columns, as two rows, of the places on and below a diagonal, row by row.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return triangle_indices(a.integer(0), a.integer(1), a.integer(2), true,
                              a.dtype_or(3, Dtype::Int64));
    }),
    .samples = {{3, 4, 1}, {3, 3}, {0, 3}, {4, 2, -2}},
    .errors = {{{-1, 2}, "row must be non-negative"}},
}};

const Op triu_indices{{
    .sig = "triu_indices(int row, int col, int offset=0, *, dtype? dtype=None) -> Tensor",
    .doc = "Rows and columns, as two rows, of the places on and above a diagonal, row by row.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return triangle_indices(a.integer(0), a.integer(1), a.integer(2), false,
                              a.dtype_or(3, Dtype::Int64));
    }),
    .samples = {{3, 4, 1}, {3, 3}, {0, 3}, {4, 2, -2}},
    .errors = {{{2, -1}, "col must be non-negative"}},
}};

}  // namespace gotorch::ops
