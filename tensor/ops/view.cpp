// Other shapes of the same memory: view, transpose, expand, squeeze and what is made of them.
#include "tensor/view.h"

#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

// Sizes with -1 for "as it is", for expand.
DimVector expanded_shape(Dims have, Dims wanted) {
  check(wanted.size() >= have.size(), "the number of sizes provided (", wanted.size(),
        ") must be greater or equal to the number of dimensions in the tensor (", have.size(), ")");
  DimVector out(wanted);
  const size_t lead = wanted.size() - have.size();
  for (size_t i = 0; i < out.size(); i++) {
    if (i < lead) {
      check(out[i] >= 0, "The expanded size of the tensor (", out[i],
            ") isn't allowed in a leading, non-existing dimension ", i);
      continue;
    }
    const int64_t size = have[i - lead];
    if (out[i] == -1) out[i] = size;
    check(out[i] == size || (size == 1 && out[i] >= 0), "The expanded size of the tensor (", out[i],
          ") must match the existing size (", size, ") at non-singleton dimension ", i,
          ".  Target sizes: ", wanted, ".  Tensor sizes: ", have);
  }
  return out;
}

// The order in which movedim puts the dims.
DimVector moved_order(int64_t n, Dims source, Dims destination) {
  check(source.size() == destination.size(), "Invalid source or destination dims: source (", source,
        " dims) should contain the same number of dims as destination (", destination, " dims)");
  const DimVector from = wrap_dims(source, n), to = wrap_dims(destination, n);
  DimVector order(static_cast<size_t>(n), -1);
  for (size_t i = 0; i < to.size() && n > 0; i++) order[to[i]] = from[i];
  int64_t next = 0;
  for (int64_t& d : order) {
    if (d >= 0) continue;
    while (std::find(from.begin(), from.end(), next) != from.end()) next++;
    d = next++;
  }
  return order;
}

Tensor reinterpreted(const Tensor& x, Dtype dtype) {
  const int64_t from = x.item_size(), to = size_of(dtype);
  DimVector shape(x.shape()), strides(x.strides());
  int64_t offset = x.offset();
  if (from != to) {
    check(!shape.empty(), "self.dim() cannot be 0 to view ", x.dtype(), " as ", dtype,
          " (different element sizes)");
    const int64_t last = shape.size() - 1;
    check(shape[last] * from % to == 0, "self.size(-1) must be divisible by ", to / from,
          " to view ", x.dtype(), " as ", dtype, " (different element sizes), but got ",
          shape[last]);
    check(strides[last] == 1 || shape[last] <= 1, "self.stride(-1) must be 1 to view ", x.dtype(),
          " as ", dtype, " (different element sizes), but got ", strides[last]);
    shape[last] = shape[last] * from / to;
    for (int64_t i = 0; i < last; i++) {
      check(strides[i] * from % to == 0, "self.stride(", i, ") must be divisible by ", to / from,
            " to view ", x.dtype(), " as ", dtype, " (different element sizes), but got ",
            strides[i]);
      strides[i] = strides[i] * from / to;
    }
    check(offset * from % to == 0, "self.storage_offset() must be divisible by ", to / from,
          " to view ", x.dtype(), " as ", dtype, " (different element sizes), but got ", offset);
    offset = offset * from / to;
  }
  Tensor out = make_view(x.storage(), dtype, shape, strides, offset);
  out->counts_writes = x->counts_writes;
  out->inference = x->inference;
  out->base = x->base ? x->base : Ref<TensorImpl>::share(x.impl());
  out->view_version = out.version();
  return out;
}

}  // namespace

const Op view_{{
    .sig = "view(Tensor input, int[] size) -> Tensor",
    .doc = "The same elements as another shape, without a copy; one size may be -1.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const DimVector shape = infer_shape(a.ints(1), a[0].numel());
      Tensor out = viewed(a[0], shape);
      check(
          out.defined(),
          "view size is not compatible with input tensor's size and stride (at least one dimension "
          "spans across two contiguous subspaces). Use .reshape(...) instead. Got shape ",
          a[0].shape(), ", strides ", a[0].strides(), ", wanted ", Dims(shape));
      return out;
    }),
    .grad = {wrt("input", "", [](auto& s) { return reshape(s.g(), s.shape(0)); })},
    .samples = {{in(-1, 1), dims({5, 3})},
                {in(-1, 1, {2, 3, 4}), dims({-1})},
                {in(-1, 1, {2, 6}), dims({2, -1, 3})},
                {in(-1, 1, {}), dims({1, 1})},
                {in(-1, 1, {0, 3}), dims({3, 0})}},
    .errors = {{{in(-1, 1), dims({5, 5})}, "is invalid for input of size 15"},
               {{in(-1, 1), dims({-1, -1})}, "only one dimension can be inferred"},
               {{in(-1, 1), dims({-2, 15})}, "invalid shape dimension -2"}},
    .untested = "noncontiguous: a view of strided input can be impossible, which is an error",
}};

const Op view_dtype{{
    .sig = "view.dtype(Tensor input, dtype dtype) -> Tensor",
    .doc =
        "The same memory as another dtype. The last dimension grows or shrinks with the item size.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = view([](auto& a) { return reinterpreted(a[0], a.value(1).dtype()); }),
    .samples = {{indices(-9, 9, {2, 4}), Dtype::Double}, {indices(-9, 9, {2, 4}), Dtype::Int16}},
    .untested = "noncontiguous: only the last dimension's stride may be other than 1",
}};

const Op view_as{{
    .sig = "view_as(Tensor input, Tensor other) -> Tensor",
    .doc = "input viewed with other's shape.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return view_(a[0], a[1].shape()); }),
    .samples = {{in(-1, 1), in(-1, 1, {5, 3})}},
    .untested = "noncontiguous: a view of strided input can be impossible, which is an error",
}};

const Op reshape{{
    .sig = "reshape(Tensor input, int[] shape) -> Tensor",
    .doc = "The same elements in row-major order as another shape: a view where strides allow it, "
           "else a copy.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const DimVector shape = infer_shape(a.ints(1), a[0].numel());
      const bool fits = view_strides(a[0].shape(), a[0].strides(), shape).has_value();
      return view_(fits ? a[0] : clone(a[0]), shape);
    }),
    .samples = {{in(-1, 1), dims({5, 3})}, {in(-1, 1, {2, 3, 4}), dims({4, -1})}},
    .errors = {{{in(-1, 1), dims({7, -1})}, "is invalid for input of size 15"},
               {{in(-1, 1, {0}), dims({-1, 0})}, "unspecified dimension size -1"}},
}};

const Op reshape_as{{
    .sig = "reshape_as(Tensor input, Tensor other) -> Tensor",
    .doc = "input reshaped to other's shape.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return reshape(a[0], a[1].shape()); }),
    .samples = {{in(-1, 1), in(-1, 1, {5, 3})}},
}};

const Op transpose{{
    .sig = "transpose(Tensor input, int dim0, int dim1) -> Tensor",
    .doc = "A view with dim0 and dim1 exchanged.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const int64_t n = a[0].dim();
      return transposed(a[0], wrap_dim(a.integer(1), n), wrap_dim(a.integer(2), n));
    }),
    .grad = {wrt("input", "",
                 [](auto& s) { return transpose(s.g(), s.integer(1), s.integer(2)); })},
    .aliases = "swapdims",
    .samples = {{in(-1, 1), 0, 1}, {in(-1, 1, {2, 3, 4}), -1, 0}, {in(-1, 1, {}), 0, -1}},
    .errors = {{{in(-1, 1), 0, 2},
                "Dimension out of range (expected to be in range of [-2, 1], but got 2)"}},
}};

const Op swapaxes{{
    .sig = "swapaxes(Tensor input, int axis0, int axis1) -> Tensor",
    .doc = "transpose under NumPy's name.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return transpose(a[0], a.integer(1), a.integer(2)); }),
    .samples = {{in(-1, 1), 0, 1}},
}};

const Op t{{
    .sig = "t(Tensor input) -> Tensor",
    .doc = "The transposed matrix; tensors of fewer than two dimensions as they are.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      check(a[0].dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", a[0].dim(),
            "D");
      return transposed(a[0], 0, a[0].dim() == 2 ? 1 : 0);
    }),
    .grad = {wrt("input", "", [](auto& s) { return t(s.g()); })},
    .samples = {{in(-1, 1)}, {in(-1, 1, {4})}, {in(-1, 1, {})}},
    .errors = {{{in(-1, 1, {2, 3, 4})},
                "t() expects a tensor with <= 2 dimensions, but self is 3D"}},
}};

const Op numpy_T{{
    .sig = "numpy_T(Tensor input) -> Tensor",
    .doc = "All dimensions in reverse order: x.T.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      DimVector order;
      for (int64_t d = a[0].dim(); d-- > 0;) order.push_back(d);
      return permute(a[0], order);
    }),
    .samples = {{in(-1, 1, {2, 3, 4})}, {in(-1, 1, {})}},
}};

const Op mT{{
    .sig = "mT(Tensor input) -> Tensor",
    .doc = "The last two dimensions exchanged: x.mT.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got ",
            a[0].dim(), "-D tensor.");
      return transpose(a[0], -2, -1);
    }),
    .samples = {{in(-1, 1, {2, 3, 4})}},
    .errors = {{{in(-1, 1, {3})},
                "only supported on matrices or batches of matrices. Got 1-D tensor."}},
}};

const Op adjoint{{
    .sig = "adjoint(Tensor input) -> Tensor",
    .doc = "The last two dimensions exchanged.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return a[0].dim() > 0 ? mT(a[0]) : a[0]; }),
    .samples = {{in(-1, 1, {2, 3, 4})}},
}};

const Op permute{{
    .sig = "permute(Tensor input, int[] dims) -> Tensor",
    .doc = "A view whose dim i is dim dims[i] of input.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const Dims dims = a.ints(1);
      check(static_cast<int64_t>(dims.size()) == a[0].dim(),
            "number of dimensions in the tensor input does not match "
            "the length of the desired ordering of dimensions i.e. input.dim() = ",
            a[0].dim(), " is not equal to len(dims) = ", dims.size());
      DimVector order;
      for (int64_t d : dims) {
        order.push_back(wrap_dim(d, a[0].dim()));
        check(std::count(order.begin(), order.end(), order.back()) == 1,
              "duplicate dims are not allowed: ", dims);
      }
      return permuted(a[0], order);
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   const Dims dims = s.ints(1);
                   const auto n = static_cast<int64_t>(dims.size());
                   DimVector inverse(dims.size(), 0);
                   for (int64_t i = 0; i < n; i++) inverse[wrap_dim(dims[i], n)] = i;
                   return permute(s.g(), inverse);
                 })},
    .samples = {{in(-1, 1), dims({1, 0})}, {in(-1, 1, {2, 3, 4}), dims({2, 0, -2})}},
    .errors = {{{in(-1, 1), dims({0})}, "input.dim() = 2 is not equal to len(dims) = 1"},
               {{in(-1, 1), dims({0, 0})}, "duplicate dims are not allowed"},
               {{in(-1, 1), dims({0, 2})}, "Dimension out of range"}},
}};

const Op movedim{{
    .sig = "movedim(Tensor input, int[1] source, int[1] destination) -> Tensor",
    .doc = "The dims of `source` moved to the places `destination`; the others keep their order.",
    .dtypes = kAll,
    .kernel = compose(
        [](auto& a) { return permute(a[0], moved_order(a[0].dim(), a.ints(1), a.ints(2))); }),
    .aliases = "moveaxis",
    .samples = {{in(-1, 1, {2, 3, 4}), dims({0}), dims({2})},
                {in(-1, 1, {2, 3, 4}), dims({0, 1}), dims({-1, 0})}},
    .errors = {{{in(-1, 1), dims({0, 1}), dims({0})}, "should contain the same number of dims"}},
}};

const Op expand{{
    .sig = "expand(Tensor input, int[] size, *, bool implicit=False) -> Tensor",
    .doc = "A view in which dimensions of size 1, and new leading ones, repeat without a copy. -1 "
           "keeps a size.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = view([](auto& a) { return expanded(a[0], expanded_shape(a[0].shape(), a.ints(1))); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-1, 1, {3, 1}), dims({3, 4})},
                {in(-1, 1, {3, 1}), dims({2, -1, 4})},
                {in(-1, 1, {}), dims({2})}},
    .errors = {{{in(-1, 1), dims({3})},
                "the number of sizes provided (1) must be greater or equal"},
               {{in(-1, 1), dims({3, 6})},
                "The expanded size of the tensor (6) must match the existing size (5)"},
               {{in(-1, 1), dims({-1, 3, 5})},
                "isn't allowed in a leading, non-existing dimension 0"}},
}};

const Op expand_as{{
    .sig = "expand_as(Tensor input, Tensor other) -> Tensor",
    .doc = "input expanded to other's shape.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return expand(a[0], a[1].shape()); }),
    .samples = {{in(-1, 1, {3, 1}), in(-1, 1, {2, 3, 4})}},
}};

const Op broadcast_to{{
    .sig = "broadcast_to(Tensor input, int[] size) -> Tensor",
    .doc = "input expanded to `size`.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return expand(a[0], a.ints(1)); }),
    .samples = {{in(-1, 1, {3, 1}), dims({2, 3, 4})}},
}};

const Op squeeze{{
    .sig = "squeeze(Tensor input, int[1]? dim=None) -> Tensor",
    .doc = "A view without the dimensions of size 1: all of them, or those of `dim` that are.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const Tensor& x = a[0];
      const DimVector only = a.given(1) ? wrap_dims(a.ints(1), x.dim()) : DimVector();
      DimVector shape, strides;
      for (int64_t d = 0; d < x.dim(); d++) {
        const bool named = !a.given(1) || std::find(only.begin(), only.end(), d) != only.end();
        if (named && x.shape()[d] == 1) continue;
        shape.push_back(x.shape()[d]);
        strides.push_back(x.strides()[d]);
      }
      return alias(x, shape, strides, x.offset());
    }),
    .grad = {wrt("input", "", [](auto& s) { return reshape(s.g(), s.shape(0)); })},
    .samples = {{in(-1, 1, {1, 3, 1})},
                {in(-1, 1, {1, 3, 1}), 0},
                {in(-1, 1, {1, 3, 1}), dims({-1, 1})},
                {in(-1, 1, {}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"},
               {{in(-1, 1), dims({0, -2})}, "dim 0 appears multiple times in the list of dims"}},
}};

const Op unsqueeze{{
    .sig = "unsqueeze(Tensor input, int dim) -> Tensor",
    .doc = "A view with a new dimension of size 1 at `dim`.",
    .dtypes = kAll,
    .kernel =
        view([](auto& a) { return unsqueezed(a[0], wrap_dim(a.integer(1), a[0].dim() + 1)); }),
    .grad = {wrt("input", "", [](auto& s) { return reshape(s.g(), s.shape(0)); })},
    .samples = {{in(-1, 1), 0}, {in(-1, 1), -1}, {in(-1, 1, {}), 0}},
    .errors = {{{in(-1, 1), 3},
                "Dimension out of range (expected to be in range of [-3, 2], but got 3)"}},
}};

const Op flatten{{
    .sig = "flatten(Tensor input, int start_dim=0, int end_dim=-1) -> Tensor",
    .doc = "The dimensions from start_dim to end_dim joined to one.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const int64_t n = a[0].dim();
      const int64_t first = wrap_dim(a.integer(1), n), last = wrap_dim(a.integer(2), n);
      check(first <= last, "flatten() has invalid args: start_dim cannot come after end_dim, got ",
            a.integer(1), " and ", a.integer(2));
      if (first == last && n > 0) return a[0];
      const Dims shape = a[0].shape();
      DimVector joined(shape.first(first));
      joined.push_back(n == 0 ? 1 : numel_of(shape.subspan(first, last - first + 1)));
      if (n > 0) joined.append(shape.begin() + last + 1, shape.end());
      return reshape(a[0], joined);
    }),
    .samples = {{in(-1, 1, {2, 3, 4})},
                {in(-1, 1, {2, 3, 4}), 1},
                {in(-1, 1, {2, 3, 4}), 0, 1},
                {in(-1, 1, {})}},
    .errors = {{{in(-1, 1), 1, 0}, "start_dim cannot come after end_dim"}},
}};

const Op ravel{{
    .sig = "ravel(Tensor input) -> Tensor",
    .doc = "All elements as one dimension.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return reshape(contiguous(a[0]), -1); }),
    .samples = {{in(-1, 1)}},
}};

const Op unflatten{{
    .sig = "unflatten(Tensor input, int dim, int[] sizes) -> Tensor",
    .doc = "Dimension `dim` split into `sizes`, one of which may be -1.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const int64_t dim = wrap_dim(a.integer(1), a[0].dim());
      check(a[0].dim() > 0, "sizes ", a.ints(2), " cannot be given to a 0-dim tensor");
      check(!a.ints(2).empty(), "sizes must be non-empty");
      const int64_t size = a[0].shape()[dim];
      int64_t known = 1, inferred = 0;
      for (int64_t s : a.ints(2)) {
        if (s == -1) inferred++;
        else check(!__builtin_mul_overflow(known, s, &known), "sizes ", a.ints(2), " overflow");
      }
      check(inferred == 0 ? known == size : inferred == 1 && known != 0 && size % known == 0,
            "Provided sizes ", a.ints(2), " don't multiply up to the size of dim ", dim, " (", size,
            ") in the input tensor");
      DimVector shape(a[0].shape().first(dim));
      for (int64_t s : a.ints(2)) shape.push_back(s == -1 ? size / known : s);
      shape.append(a[0].shape().begin() + dim + 1, a[0].shape().end());
      return view_(a[0], shape);
    }),
    .samples = {{in(-1, 1, {2, 6}), 1, dims({2, 3})}, {in(-1, 1, {6, 2}), -2, dims({-1, 2})}},
    .errors = {{{in(-1, 1), 0, dims({2, 2})},
                "don't multiply up to the size of dim 0 (3) in the input tensor"},
               {{in(-1, 1), 0, dims({})}, "sizes must be non-empty"}},
}};

}  // namespace gotorch::ops
