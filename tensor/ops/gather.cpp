// Reading and writing along one dimension by index.
#include "tensor/kernels/index.h"

#include "tensor/copy.h"
#include "tensor/kernels/scatter.h"
#include "tensor/ops.h"
#include "tensor/ops/axis.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

using kernels::Axis;

template <class E = Error>
void check_in_bounds(const std::optional<kernels::BadIndex>& bad, int64_t dim) {
  if (bad)
    fail<E>("index ", bad->value, " is out of bounds for dimension ", dim, " with size ",
            bad->bound);
}

Tensor integers(const Tensor& index) {
  check(index.dtype() == Dtype::Int64 || index.dtype() == Dtype::Int32,
        "Expected dtype int32 or int64 for index, got ", index.dtype());
  return packed(index, Dtype::Int64);
}

// A list of indices for index_select and its relatives: 1-d, or one index.
Tensor index_list(const Tensor& index) {
  check<IndexError>(index.dim() <= 1, "Index is supposed to be a vector, got shape ",
                    index.shape());
  return integers(index);
}

// Runs f on contiguous memory of y's elements as `dtype`, and writes them back if that is not y itself.
template <class F>
void in_memory(const Tensor& y, Dtype dtype, F f) {
  if (y.is_contiguous() && y.dtype() == dtype) return f(y);
  const Tensor whole = copy_of(y, dtype);
  f(whole);
  copy_elements(y, whole);
}

// The first shape[d] elements of x in every dim but `dim`.
Tensor cropped(const Tensor& x, Dims shape, int64_t dim) {
  Tensor y = x;
  for (int64_t d = 0; d < x.dim(); d++)
    if (d != dim && y.shape()[d] != shape[d]) y = sliced(y, d, 0, shape[d]);
  return y;
}

void check_index_shape(const Tensor& x, const Tensor& index, int64_t dim) {
  check(std::max<int64_t>(1, index.dim()) == std::max<int64_t>(1, x.dim()),
        "Index tensor must have the same number of dimensions as input tensor, got ", index.dim(),
        " and ", x.dim());
  for (int64_t d = 0; d < index.dim() && x.dim() > 0; d++)
    check(d == dim || index.shape()[d] <= x.shape()[d], "Size does not match at dimension ", d,
          " expected index ", index.shape(), " to be no larger than self ", x.shape(),
          " apart from dimension ", dim);
}

Tensor gathered(const Args& a) {
  const int64_t dim = wrap_dim(a.integer(1), a[0].dim());
  const Tensor index = integers(a[2]);
  const Tensor y = gotorch::empty(index.shape(), a[0].dtype());
  if (y.numel() == 0) return y;
  check_index_shape(a[0], index, dim);
  const Tensor x = packed(cropped(a[0], index.shape(), dim));
  const int64_t m = axis_of(index.shape(), dim).n;
  check_in_bounds(kernels::gather(x.raw(), axis_of(x.shape(), dim), index.data<int64_t>(), m,
                                  y.raw(), y.item_size()),
                  dim);
  return y;
}

// What scatter and its relatives write: to y, at places index along dim, from src (undefined: checked elsewhere).
struct Places {
  int64_t dim;
  Tensor index, part, source;

  Places(const Args& a, const Tensor& y, const Tensor& src)
      : dim(wrap_dim(a.integer(1), y.dim())), index(integers(a[2])) {
    if (index.numel() == 0) return;
    check_index_shape(y, index, dim);
    part = y.dim() > 0 ? cropped(y, index.shape(), dim) : y;
    if (!src.defined()) return;
    check(src.dtype() == y.dtype(), "Expected self.dtype to be equal to src.dtype, got ", y.dtype(),
          " and ", src.dtype());
    check(std::max<int64_t>(1, index.dim()) == std::max<int64_t>(1, src.dim()),
          "Index tensor must have the same number of dimensions as src tensor, got ", index.dim(),
          " and ", src.dim());
    source = src;
    for (int64_t d = 0; d < index.dim() && src.dim() > 0; d++) {
      check(index.shape()[d] <= src.shape()[d], "Expected index ", index.shape(),
            " to be no larger than self ", y.shape(), " apart from dimension ", dim,
            " and to be no larger size than src ", src.shape());
      if (source.shape()[d] != index.shape()[d]) source = sliced(source, d, 0, index.shape()[d]);
    }
  }
  bool empty() const { return index.numel() == 0; }
  int64_t count() const { return axis_of(index.shape(), dim).n; }
};

void scatter_into(const Args& a, const Tensor& y, const Tensor& src, bool one_value) {
  const Places p(a, y, one_value ? Tensor() : src);
  if (p.empty()) return;
  const Tensor from = packed(one_value ? src : p.source);
  in_memory(p.part, y.dtype(), [&](const Tensor& to) {
    check_in_bounds(kernels::scatter(to.raw(), axis_of(to.shape(), p.dim), p.index.data<int64_t>(),
                                     p.count(), from.raw(), one_value, y.item_size()),
                    p.dim);
  });
}

kernels::ScatterOp scatter_op(std::string_view reduce) {
  if (reduce == "sum" || reduce == "add") return kernels::ScatterOp::Sum;
  if (reduce == "prod" || reduce == "multiply") return kernels::ScatterOp::Prod;
  if (reduce == "mean") return kernels::ScatterOp::Mean;
  if (reduce == "amax") return kernels::ScatterOp::Max;
  if (reduce == "amin") return kernels::ScatterOp::Min;
  fail("reduce argument must be either sum, prod, mean, amax or amin, got ", reduce);
}

void scatter_reduced(const Args& a, const Tensor& y, kernels::ScatterOp op, bool include_self,
                     const Tensor& src) {
  const Places p(a, y, src);
  if (p.empty()) return;
  const Dtype dtype = y.dtype() == Dtype::Bool ? Dtype::UInt8 : compute_dtype(y.dtype());
  const Tensor from = packed(p.source, dtype);
  in_memory(p.part, dtype, [&](const Tensor& to) {
    dispatch(dtype, [&]<class T>() {
      if constexpr (std::is_same_v<T, Compute<T>> && !std::is_same_v<T, bool>)
        check_in_bounds(
            kernels::scatter_reduce(op, include_self, to.data<T>(), axis_of(to.shape(), p.dim),
                                    p.index.data<int64_t>(), p.count(), from.data<T>()),
            p.dim);
    });
  });
}

// What was used of src, which may be larger than index; and a gradient of that part in src's shape.
Tensor used_part(const Tensor& src, Dims index) {
  Tensor y = src;
  for (int64_t d = 0; d < src.dim(); d++)
    if (y.shape()[d] != index[d]) y = slice(y, d, 0, index[d]);
  return y;
}
Tensor in_source(const Tensor& g, Dims src) {
  DimVector pad;
  bool larger = false;
  for (int64_t d = g.dim(); d-- > 0;) {
    pad.push_back(0);
    pad.push_back(src[d] - g.shape()[d]);
    larger |= pad.back() > 0;
  }
  return larger ? constant_pad_nd(g, pad) : g;
}

// (input, dim, index, src, reduce, include_self), saving all tensors.
Tensors scatter_reduce_backward(const GradArgs& s) {
  const Tensor &x = s[0], &index = s[2], &g = s.g(), &y = s.y();
  const int64_t dim = s.integer(1);
  const auto op = scatter_op(s.str(4));
  const bool self = s.flag(5);
  const Tensor src = used_part(s[3], index.shape());
  const auto elsewhere = [&](const Tensor& t) {
    return self ? t : scatter_value(t, dim, index, 0);
  };
  const auto there = [&](const Tensor& t) { return gather(t, dim, index); };
  Tensor gx, gs;
  if (op == kernels::ScatterOp::Sum) {
    gx = elsewhere(g);
    gs = there(g);
  } else if (op == kernels::ScatterOp::Prod) {
    // Right where no factor is 0.
    gx = self ? true_divide(mul(g, y), x) : elsewhere(g);
    gs = true_divide(there(mul(g, y)), src);
  } else if (op == kernels::ScatterOp::Mean) {
    const Tensor count = scatter_add(full_like(x, self ? 1 : 0), dim, index, ones_like(src));
    const Tensor each = true_divide(g, clamp_min(count, 1));
    gx = elsewhere(each);
    gs = there(each);
  } else {
    // Equal ones share the gradient.
    const Tensor kept = elsewhere(_to_dtype(eq(x, y), g.dtype()));
    const Tensor met = _to_dtype(eq(src, there(y)), g.dtype());
    const Tensor each = true_divide(g, clamp_min(scatter_add(kept, dim, index, met), 1));
    gx = mul(kept, each);
    gs = mul(met, there(each));
  }
  return {gx, in_source(gs, s.shape(3))};
}

// (input, dim, index, source): what index_add and index_copy agree on.
void check_slices(const Tensor& y, int64_t dim, const Tensor& index, const Tensor& source) {
  check(source.dtype() == y.dtype(),
        "self and source expected to have the same dtype, but got (self) ", y.dtype(),
        " and (source) ", source.dtype());
  check(std::max<int64_t>(1, source.dim()) == std::max<int64_t>(1, y.dim()),
        "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
        "self.shape = ",
        y.shape(), " source.shape = ", source.shape());
  const int64_t have = source.dim() > 0 ? source.shape()[dim] : 1;
  check(have == index.numel(), "Number of indices (", index.numel(),
        ") should be equal to source.size(dim): (", have, "), for dim: ", dim);
  for (int64_t d = 0; d < y.dim() && source.dim() > 0; d++)
    check(d == dim || source.shape()[d] == y.shape()[d],
          "source tensor shape must match self tensor shape, excluding the specified dimension. "
          "Got self.shape = ",
          y.shape(), " source.shape = ", source.shape());
}

void add_slices(const Args& a, const Tensor& y) {
  const int64_t dim = wrap_dim(a.integer(1), y.dim());
  const Tensor index = index_list(a[2]);
  check_slices(y, dim, index, a[3]);
  const Dtype dtype = y.dtype() == Dtype::Bool ? Dtype::UInt8 : compute_dtype(y.dtype());
  const Tensor source = packed(a[3], dtype);
  in_memory(y, dtype, [&](const Tensor& to) {
    dispatch(dtype, [&]<class T>() {
      if constexpr (std::is_same_v<T, Compute<T>> && !std::is_same_v<T, bool>)
        check_in_bounds(
            kernels::index_add(to.data<T>(), axis_of(to.shape(), dim), index.data<int64_t>(),
                               index.numel(), source.data<T>(), a.scalar(4).to<T>()),
            dim);
    });
  });
}

void copy_slices(const Args& a, const Tensor& y) {
  const int64_t dim = wrap_dim(a.integer(1), y.dim());
  const Tensor index = index_list(a[2]);
  check_slices(y, dim, index, a[3]);
  const Tensor source = packed(a[3]);
  in_memory(y, y.dtype(), [&](const Tensor& to) {
    check_in_bounds<IndexError>(
        kernels::index_copy(to.raw(), axis_of(to.shape(), dim), index.data<int64_t>(),
                            index.numel(), source.raw(), y.item_size()),
        dim);
  });
}

void fill_slices(const Args& a, const Tensor& y) {
  const int64_t dim = wrap_dim(a.integer(1), y.dim());
  const Tensor index = index_list(a[2]);
  const int64_t size = y.dim() > 0 ? y.shape()[dim] : 1;
  const auto bad = kernels::find_bad_index(index.data<int64_t>(), index.numel(), -size, size);
  if (bad)
    fail<IndexError>("index ", bad->value, " is out of bounds for dimension ", dim, " with size ",
                     size);
  Scalar value = a.value(3).is_tensor() ? Scalar() : a.scalar(3);
  if (a.value(3).is_tensor()) {
    check(a[3].dim() == 0, "Only supports 0-dimensional value tensor, but got tensor with ",
          a[3].dim(), " dimension(s).");
    value = a[3].item_scalar();
  }
  for (int64_t i = 0; i < index.numel(); i++) {
    const int64_t at = index.data<int64_t>()[i];
    fill_elements(y.dim() > 0 ? selected(y, dim, at < 0 ? at + size : at) : y, value);
  }
}

Tensor zeros_for(const GradArgs& s, size_t arg) { return zeros(s.shape(arg), s.g().dtype()); }

}  // namespace

const Op index_select{{
    .sig = "index_select(Tensor input, int dim, Tensor index) -> Tensor",
    .doc = "The slices of `dim` that index names, in its order.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const int64_t dim = wrap_dim(a.integer(1), a[0].dim());
      const Tensor index = index_list(a[2]), x = packed(a[0]);
      DimVector shape(x.shape());
      if (!shape.empty()) shape[dim] = index.numel();
      else
        check<IndexError>(index.numel() == 1, "Index to scalar can have only 1 value, got ",
                          index.numel());
      const Tensor y = gotorch::empty(shape, x.dtype());
      check_in_bounds<IndexError>(
          kernels::index_select(x.raw(), axis_of(x.shape(), dim), index.data<int64_t>(),
                                index.numel(), y.raw(), y.item_size()),
          dim);
      return y;
    }),
    .grad = {wrt(
        "input", "index",
        [](auto& s) { return index_add.inplace(zeros_for(s, 0), s.integer(1), s[2], s.g()); })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {4})},
                {in(-1, 1, {2, 3, 4}), 1, indices(0, 3, {2})},
                {in(-1, 1), -1, indices(0, 5, {})}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1})},
                "index 3 is out of bounds for dimension 0 with size 3"},
               {{in(-1, 1), 0, indices(0, 1, {1, 1})}, "Index is supposed to be a vector"},
               {{in(-1, 1), 0, in(0, 1, {1})}, "Expected dtype int32 or int64 for index"}},
}};

const Op gather{{
    .sig = "gather(Tensor input, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    .doc = "In index's shape, the elements of input at index along `dim` and at the element's own "
           "place in the others.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return gathered(a); }),
    .grad = {wrt(
        "input", "index",
        [](auto& s) { return scatter_add.inplace(zeros_for(s, 0), s.integer(1), s[2], s.g()); })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {2, 5})},
                {in(-1, 1), 1, indices(0, 5, {3, 7})},
                {in(-1, 1, {2, 3, 4}), -2, indices(0, 3, {1, 2, 3})}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1, 1})},
                "index 3 is out of bounds for dimension 0 with size 3"},
               {{in(-1, 1), 0, indices(0, 1, {1})},
                "Index tensor must have the same number of dimensions as input tensor"},
               {{in(-1, 1), 0, indices(0, 1, {1, 6})},
                "Size does not match at dimension 1 expected index [1, 6]"}},
}};

const Op take_along_dim{{
    .sig = "take_along_dim(Tensor input, Tensor indices, int? dim=None) -> Tensor",
    .doc = "gather with input and indices broadcast to each other but in `dim`; without dim, of "
           "the flattened tensors.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      if (!a.given(2)) return gather(flatten(a[0]), 0, flatten(a[1]));
      check(a[0].dim() == a[1].dim(),
            "input and indices should have the same number of dimensions, but got ", a[0].dim(),
            " dimensions for input, and ", a[1].dim(), " dimensions for indices");
      const int64_t dim = wrap_dim(a.integer(2), a[0].dim());
      DimVector x(a[0].shape()), index(a[1].shape());
      const int64_t n = x.empty() ? 1 : x[dim], m = index.empty() ? 1 : index[dim];
      if (!x.empty()) x[dim] = index[dim] = 1;
      DimVector common = broadcast_shapes(x, index);
      x = index = common;
      if (!common.empty()) x[dim] = n, index[dim] = m;
      return gather(expand(a[0], x), dim, expand(a[1], index));
    }),
    .samples = {{in(-1, 1), indices(0, 3, {2, 1}), 0}, {in(-1, 1), indices(0, 15, {4})}},
}};

const Op take{{
    .sig = "take(Tensor input, Tensor index) -> Tensor",
    .doc = "The elements of the flattened input at index.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Tensor index = integers(a[1]), x = packed(a[0]);
      const Tensor y = gotorch::empty(index.shape(), x.dtype());
      const auto bad = kernels::take(x.raw(), x.numel(), index.template data<int64_t>(), y.numel(),
                                     y.raw(), y.item_size());
      if (bad)
        fail<IndexError>("out of range: tried to access index ", bad->value, " on a tensor of ",
                         x.numel(), " elements.");
      return y;
    }),
    .grad = {wrt("input", "index",
                 [](auto& s) {
                   const int64_t n = numel_of(s.shape(0));
                   const Tensor flat = flatten(s[1]),
                                index = where(lt(flat, 0), add(flat, n), flat);
                   const Tensor none = zeros(DimVector{n}, s.g().dtype());
                   return reshape(index_add(none, 0, index, flatten(s.g())), s.shape(0));
                 })},
    .samples = {{in(-1, 1), indices(-15, 15, {2, 4})}},
    .errors = {{{in(-1, 1), indices(15, 16, {1})},
                "tried to access index 15 on a tensor of 15 elements."}},
}};

const Op put{{
    .sig = "put(Tensor input, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
    .doc = "input with source written, or added, at index of its flattened elements.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &source = a[2];
      check(source.dtype() == x.dtype(), "put_(): self and source expected to have the same dtype, but got self.dtype = ",
            x.dtype(), " and source.dtype = ", source.dtype());
      check(a[1].dtype() == Dtype::Int64, "put_(): Expected a long tensor for index, but got ", a[1].dtype());
      check(a[1].numel() == source.numel(), "put_(): Expected source and index to have the same number of elements, but got source.numel() = ",
            source.numel(), ", index.numel() = ", a[1].numel());
      const int64_t n = x.numel();
      const Tensor index = packed(flatten(a[1]));
      if (const auto bad = kernels::find_bad_index(index.data<int64_t>(), index.numel(), -n, n))
        fail<IndexError>("out of range: tried to access index ", bad->value, " on a tensor of ", n, " elements.");
      const Tensor place = where(lt(index, 0), index + n, index), flat = flatten(x), from = flatten(source);
      return reshape(a.flag(3) ? index_add(flat, 0, place, from) : scatter(flat, 0, place, from), x.shape());
    }),
    .inplace = true,
    .samples = {{in(-1, 1), indices(-3, -2, {1}), in(-1, 1, {1})},
                {in(-1, 1), indices(0, 15, {2, 4}), in(-1, 1, {8}), true}},
    .errors = {{{in(-1, 1), indices(15, 16, {1}), in(-1, 1, {1})},
                "tried to access index 15 on a tensor of 15 elements."},
               {{in(-1, 1), indices(1, 2, {2}), in(-1, 1, {1})},
                "Expected source and index to have the same number of elements"}},
}};

const Op scatter{{
    .sig = "scatter(Tensor input, int dim, Tensor index, Tensor src) -> Tensor",
    .doc = "input with src written at index along `dim` and at its own place in the others; of "
           "equal places the last wins.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { scatter_into(a, y, a[3], false); }),
    .grad = {wrt("input", "index",
                 [](auto& s) { return scatter_value(s.g(), s.integer(1), s[2], 0); }),
             wrt("src", "index",
                 [](auto& s) { return in_source(gather(s.g(), s.integer(1), s[2]), s.shape(3)); })},
    .samples = {{in(-1, 1, {3, 1}), 1, indices(0, 1, {3, 1}), in(-1, 1, {3, 2})}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1, 1}), in(-1, 1, {1, 1})},
                "index 3 is out of bounds for dimension 0 with size 3"},
               {{in(-1, 1), 0, indices(0, 1, {1, 2}), in(-1, 1, {1, 1})},
                "and to be no larger size than src [1, 1]"},
               {{in(-1, 1), 0, indices(0, 1, {1, 1}), indices(0, 1, {1, 1})},
                "Expected self.dtype to be equal to src.dtype"}},
}};

const Op scatter_value{{
    .sig = "scatter.value(Tensor input, int dim, Tensor index, Scalar value) -> Tensor",
    .doc = "input with value written at index along `dim` and at its own place in the others.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) {
      check_fits(a.scalar(3), y.dtype());
      scatter_into(a, y, gotorch::scalar_tensor(a.scalar(3), y.dtype()), true);
    }),
    .grad = {wrt("input", "index",
                 [](auto& s) { return scatter_value(s.g(), s.integer(1), s[2], 0); })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {2, 5}), 2.5},
                {in(-1, 1), 1, indices(0, 5, {3, 1}), 1}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1, 1}), 1},
                "index 3 is out of bounds for dimension 0 with size 3"}},
}};

const Op scatter_src_reduce{{
    .sig =
        "scatter.reduce(Tensor input, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
    .doc = "scatter that adds or multiplies ('add', 'multiply').",
    .dtypes = kNumbers,
    .kernel =
        modify([](auto& a, auto& y) { scatter_reduced(a, y, scatter_op(a.str(4)), true, a[3]); }),
    .samples = {{in(-1, 1), 0, indices(0, 3, {2, 5}), in(-1, 1, {2, 5}), "add"}},
}};

const Op scatter_value_reduce{{
    .sig = "scatter.value_reduce(Tensor input, int dim, Tensor index, Scalar value, *, str reduce) "
           "-> Tensor",
    .doc = "scatter of one value that adds or multiplies ('add', 'multiply').",
    .dtypes = kNumbers,
    .kernel = modify([](auto& a, auto& y) {
      const Tensor value = expanded(gotorch::scalar_tensor(a.scalar(3), y.dtype()), a[2].shape());
      scatter_reduced(a, y, scatter_op(a.str(4)), true, value);
    }),
    .samples = {{in(-1, 1), 0, indices(0, 3, {2, 5}), 2, "multiply"}},
}};

const Op scatter_add{{
    .sig = "scatter_add(Tensor input, int dim, Tensor index, Tensor src) -> Tensor",
    .doc = "input with src added at index along `dim` and at its own place in the others, in src's "
           "order.",
    .dtypes = kAll,
    .kernel = modify(
        [](auto& a, auto& y) { scatter_reduced(a, y, kernels::ScatterOp::Sum, true, a[3]); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("src", "index",
                 [](auto& s) { return in_source(gather(s.g(), s.integer(1), s[2]), s.shape(3)); })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {4, 5}), in(-1, 1, {4, 5})},
                {in(-1, 1), 1, indices(0, 5, {2, 3}), in(-1, 1, {3, 4})}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1, 1}), in(-1, 1, {1, 1})},
                "index 3 is out of bounds for dimension 0 with size 3"}},
}};

const Op scatter_reduce{{
    .sig = "scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool "
           "include_self=True) -> Tensor",
    .doc = "scatter_add with 'sum', 'prod', 'mean', 'amax' or 'amin'; without include_self, "
           "elements that are met lose their "
           "former value.",
    .dtypes = kNumbers,
    .kernel = modify(
        [](auto& a, auto& y) { scatter_reduced(a, y, scatter_op(a.str(4)), a.flag(5), a[3]); }),
    .grad = {wrt("input src", "input index src result",
                 [](auto& s) { return scatter_reduce_backward(s); })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {4, 5}), in(-1, 1, {4, 5}), "sum"},
                {in(-1, 1), 1, indices(0, 5, {3, 4}), in(-1, 1, {3, 4}), "mean"},
                {in(0.5, 2), 0, indices(0, 3, {4, 5}), in(0.5, 2, {4, 5}), "prod"},
                {in(-1, 1), 0, indices(0, 3, {4, 5}), in(-1, 1, {4, 5}), "amax"},
                {in(-1, 1), 0, indices(0, 2, {4, 5}), in(-1, 1, {4, 5}), "amin", false},
                {in(-1, 1), 0, indices(0, 2, {4, 5}), in(-1, 1, {4, 5}), "mean", false}},
    .errors = {{{in(-1, 1), 0, indices(0, 1, {1, 1}), in(-1, 1, {1, 1}), "foo"},
                "reduce argument must be either sum, prod, mean, amax or amin, got foo"}},
}};

const Op index_add{{
    .sig = "index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> "
           "Tensor",
    .doc = "input with alpha times the slices of source added to the slices of `dim` that index "
           "names.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { add_slices(a, y); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); }),
             wrt("source", "index",
                 [](auto& s) {
                   return reshape(mul(index_select(s.g(), s.integer(1), s[2]), s.scalar(4)),
                                  s.shape(3));
                 })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {4}), in(-1, 1, {4, 5})},
                {in(-1, 1, {2, 3, 4}), 1, indices(0, 3, {2}), in(-1, 1, {2, 2, 4}), 2}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1}), in(-1, 1, {1, 5})},
                "index 3 is out of bounds for dimension 0 with size 3"},
               {{in(-1, 1), 0, indices(0, 1, {1}), in(-1, 1, {2, 5})},
                "Number of indices (1) should be equal to source.size(dim): (2)"},
               {{in(-1, 1), 0, indices(0, 1, {1}), in(-1, 1, {1, 4})},
                "source tensor shape must match self tensor shape"}},
}};

const Op index_copy{{
    .sig = "index_copy(Tensor input, int dim, Tensor index, Tensor source) -> Tensor",
    .doc = "input with the slices of source in place of the slices of `dim` that index names; of "
           "equal ones the last wins.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { copy_slices(a, y); }),
    .grad =
        {wrt("input", "index", [](auto& s) { return index_fill(s.g(), s.integer(1), s[2], 0); }),
         wrt("source", "index",
             [](auto& s) { return reshape(index_select(s.g(), s.integer(1), s[2]), s.shape(3)); })},
    .samples = {{in(-1, 1), 0, indices(1, 2, {1}), in(-1, 1, {1, 5})},
                {in(-1, 1, {2, 3, 4}), 1, indices(2, 3, {1}), in(-1, 1, {2, 1, 4})}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1}), in(-1, 1, {1, 5})},
                "index 3 is out of bounds for dimension 0 with size 3"}},
}};

const Op index_fill{{
    .sig = "index_fill(Tensor input, int dim, Tensor index, Operand value) -> Tensor",
    .doc = "input with value, a number or a 0-d tensor, in the slices of `dim` that index names.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { fill_slices(a, y); }),
    .grad = {wrt("input", "index",
                 [](auto& s) { return index_fill(s.g(), s.integer(1), s[2], 0); }),
             wrt("value", "index",
                 [](auto& s) { return sum(index_select(s.g(), s.integer(1), s[2])); })},
    .samples = {{in(-1, 1), 0, indices(0, 3, {2}), 2.5},
                {in(-1, 1), 1, indices(1, 2, {1}), in(-1, 1, {})}},
    .errors = {{{in(-1, 1), 0, indices(3, 4, {1}), 1},
                "index 3 is out of bounds for dimension 0 with size 3"}},
}};

}  // namespace gotorch::ops
