// Several tensors as one, and copies of one tensor several times.
#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/kernels/plane.h"
#include "tensor/ops.h"
#include "tensor/promote.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

Dtype common_dtype(std::span<const Tensor> parts) {
  Promotion p;
  for (const Tensor& t : parts) p.add(t);
  return p.result();
}

// Legacy: a 1-d tensor without elements fits anything.
bool skipped(Dims shape) { return shape.size() == 1 && shape[0] == 0; }

bool rows_in_memory(const Tensor& t, Dtype dtype) {
  return t.is_contiguous() && t.dtype() == dtype && !t.is_pending();
}

// Part i fills elements [place[i], place[i + 1]) of each of `outer` rows.
void interleave(std::span<const Tensor> parts, std::span<const int64_t> place, int64_t outer,
                const Tensor& out) {
  const int64_t row = place[parts.size()], item = out.item_size();
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 17) / std::max<int64_t>(row * item, 1));
  auto* y = static_cast<std::byte*>(out.raw());
  runtime::parallel_for(outer, grain, [&](int64_t begin, int64_t end) {
    for (size_t i = 0; i < parts.size(); i++) {
      const int64_t n = place[i + 1] - place[i];
      const auto* x = static_cast<const std::byte*>(parts[i].raw());
      kernels::copy_plane(
          {y + (begin * row + place[i]) * item, x + begin * n * item, end - begin, n, row, 1, n, 1},
          item);
    }
  });
}

// Joins `parts`, whose shapes agree with out's but in `dim`, which they do not have at all if `stacked`.
Tensor joined(std::span<const Tensor> parts, Dims shape, int64_t dim, bool stacked, Dtype dtype) {
  Tensor out = gotorch::empty(shape, dtype);
  if (out.numel() == 0) return out;
  const int64_t outer = numel_of(shape.first(dim));
  bool in_memory = outer > 1 || out.bytes() < (1 << 17);
  DimVector place(parts.size() + 1, 0);
  for (size_t i = 0; i < parts.size(); i++) {
    in_memory = in_memory && rows_in_memory(parts[i], out.dtype());
    place[i + 1] = place[i] + parts[i].numel() / outer;
  }
  if (in_memory) {
    interleave(parts, place, outer, out);
    return out;
  }
  int64_t at = 0;
  for (const Tensor& t : parts) {
    const int64_t n = stacked ? 1 : t.shape()[dim];
    copy_elements(stacked ? selected(out, dim, at) : sliced(out, dim, at, n), t);
    at += n;
  }
  return out;
}

void check_joinable(std::span<const Tensor> parts, int64_t dim) {
  const Dims first = parts[0].shape();
  for (size_t i = 1; i < parts.size(); i++) {
    const Dims shape = parts[i].shape();
    check(shape.size() == first.size(), "Tensors must have same number of dimensions: got ",
          first.size(), " and ", shape.size());
    for (size_t d = 0; d < shape.size(); d++)
      check(static_cast<int64_t>(d) == dim || shape[d] == first[d],
            "Sizes of tensors must match except in dimension ", dim, ". Expected size ", first[d],
            " but got size ", shape[d], " for tensor number ", i, " in the list.");
  }
}

// Each tensor with at least `n` dims, as the stack functions want them.
template <class F>
Tensors each(std::span<const Tensor> parts, const char* name, F f) {
  check(!parts.empty(), name, " expects a non-empty TensorList");
  Tensors out;
  for (const Tensor& t : parts) out.push_back(f(t));
  return out;
}

Tensor at_least_1d(const Tensor& x) { return x.dim() > 0 ? x : reshape(x, 1); }
Tensor at_least_2d(const Tensor& x) { return x.dim() > 1 ? x : unsqueeze(at_least_1d(x), 0); }
Tensor at_least_3d(const Tensor& x) { return x.dim() > 2 ? x : unsqueeze(at_least_2d(x), -1); }

}  // namespace

const Op cat{{
    .sig = "cat(Tensor[] tensors, int dim=0) -> Tensor",
    .doc = "The tensors one after the other along `dim`; their other sizes agree.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const auto given = a.tensors(0);
      check<ValueError>(!given.empty(), "expected a non-empty list of Tensors");
      Tensors parts;
      for (size_t i = 0; i < given.size(); i++) {
        check(given[i].dim() > 0, "zero-dimensional tensor (at position ", i,
              ") cannot be concatenated");
        if (!skipped(given[i].shape())) parts.push_back(given[i]);
      }
      if (parts.empty()) return gotorch::empty({0}, common_dtype(given));
      const int64_t dim = wrap_dim(a.integer(1), parts[0].dim());
      check_joinable(parts, dim);
      DimVector shape(parts[0].shape());
      for (size_t i = 1; i < parts.size(); i++) shape[dim] += parts[i].shape()[dim];
      return joined(parts, shape, dim, false, common_dtype(given));
    }),
    .grad = {wrt("tensors", "",
                 [](auto& s) {
                   DimVector sizes;
                   for (size_t i = 0; i < s.elements(); i++)
                     if (!skipped(s.element_shape(i)))
                       sizes.push_back(s.element_shape(i)[wrap_dim(s.integer(1), s.g().dim())]);
                   const Tensors parts = split_with_sizes.all(s.g(), sizes, s.integer(1));
                   Tensors out;
                   for (size_t i = 0, part = 0; i < s.elements(); i++)
                     out.push_back(skipped(s.element_shape(i)) ? Tensor() : parts[part++]);
                   return out;
                 })},
    .aliases = "concat concatenate",
    .samples = {{tensors({in(-1, 1), in(-1, 1, {2, 5})})},
                {tensors({in(-1, 1), in(-1, 1, {3, 2}), in(-1, 1, {3, 1})}), -1},
                {tensors({in(-1, 1), in(-1, 1, {0})})},
                {tensors({in(-1, 1)}), 1}},
    .errors = {{{tensors({})}, "expected a non-empty list of Tensors"},
               {{tensors({in(-1, 1), in(-1, 1, {3})})},
                "Tensors must have same number of dimensions: got 2 and 1"},
               {{tensors({in(-1, 1), in(-1, 1, {3, 4})})},
                "Expected size 5 but got size 4 for tensor number 1"},
               {{tensors({in(-1, 1, {})})},
                "zero-dimensional tensor (at position 0) cannot be concatenated"},
               {{tensors({in(-1, 1)}), 2}, "Dimension out of range"}},
}};

const Op stack{{
    .sig = "stack(Tensor[] tensors, int dim=0) -> Tensor",
    .doc = "Tensors of one shape along a new dimension.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const auto parts = a.tensors(0);
      check(!parts.empty(), "stack expects a non-empty TensorList");
      for (size_t i = 1; i < parts.size(); i++)
        check(same(parts[i].shape(), parts[0].shape()),
              "stack expects each tensor to be equal size, but got ", parts[0].shape(),
              " at entry 0 and ", parts[i].shape(), " at entry ", i);
      const int64_t dim = wrap_dim(a.integer(1), parts[0].dim() + 1);
      DimVector shape(parts[0].shape());
      shape.insert(dim, static_cast<int64_t>(parts.size()));
      return joined(parts, shape, dim, true, common_dtype(parts));
    }),
    .grad = {wrt("tensors", "", [](auto& s) { return unbind.all(s.g(), s.integer(1)); })},
    .samples = {{tensors({in(-1, 1), in(-1, 1)})},
                {tensors({in(-1, 1), in(-1, 1), in(-1, 1)}), -1},
                {tensors({in(-1, 1, {}), in(-1, 1, {})})}},
    .errors = {{{tensors({})}, "stack expects a non-empty TensorList"},
               {{tensors({in(-1, 1), in(-1, 1, {5})})},
                "but got [3, 5] at entry 0 and [5] at entry 1"}},
}};

const Op hstack{{
    .sig = "hstack(Tensor[] tensors) -> Tensor",
    .doc = "Tensors side by side: along dim 1, or 0 for 1-d tensors.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Tensors parts = each(a.tensors(0), "hstack", at_least_1d);
      return cat(parts, parts[0].dim() == 1 ? 0 : 1);
    }),
    .samples = {{tensors({in(-1, 1), in(-1, 1, {3, 2})})},
                {tensors({in(-1, 1, {2}), in(-1, 1, {})})}},
    .errors = {{{tensors({})}, "hstack expects a non-empty TensorList"}},
}};

const Op vstack{{
    .sig = "vstack(Tensor[] tensors) -> Tensor",
    .doc = "Tensors one above the other; 1-d tensors are rows.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return cat(each(a.tensors(0), "vstack", at_least_2d), 0); }),
    .aliases = "row_stack",
    .samples = {{tensors({in(-1, 1), in(-1, 1, {2, 5})})},
                {tensors({in(-1, 1, {2}), in(-1, 1, {2})})}},
    .errors = {{{tensors({in(-1, 1, {2}), in(-1, 1, {3})})},
                "Expected size 2 but got size 3 for tensor number 1"}},
}};

const Op dstack{{
    .sig = "dstack(Tensor[] tensors) -> Tensor",
    .doc = "Tensors joined along the third dimension.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return cat(each(a.tensors(0), "dstack", at_least_3d), 2); }),
    .samples = {{tensors({in(-1, 1), in(-1, 1)})}},
}};

const Op column_stack{{
    .sig = "column_stack(Tensor[] tensors) -> Tensor",
    .doc = "Tensors side by side; 1-d tensors are columns.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      return cat(each(a.tensors(0), "column_stack",
                      [](const Tensor& x) {
                        return x.dim() > 1 ? x : reshape(x, DimVector{x.numel(), 1});
                      }),
                 1);
    }),
    .samples = {{tensors({in(-1, 1, {3}), in(-1, 1, {3, 2})})}},
}};

const Op repeat{{
    .sig = "repeat(Tensor input, int[] repeats) -> Tensor",
    .doc = "input repeats[d] times along each dimension, new leading ones included.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Dims repeats = a.ints(1);
      const size_t n = repeats.size();
      check(static_cast<int64_t>(n) >= a[0].dim(),
            "Number of dimensions of repeat dims can not be smaller than number of "
            "dimensions of tensor: got ",
            repeats, " for shape ", a[0].shape());
      // [s0, s1] as [1, s0, 1, s1], expanded to [r0, s0, r1, s1].
      DimVector split, expanded, whole;
      for (size_t d = 0; d < n; d++) {
        const auto lead = static_cast<int64_t>(n) - a[0].dim();
        const int64_t size = static_cast<int64_t>(d) < lead ? 1 : a[0].shape()[d - lead];
        check(repeats[d] >= 0, "Trying to create tensor with negative dimension: repeats ",
              repeats);
        int64_t total;
        check(!__builtin_mul_overflow(repeats[d], size, &total), "repeats ", repeats, " of shape ",
              a[0].shape(), " overflow");
        for (int64_t s : {int64_t{1}, size}) split.push_back(s);
        for (int64_t s : {repeats[d], size}) expanded.push_back(s);
        whole.push_back(total);
      }
      return reshape(clone(expand(reshape(a[0], split), expanded)), whole);
    }),
    .samples = {{in(-1, 1), dims({2, 3})},
                {in(-1, 1), dims({2, 1, 3})},
                {in(-1, 1), dims({0, 1})},
                {in(-1, 1, {}), dims({3})}},
    .errors = {{{in(-1, 1), dims({2})}, "can not be smaller than number of dimensions of tensor"},
               {{in(-1, 1), dims({2, -1})}, "negative dimension"}},
}};

const Op tile{{
    .sig = "tile(Tensor input, int[] dims) -> Tensor",
    .doc = "repeat, with ones put in front of `dims` where input has more dimensions.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      DimVector repeats(a.ints(1));
      while (static_cast<int64_t>(repeats.size()) < a[0].dim()) repeats.insert(0, 1);
      return repeat(a[0], repeats);
    }),
    .samples = {{in(-1, 1), dims({2})}, {in(-1, 1), dims({2, 1, 3})}},
}};

const Op meshgrid{{
    .sig = "meshgrid(Tensor[] tensors, *, str? indexing=None) -> Tensor[]",
    .doc = "The coordinates of a grid: tensor i varies along dimension i ('ij'), or the first two "
           "exchanged ('xy').",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const auto axes = a.tensors(0);
      const auto indexing = a.given(1) ? a.str(1) : std::string_view("ij");
      check(indexing == "ij" || indexing == "xy",
            "indexing must be one of \"xy\" or \"ij\", but received: ", indexing);
      check(!axes.empty(), "expects a non-empty TensorList");
      const bool exchanged = indexing == "xy" && axes.size() >= 2;
      DimVector shape;
      for (const Tensor& t : axes) {
        check(t.dim() <= 1, "Expected 0D or 1D tensor in the tensor list but got shape ",
              t.shape());
        check(t.dtype() == axes[0].dtype(), "expects all tensors to have the same dtype, got ",
              axes[0].dtype(), " and ", t.dtype());
        shape.push_back(t.numel());
      }
      if (exchanged) std::swap(shape[0], shape[1]);
      Tensors out;
      for (size_t i = 0; i < axes.size(); i++) {
        DimVector ones(axes.size(), 1);
        ones[exchanged && i < 2 ? 1 - i : i] = axes[i].numel();
        out.push_back(expand(reshape(axes[i], ones), shape));
      }
      return out;
    }),
    .samples = {{tensors({in(-1, 1, {3}), in(-1, 1, {2})}), "ij"},
                {tensors({in(-1, 1, {3}), in(-1, 1, {2}), in(-1, 1, {})}), "xy"}},
    .errors = {{{tensors({in(-1, 1)})}, "Expected 0D or 1D tensor"},
               {{tensors({in(-1, 1, {2})}), "a"}, "indexing must be one of"}},
}};

}  // namespace gotorch::ops
