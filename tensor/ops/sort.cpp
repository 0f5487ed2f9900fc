// Order: sort, the k largest, medians, distinct values, places in sorted sequences.
#include "tensor/kernels/sort.h"

#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/kernels/unique.h"
#include "tensor/ops.h"
#include "tensor/ops/axis.h"
#include "tensor/promote.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

using kernels::Axis;

// The element types of kernels/sort.h: bool is ordered as bytes.
template <class F>
decltype(auto) sortable(Dtype d, F&& f) {
  return dispatch(d, [&]<class T>() -> decltype(auto) {
    return f.template operator()<std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>>();
  });
}

template <class T>
T* as(const Tensor& t) {
  return static_cast<T*>(t.raw());
}

// Values and indices of a selection along a dim of which `count` remain; f(x, axis, values, indices) in elements of T.
template <class F>
Tensors chosen(const Tensor& x, int64_t dim, Dims shape, F f) {
  const Tensor from = packed(x);
  Tensor values = gotorch::empty(shape, x.dtype()), indices = gotorch::empty(shape, Dtype::Int64);
  if (values.numel() > 0)
    sortable(x.dtype(), [&]<class T>() {
      f(as<T>(from), axis_of(x.shape(), dim), as<T>(values), indices.data<int64_t>());
    });
  return {values, indices};
}

Tensors sorted(const Tensor& x, int64_t d, bool descending) {
  return chosen(x, wrap_dim(d, x.dim()), x.shape(),
                [&]<class T>(const T* from, Axis axis, T* values, int64_t* indices) {
                  kernels::sort(from, axis, descending, values, indices);
                });
}

DimVector without(Dims shape, int64_t dim, bool keepdim) {
  DimVector out(shape);
  if (out.empty()) return out;
  if (keepdim) out[dim] = 1;
  else out.erase(dim);
  return out;
}

Tensors middle(const Args& a, bool ignore_nan) {
  const int64_t dim = wrap_dim(a.integer(1), a[0].dim());
  check<NotImplementedError>(a[0].dtype() != Dtype::Bool, "not implemented for bool");
  check<IndexError>(a[0].dim() == 0 || a[0].shape()[dim] > 0, "Expected reduction dim ", dim,
                    " to have non-zero size.");
  return chosen(a[0], dim, without(a[0].shape(), dim, a.flag(2)),
                [&]<class T>(const T* from, Axis axis, T* values, int64_t* indices) {
                  kernels::median(from, axis, ignore_nan, values, indices);
                });
}

Tensor middle_of_all(const Tensor& x, bool ignore_nan) {
  if (x.numel() > 0) return (ignore_nan ? nanmedian_dim : median_dim).all(flatten(x), 0)[0];
  check(is_floating(x.dtype()), "the median of an empty tensor of ", x.dtype(), " does not exist");
  return full(Dims(), __builtin_nan(""), x.dtype());
}

// g at the places along the dim that the values came from. `dim` counts in the input.
Tensor put_back(const GradArgs& s, size_t dim_at, bool dropped) {
  const int64_t dim = wrap_dim(s.integer(dim_at), static_cast<int64_t>(s.shape(0).size()));
  const bool insert = dropped && !s.shape(0).empty();
  const Tensor g = insert ? unsqueeze(s.g(), dim) : s.g(),
               places = insert ? unsqueeze(s.y(1), dim) : s.y(1);
  return scatter.inplace(zeros(s.shape(0), s.g().dtype()), dim, places, g);
}

// Runs of equal elements as PyTorch returns them: values, and if asked for the run of each element and the counts.
Tensors distinct(const Tensor& x, bool sort_first, bool want_inverse, bool want_counts) {
  const Tensor from = packed(x);
  return sortable(x.dtype(), [&]<class T>() {
    const kernels::Runs runs = kernels::unique(as<T>(from), x.numel(), sort_first, want_inverse);
    const auto n = static_cast<int64_t>(runs.first.size());
    Tensor values = gotorch::empty({n}, x.dtype());
    for (int64_t i = 0; i < n; i++) as<T>(values)[i] = as<T>(from)[runs.first[i]];
    Tensor inverse = gotorch::empty(want_inverse ? x.shape() : Dims(DimVector{0}), Dtype::Int64);
    if (want_inverse) std::copy(runs.inverse.begin(), runs.inverse.end(), inverse.data<int64_t>());
    Tensor counts = gotorch::empty({want_counts ? n : 0}, Dtype::Int64);
    if (want_counts) std::copy(runs.count.begin(), runs.count.end(), counts.data<int64_t>());
    return Tensors{values, inverse, counts};
  });
}

// Distinct slices of a dim, by comparing slices as rows. Few are expected to be equal in their first elements.
Tensors distinct_slices(const Tensor& x, int64_t d, bool sort_first, bool want_inverse,
                        bool want_counts) {
  const int64_t dim = wrap_dim(d, x.dim());
  const Tensor rows = packed(transposed(x, 0, dim));
  const int64_t n = rows.shape()[0], width = n > 0 ? rows.numel() / n : 0;
  Buffer<int64_t> order(static_cast<size_t>(n)), run(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) order[i] = i;
  Buffer<int64_t> first, count;
  sortable(x.dtype(), [&]<class T>() {
    const T* v = as<T>(rows);
    const auto row = [&](int64_t i) {
      return std::span(v + i * width, static_cast<size_t>(width));
    };
    const auto less = [&](int64_t a, int64_t b) {
      return std::lexicographical_compare(
          row(a).begin(), row(a).end(), row(b).begin(), row(b).end(),
          [](T p, T q) { return static_cast<Compute<T>>(p) < static_cast<Compute<T>>(q); });
    };
    const auto equal = [&](int64_t a, int64_t b) {
      return std::equal(row(a).begin(), row(a).end(), row(b).begin(), [](T p, T q) {
        return static_cast<Compute<T>>(p) == static_cast<Compute<T>>(q);
      });
    };
    if (sort_first) std::stable_sort(order.begin(), order.end(), less);
    for (int64_t i = 0; i < n; i++) {
      if (i == 0 || !equal(order[i - 1], order[i])) {
        first.push_back(order[i]);
        count.push_back(0);
      }
      count.back()++;
      run[order[i]] = static_cast<int64_t>(first.size()) - 1;
    }
  });
  const auto list = [](const Buffer<int64_t>& v, bool wanted) {
    return tensor_of<int64_t>(wanted ? std::span<const int64_t>(v) : std::span<const int64_t>(),
                              wanted ? static_cast<int64_t>(v.size()) : 0);
  };
  return {index_select(x, dim, list(first, true)), list(run, want_inverse),
          list(count, want_counts)};
}

// Places of values in a sequence, or in one sequence per row.
Tensor places(const Tensor& sequence, const Value& value, const Value& sorter, bool int32,
              bool right, const Value& side) {
  if (!side.is_none()) {
    check(side.str() == "left" || side.str() == "right",
          "side can only be 'left' or 'right' but got ", side.str());
    check(!(right && side.str() == "left"),
          "side and right can't be set to opposites, got side of left while right was True");
    right = side.str() == "right";
  }
  const Unrecorded inside;
  const Tensor input =
      value.is_tensor() ? value.tensor() : full(Dims(), value.scalar(), sequence.dtype());
  check(sequence.dim() > 0,
        "input value can be a scalar only when boundaries tensor dimension is 1, but we got a 0-d "
        "one");
  const bool shared = sequence.dim() == 1;
  bool fits = shared || sequence.dim() == input.dim();
  for (int64_t d = 0; fits && !shared && d + 1 < input.dim(); d++)
    fits = sequence.shape()[d] == input.shape()[d];
  check(fits,
        "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor "
        "and input value "
        "tensor must match, but we got boundaries tensor ",
        sequence.shape(), " and input value tensor ", input.shape());
  Promotion p;
  p.add(sequence);
  p.add(input);
  const Dtype dtype = p.result();
  const Tensor in_order = sorter.is_none() ? sequence : gather(sequence, -1, sorter.tensor());
  const Tensor s = packed(in_order, dtype), v = packed(input, dtype);
  const Tensor y = gotorch::empty(input.shape(), Dtype::Int64);
  const int64_t m = shared ? v.numel() : v.size(-1), rows = m > 0 ? v.numel() / m : 0;
  sortable(dtype, [&]<class T>() {
    kernels::searchsorted(as<T>(s), shared, rows, s.size(-1), as<T>(v), m, right,
                          y.data<int64_t>());
  });
  return int32 ? copy_of(y, Dtype::Int32) : y;
}

}  // namespace

const Op sort{{
    .sig = "sort(Tensor input, int dim=-1, bool descending=False, *, bool? stable=None) -> (Tensor "
           "values, Tensor indices)",
    .doc = "The elements along `dim` in order, and where they were. Always stable; NaN is the "
           "largest.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return sorted(a[0], a.integer(1), a.flag(2)); }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s, 1, false); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0, true},
                {in(-1, 1, {2, 3, 4}), 1},
                {indices(0, 3, {9})},
                {in(-1, 1, {})}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op argsort{{
    .sig =
        "argsort(Tensor input, int dim=-1, bool descending=False, *, bool stable=False) -> Tensor",
    .doc = "The indices that put the elements along `dim` in order.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return sort.all(a[0], a.integer(1), a.flag(2))[1]; }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 0, true}},
}};

const Op msort{{
    .sig = "msort(Tensor input) -> Tensor",
    .doc = "The elements in order along the first dimension.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return sort.all(a[0], 0)[0]; }),
    .samples = {{in(-1, 1)}},
}};

const Op topk{{
    .sig = "topk(Tensor input, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor "
           "values, Tensor indices)",
    .doc = "The k largest (or smallest) elements along `dim`, in order, and where they were.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      check(a[0].dtype() != Dtype::Bool, "topk does not support bool dtypes on CPU");
      const int64_t dim = wrap_dim(a.integer(2), a[0].dim()), k = a.integer(1);
      const int64_t size = a[0].dim() > 0 ? a[0].shape()[dim] : 1;
      check(k >= 0 && k <= size, "selected index k out of range: got ", k,
            " for a dimension of size ", size);
      DimVector shape(a[0].shape());
      if (!shape.empty()) shape[dim] = k;
      return chosen(a[0], dim, shape,
                    [&]<class T>(const T* from, Axis axis, T* values, int64_t* places) {
                      // A 0-d tensor is its own result, even for k = 0.
                      kernels::topk(from, axis, shape.empty() ? 1 : k, a.flag(3), values, places);
                    });
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s, 2, false); })},
    .samples = {{in(-1, 1), 2},
                {in(-1, 1), 2, 0, false},
                {in(-1, 1, {2, 3, 4}), 3, 1},
                {in(-1, 1), 0},
                {in(-1, 1, {}), 1},
                {in(-1, 1, {}), 0}},
    .errors = {{{in(-1, 1), 6}, "selected index k out of range"},
               {{in(-1, 1), -1}, "selected index k out of range"},
               {{bools({3}), 1}, "does not support bool dtypes"}},
    .untested = "indices: of equal elements PyTorch names another one",
}};

const Op kthvalue{{
    .sig = "kthvalue(Tensor input, int k, int dim=-1, bool keepdim=False) -> (Tensor values, "
           "Tensor indices)",
    .doc = "The k-th smallest element along `dim`, from 1, and where it was.",
    .dtypes = kNumbers,
    .kernel = function([](auto& a) {
      const int64_t dim = wrap_dim(a.integer(2), a[0].dim()), k = a.integer(1);
      const int64_t size = a[0].dim() > 0 ? a[0].shape()[dim] : 1;
      check(k >= 1 && k <= size, "selected number k out of range for dimension ", dim, ": got ", k,
            ", size ", size);
      return chosen(a[0], dim, without(a[0].shape(), dim, a.flag(3)),
                    [&]<class T>(const T* from, Axis axis, T* values, int64_t* places) {
                      kernels::kth_value(from, axis, k, values, places);
                    });
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s, 2, !s.flag(3)); })},
    .samples = {{in(-1, 1), 2}, {in(-1, 1), 3, 0, true}, {in(-1, 1, {2, 3, 4}), 1, 1}},
    .errors = {{{in(-1, 1), 6}, "selected number k out of range for dimension 1"},
               {{in(-1, 1), 0}, "selected number k out of range"}},
    .untested = "indices: of equal elements PyTorch names another one",
}};

const Op median{{
    .sig = "median(Tensor input) -> Tensor",
    .doc = "The median of all elements; of an even number, the lower one. NaN if there is one.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) { return middle_of_all(a[0], false); }),
    .samples = {{in(-1, 1)}, {in(-1, 1, {4})}, {indices(-9, 9, {7})}},
    .untested = "empty: the median of no integers is an error, not the smallest integer",
}};

const Op median_dim{{
    .sig =
        "median.dim(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The median along `dim` and where it was; of an even number, the lower one.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return middle(a, false); }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s, 1, !s.flag(2)); })},
    .samples = {{in(-1, 1), 0}, {in(-1, 1), -1, true}, {in(-1, 1, {2, 4, 3}), 1}},
    .errors = {{{in(-1, 1, {0, 3}), 0}, "Expected reduction dim 0 to have non-zero size."},
               {{bools({3}), 0}, "not implemented for bool"}},
}};

const Op nanmedian{{
    .sig = "nanmedian(Tensor input) -> Tensor",
    .doc = "The median of the elements that are not NaN.",
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) { return middle_of_all(a[0], true); }),
    .samples = {{in(-1, 1)}},
}};

const Op nanmedian_dim{{
    .sig = "nanmedian.dim(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor "
           "indices)",
    .doc = "The median along `dim` of the elements that are not NaN, and where it was.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return middle(a, true); }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s, 1, !s.flag(2)); })},
    .samples = {{in(-1, 1), 0}, {in(-1, 1), -1, true}},
}};

const Op _unique2{{
    .sig = "_unique2(Tensor input, bool sorted=True, bool return_inverse=False, bool "
           "return_counts=False) -> "
           "(Tensor output, Tensor inverse, Tensor counts)",
    .doc =
        "The distinct elements in order, for each element which it is, and how often each occurs.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return distinct(a[0], true, a.flag(2), a.flag(3)); }),
    .samples = {{indices(0, 5, {3, 4}), true, true, true}, {in(-1, 1)}},
}};

const Op _unique_consecutive{{
    .sig =
        "_unique_consecutive(Tensor input, bool return_inverse=False, bool return_counts=False) -> "
        "(Tensor output, Tensor inverse, Tensor counts)",
    .doc = "The flattened input with runs of equal elements as one, for each element its run, and "
           "the lengths of the runs.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return distinct(a[0], false, a.flag(1), a.flag(2)); }),
    .samples = {{indices(0, 2, {12}), true, true}},
}};

const Op _unique_dim{{
    .sig = "_unique_dim(Tensor input, int dim, bool consecutive=False, bool return_inverse=False, "
           "bool return_counts=False) -> "
           "(Tensor output, Tensor inverse, Tensor counts)",
    .doc = "The distinct slices of `dim` in lexicographic order, or runs of equal ones as one, "
           "with inverse and counts.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return distinct_slices(a[0], a.integer(1), !a.flag(2), a.flag(3), a.flag(4));
    }),
    .samples = {{indices(0, 2, {8, 2}), 0, false, true, true},
                {indices(0, 2, {2, 8}), 1, true, true, true}},
}};

const Op searchsorted{{
    .sig = "searchsorted(Tensor sorted_sequence, Operand input, *, bool out_int32=False, bool "
           "right=False, str? side=None, "
           "Tensor? sorter=None) -> Tensor",
    .doc = "For each value, how many elements of the ascending sequence are smaller (with right: "
           "not larger).",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return places(a[0], a.value(1), a.value(5), a.flag(2), a.flag(3), a.value(4));
    }),
    .samples = {{indices(3, 4, {5}), indices(0, 9, {2, 3})}, {indices(3, 4, {5}), 3, false, true}},
    .errors = {{{in(1, 2, {2, 3}), in(1, 2, {2})}, "boundaries tensor should be 1 dimension"},
               {{in(1, 2, {3}), 1.0, false, false, "foo"},
                "side can only be 'left' or 'right' but got foo"},
               {{in(1, 2, {3}), 1.0, false, true, "left"},
                "side and right can't be set to opposites"}},
    .untested = "signature: PyTorch calls a number `self`",
}};

const Op bucketize{{
    .sig = "bucketize(Operand input, Tensor boundaries, *, bool out_int32=False, bool right=False) "
           "-> Tensor",
    .doc = "For each value, the number of the bucket between the ascending boundaries that it "
           "falls in.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      check(a[1].dim() == 1, "boundaries tensor must be 1 dimension, but got dim(", a[1].dim(),
            ")");
      return places(a[1], a.value(0), Value(), a.flag(2), a.flag(3), Value());
    }),
    .samples = {{in(-1, 1), indices(0, 1, {3})}},
    .errors = {{{in(-1, 1), in(-1, 1)}, "boundaries tensor must be 1 dimension"}},
}};

}  // namespace gotorch::ops
