// Sums, means and maxima of rows of a table.
#include "tensor/kernels/embedding_bag.h"

#include "tensor/buffer.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/embedding.h"

namespace gotorch::ops {
namespace {

using kernels::BagMode;

// Positions of the arguments of _embedding_bag.
enum { kWeight, kIndices, kOffsets, kMode, kScale, kPadding, kByFrequency, kIncludeLast };

BagMode bag_mode(std::string_view mode) {
  if (mode == "sum") return BagMode::Sum;
  if (mode == "mean") return BagMode::Mean;
  check<ValueError>(mode == "max", "mode has to be one of sum, mean or max, got ", mode);
  return BagMode::Max;
}

// Where each bag begins, and the end of the last.
Buffer<int64_t> bag_starts(const Tensor& given, int64_t indices, bool include_last) {
  const Tensor offsets = packed(given, Dtype::Int64);
  check(offsets.dim() == 1, "offsets has to be a 1D Tensor, got shape ", offsets.shape());
  const int64_t n = offsets.numel(), *from = offsets.data<int64_t>();
  check(!include_last || n > 0, "offsets must have a last offset, got shape ", offsets.shape());
  Buffer<int64_t> start(from, from + n);
  if (!include_last) start.push_back(n > 0 ? indices : 0);
  check(start[0] == 0,
        "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to "
        "start from position 0. However, got ",
        start[0]);
  for (size_t i = 1; i < start.size(); i++)
    check(start[i - 1] <= start[i] && start[i] <= indices, "offsets[", i - 1, "] = ", start[i - 1],
          ": offsets have to ascend and can not be greater than input's length ", indices);
  return start;
}

Tensors bags(const Args& a) {
  const Tensor &weight = a[kWeight], index = table_indices(a[kIndices]);
  const BagMode mode = bag_mode(a.str(kMode));
  check(weight.dim() == 2 && index.dim() == 1,
        "expected weight of two dimensions and indices of one, got shapes ", weight.shape(),
        " and ", index.shape());
  const Tensor scale = a.tensor_or(kScale);
  if (scale.defined()) {
    check(mode == BagMode::Sum, "per_sample_weights is only supported for mode='sum'");
    check(same(scale.shape(), index.shape()) && scale.dtype() == weight.dtype(),
          "expected per_sample_weights of shape ", index.shape(), " and dtype ", weight.dtype(),
          ", got ", scale.shape(), " and ", scale.dtype());
  }
  const Buffer<int64_t> start = bag_starts(a[kOffsets], index.numel(), a.flag(kIncludeLast));
  const auto count = static_cast<int64_t>(start.size()) - 1;
  const Tensor table = packed(weight), weights = scale.defined() ? packed(scale) : Tensor();
  const DimVector shape{count, weight.size(1)};
  const Tensor y = gotorch::empty(shape, weight.dtype());
  const Tensor from = gotorch::empty(mode == BagMode::Max ? shape : DimVector{0}, Dtype::Int64);
  dispatch(weight.dtype(), [&]<class T>() {
    if constexpr (std::is_floating_point_v<Compute<T>>) {
      const auto bad =
          kernels::embedding_bag<T>({.mode = mode,
                                     .table = table.data<T>(),
                                     .rows = weight.size(0),
                                     .n = weight.size(1),
                                     .bags = count,
                                     .index = index.data<int64_t>(),
                                     .start = start.data(),
                                     .scale = weights.defined() ? weights.data<T>() : nullptr,
                                     .padding = a.integer(kPadding),
                                     .y = y.data<T>(),
                                     .from = from.data<int64_t>()});
      if (bad) fail("index out of range: ", bad->value, " with ", bad->bound, " rows");
    }
  });
  return {y, from};
}

// The bag of each index.
Tensor bag_of_each(const Buffer<int64_t>& start) {
  const Tensor bag = gotorch::empty({start.back()}, Dtype::Int64);
  for (size_t b = 0; b + 1 < start.size(); b++)
    std::fill(bag.data<int64_t>() + start[b], bag.data<int64_t>() + start[b + 1],
              static_cast<int64_t>(b));
  return bag;
}

Tensors bags_gradient(const GradArgs& s) {
  const int64_t padding = s.integer(kPadding), rows = s.shape(kWeight)[0];
  const BagMode mode = bag_mode(s.str(kMode));
  const Tensor& g = s.g();
  if (mode == BagMode::Max) {
    const Tensor &from = s.y(1), none = lt(from, 0);
    return {scatter_add(zeros(DimVector(s.shape(kWeight)), g.dtype()), 0,
                        masked_fill(from, none, 0), masked_fill(g, none, 0))};
  }
  const Tensor all = table_indices(s[kIndices]);
  const Buffer<int64_t> start = bag_starts(s[kOffsets], all.numel(), s.flag(kIncludeLast));
  const Tensor bag = bag_of_each(start), index = narrow(all, 0, 0, bag.numel());
  Tensor of_each = index_select(g, 0, bag);
  if (mode == BagMode::Mean) {
    const Tensor counted = as_dtype(ne(index, padding), g.dtype());
    const Tensor count = index_add(zeros(g.size(0), g.dtype()), 0, bag, counted);
    of_each = div(of_each, unsqueeze(index_select(clamp(count, 1), 0, bag), 1));
  }
  Tensor g_weight, g_scale;
  if (s.needs(kScale)) {
    g_scale =
        masked_fill(sum(of_each * index_select(s[kWeight], 0, index), 1), eq(index, padding), 0);
    if (bag.numel() < all.numel())
      g_scale = constant_pad_nd(g_scale, DimVector{0, all.numel() - bag.numel()}, 0);
  }
  if (s.needs(kWeight)) {
    const Tensor scale = s.tensor_or(kScale);
    if (scale.defined()) of_each = of_each * unsqueeze(narrow(scale, 0, 0, bag.numel()), 1);
    g_weight = embedding_backward(of_each, index, rows, padding, s.flag(kByFrequency));
  }
  return {g_weight, g_scale};
}

// Of float64, whatever the dtype of the indices.
SampleArg scales(std::vector<int64_t> shape) {
  SampleArg a = in(-1, 1, std::move(shape));
  a.dtype = Dtype::Double;
  return a;
}
SampleArg table() { return scales({6, 5}); }

struct BagCall {
  Tensor input, offsets, scale;
};

// Rows of a matrix are bags; otherwise offsets say where they begin.
BagCall bag_call(const Args& a) {
  BagCall c{a[0], a.tensor_or(2), a.tensor_or(8)};
  check<ValueError>(!c.scale.defined() || same(c.scale.shape(), c.input.shape()),
                    "If per_sample_weights is not None, then it must have the same shape as the "
                    "input ",
                    c.input.shape(), ", got ", c.scale.defined() ? c.scale.shape() : Dims());
  if (c.input.dim() == 2) {
    check<ValueError>(!c.offsets.defined(),
                      "if input is 2D, then offsets has to be None, as input is treated as a "
                      "mini-batch of fixed length sequences");
    const int64_t bags = c.input.size(0), each = c.input.size(1);
    c.offsets = gotorch::empty({bags + 1}, Dtype::Int64);
    for (int64_t i = 0; i <= bags; i++) c.offsets.data<int64_t>()[i] = i * each;
    c.input = flatten(c.input);
    if (c.scale.defined()) c.scale = flatten(c.scale);
    return c;
  }
  check<ValueError>(c.input.dim() == 1,
                    "input has to be 1D or 2D Tensor, but got Tensor of dimension ", c.input.dim());
  check<ValueError>(c.offsets.defined() && c.offsets.dim() == 1, "offsets has to be a 1D Tensor");
  return c;
}

}  // namespace

const Op embedding_bag_kernel{{
    .sig = "_embedding_bag(Tensor weight, Tensor indices, Tensor offsets, str mode, Tensor? "
           "per_sample_weights, int padding_idx, bool scale_grad_by_freq, bool "
           "include_last_offset) -> (Tensor result, Tensor from_rows)",
    .doc = "embedding_bag of indices of one dimension, and of 'max' which row each value is from.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) { return bags(a); }),
    .grad = {wrt("weight per_sample_weights", "weight indices offsets per_sample_weights from_rows",
                 [](auto& s) { return bags_gradient(s); })},
    .samples = {{in(-1, 1, {4, 5}), indices(0, 4, {6}), indices(0, 1, {1}), "max", none, 2, false,
                 false},
                {in(-1, 1, {4, 5}), indices(0, 4, {6}), indices(0, 1, {2}), "mean", none, 1, false,
                 false},
                {in(-1, 1, {4, 5}), indices(0, 4, {6}), indices(0, 1, {2}), "sum", in(-1, 1, {6}),
                 1, false, false}},
    .errors = {{{in(-1, 1, {4, 5}), indices(0, 4, {6}), indices(7, 8, {1}), "sum", none, -1, false,
                 false},
                "offsets[0] has to be 0"}},
}};

const Op embedding_bag{{
    .sig = "embedding_bag(Tensor input, Tensor weight, Tensor? offsets=None, float? max_norm=None, "
           "float norm_type=2, bool scale_grad_by_freq=False, str mode='mean', bool sparse=False, "
           "Tensor? per_sample_weights=None, bool include_last_offset=False, int? "
           "padding_idx=None) -> Tensor",
    .doc = "Sum, mean or maximum of the rows of weight that each bag names: bags are the rows of "
           "input, or begin in it at offsets. The row padding_idx does not count; rows longer than "
           "max_norm are scaled down in place first.",
    .scope = Scope::Nn,
    .dtypes = kInts,
    .kernel = compose([](auto& a) {
      const BagCall c = bag_call(a);
      const Tensor& weight = a[1];
      const BagMode mode = bag_mode(a.str(6));
      check<ValueError>(mode != BagMode::Max || !a.flag(5),
                        "max mode does not support scaling the gradient by the frequency");
      check<ValueError>(mode != BagMode::Max || !a.flag(7),
                        "max mode does not support sparse weights");
      check<NotImplementedError>(!a.flag(7), "sparse gradients are not implemented");
      check<NotImplementedError>(!c.scale.defined() || mode == BagMode::Sum,
                                 "per_sample_weights is only supported for mode='sum', got mode='",
                                 a.str(6), "'");
      check(weight.dim() == 2, "'weight' must be 2-D, got shape ", weight.shape());
      if (a.given(3)) renormalise(weight, table_indices(c.input), a.number(3), a.number(4));
      const bool include_last = a.flag(9) || a[0].dim() == 2;
      return embedding_bag_kernel(weight, c.input, c.offsets, a.str(6), c.scale,
                                  padding_row(a.value(10), weight.size(0)), a.flag(5),
                                  include_last);
    }),
    .samples = {{indices(0, 6, {3, 4}), table()},
                {indices(0, 6, {3, 4}), table(), none, none, 2.0, false, "max", false, none, false,
                 2},
                {indices(0, 6, {8}), table(), indices(0, 1, {2}), none, 2.0, false, "sum", false,
                 scales({8}), false, -2}},
    .errors = {{{indices(0, 6, {4}), table()}, "offsets has to be a 1D Tensor"},
               {{indices(6, 7, {2, 4}), table()}, "index out of range"},
               {{indices(0, 6, {2, 4}), table(), none, none, 2.0, true, "max"},
                "max mode does not support scaling the gradient by the frequency"},
               {{indices(0, 6, {2, 4}), table(), none, none, 2.0, false, "mean", false,
                 scales({2, 4})},
                "per_sample_weights is only supported for mode='sum'"}},
}};

}  // namespace gotorch::ops
