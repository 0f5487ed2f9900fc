// Parts of a tensor as views of its memory, and the ops that put a gradient back where the part was.
#include <cstring>

#include "tensor/allocator.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/expect.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

int64_t clamp_place(int64_t i, int64_t size) {
  return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size);
}

// Zeros of `shape` with g written to the part of it that `part` views.
template <class Part>
Tensor placed(const Tensor& g, Dims shape, Part part) {
  Tensor out = gotorch::empty(shape, g.dtype());
  std::memset(out.raw(), 0, out.bytes());
  copy_elements(part(out), g);
  return out;
}

// Adds the elements of g, in order, to where `part` views them; they may overlap.
void add_overlapping(const Tensor& part, const Tensor& g) {
  const Tensor from = packed(g);
  dispatch(g.dtype(), [&]<class T>() {
    const T* x = from.data<T>();
    T* base = part.data<T>();
    DimVector at(part.shape().size(), 0);
    int64_t offset = 0;
    for (int64_t i = 0; i < from.numel(); i++) {
      base[offset] =
          static_cast<T>(static_cast<Compute<T>>(base[offset]) + static_cast<Compute<T>>(x[i]));
      for (size_t d = at.size(); d-- > 0;) {
        offset += part.strides()[d];
        if (++at[d] < part.shape()[d]) break;
        offset -= at[d] * part.strides()[d];
        at[d] = 0;
      }
    }
  });
}

template <class Part>
Tensor added(const Tensor& g, Dims shape, Part part) {
  Tensor out = gotorch::empty(shape, g.dtype());
  std::memset(out.raw(), 0, out.bytes());
  const Tensor place = part(out);
  expect_shape("grad", g, place.shape());
  if (g.numel() > 0) add_overlapping(place, g);
  return out;
}

// The view of x that `op` takes, checked as the op checks its arguments.
template <class... A>
Tensor part_of(const Op& op, const Tensor& x, const A&... args) {
  const Value values[] = {Value(x), Value(args)...};
  return op.def().kernel.function(Args(values))[0];
}

int64_t dim_of_parts(const Args& a, size_t at, const char* what) {
  check(a[0].dim() > 0, what, " expects at least a 1-dimensional tensor");
  return wrap_dim(a.integer(at), a[0].dim());
}

// So many views, each of them an object: memory would run out long after it was clear that it will.
void expect_room_for(int64_t views) {
  size_t bytes;
  if (__builtin_mul_overflow(static_cast<size_t>(views), sizeof(TensorImpl), &bytes))
    bytes = SIZE_MAX;
  expect_room(bytes);
}

DimVector equal_parts(int64_t size, int64_t each) {
  if (size == 0) return {0};
  const int64_t n = (size - 1) / each + 1;
  expect_room_for(n);
  DimVector sizes(static_cast<size_t>(n), each);
  sizes.back() = size - (n - 1) * each;
  return sizes;
}

}  // namespace

const Op slice{{
    .sig = "slice(Tensor input, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor",
    .doc = "input[start:end:step] along `dim`, with Python's clamping of the limits.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      check(a[0].dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
      const int64_t dim = wrap_dim(a.integer(1), a[0].dim()), size = a[0].shape()[dim],
                    step = a.integer(4);
      check<ValueError>(step > 0, "slice step must be positive, got ", step);
      const int64_t start = a.given(2) ? clamp_place(a.integer(2), size) : 0;
      const int64_t end = a.given(3) ? clamp_place(a.integer(3), size) : size;
      const int64_t length = end > start ? (end - start - 1) / step + 1 : 0;
      return sliced(a[0], dim, start, length, step);
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   return slice_backward(s.g(), s.shape(0), s.value(1), s.value(2), s.value(3),
                                         s.value(4));
                 })},
    .samples = {{in(-1, 1), 1, 1, 4},
                {in(-1, 1), 0, none, none, 2},
                {in(-1, 1), -1, -3, 100},
                {in(-1, 1), 0, 2, 1}},
    .errors = {{{in(-1, 1), 0, 0, 1, 0}, "slice step must be positive"}},
}};

const Op slice_backward{{
    .sig = "slice_backward(Tensor grad, int[] input_sizes, int dim, int? start, int? end, int "
           "step) -> Tensor",
    .doc = "Zeros of input_sizes with grad at input[start:end:step].",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return placed(a[0], a.ints(1), [&](const Tensor& y) {
        return part_of(slice, y, a.value(2), a.value(3), a.value(4), a.value(5));
      });
    }),
    .grad = {wrt(
        "grad", "",
        [](auto& s) { return slice(s.g(), s.value(2), s.value(3), s.value(4), s.value(5)); })},
    .samples = {{in(-1, 1, {3, 2}), dims({3, 5}), 1, 1, 5, 2}},
}};

const Op narrow{{
    .sig = "narrow(Tensor input, int dim, int start, int length) -> Tensor",
    .doc = "A view of `length` elements of `dim` from `start`.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
      int64_t start = a.integer(2);
      const int64_t size = a[0].size(a.integer(1)), length = a.integer(3);
      check(length >= 0, "narrow(): length must be non-negative, got ", length);
      check<IndexError>(start >= -size && start <= size,
                        "start out of range (expected to be in range of [", -size, ", ", size,
                        "], but got ", start, ")");
      if (start < 0) start += size;
      check(length <= size - start, "start (", start, ") + length (", length,
            ") exceeds dimension size (", size, ").");
      return slice(a[0], a.integer(1), start, start + length, 1);
    }),
    .samples = {{in(-1, 1), 1, 1, 3}, {in(-1, 1), 0, -1, 1}, {in(-1, 1), 0, 3, 0}},
    .errors = {{{in(-1, 1), 0, 2, 2}, "start (2) + length (2) exceeds dimension size (3)."},
               {{in(-1, 1), 0, 4, 0},
                "start out of range (expected to be in range of [-3, 3], but got 4)"},
               {{in(-1, 1), 0, 0, -1}, "length must be non-negative"}},
}};

const Op select{{
    .sig = "select(Tensor input, int dim, int index) -> Tensor",
    .doc = "A view of input[index] along `dim`, which is dropped.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      check<IndexError>(a[0].dim() > 0, "select() cannot be applied to a 0-dim tensor.");
      const int64_t dim = wrap_dim(a.integer(1), a[0].dim()), size = a[0].shape()[dim],
                    index = a.integer(2);
      check<IndexError>(index >= -size && index < size, "select(): index ", index,
                        " out of range for tensor of size ", a[0].shape(), " at dimension ", dim);
      return selected(a[0], dim, index < 0 ? index + size : index);
    }),
    .grad = {wrt(
        "input", "",
        [](auto& s) { return select_backward(s.g(), s.shape(0), s.integer(1), s.integer(2)); })},
    .samples = {{in(-1, 1), 0, 1}, {in(-1, 1), -1, -2}},
    .errors = {{{in(-1, 1), 0, 3}, "index 3 out of range for tensor of size [3, 5] at dimension 0"},
               {{in(-1, 1, {}), 0, 0}, "cannot be applied to a 0-dim tensor"}},
}};

const Op select_backward{{
    .sig = "select_backward(Tensor grad, int[] input_sizes, int dim, int index) -> Tensor",
    .doc = "Zeros of input_sizes with grad at input[index] along `dim`.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return placed(a[0], a.ints(1),
                    [&](const Tensor& y) { return part_of(select, y, a.value(2), a.value(3)); });
    }),
    .grad = {wrt("grad", "", [](auto& s) { return select(s.g(), s.integer(2), s.integer(3)); })},
    .samples = {{in(-1, 1, {3}), dims({3, 5}), 1, -2}},
}};

const Op split_with_sizes{{
    .sig = "split_with_sizes(Tensor input, int[] split_sizes, int dim=0) -> Tensor[]",
    .doc = "Views of consecutive parts of `dim` with these sizes.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const int64_t dim = dim_of_parts(a, 2, "split"), size = a[0].shape()[dim];
      int64_t total = 0;
      for (int64_t s : a.ints(1)) {
        check(s >= 0,
              "split_with_sizes expects split_sizes have only non-negative entries, but got "
              "split_sizes=",
              a.ints(1));
        total += std::min(s, size + 1);  // no overflow, and still too much
      }
      check(total == size, "split_with_sizes expects split_sizes to sum exactly to ", size,
            " (input tensor's size at dimension ", dim, "), but got split_sizes=", a.ints(1));
      Tensors out;
      int64_t start = 0;
      for (int64_t s : a.ints(1)) {
        out.push_back(sliced(a[0], dim, start, s));
        start += s;
      }
      return out;
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   Tensors parts;
                   for (size_t i = 0; i < s.ints(1).size(); i++) parts.push_back(s.g(i));
                   return cat(parts, s.integer(2));
                 })},
    .samples = {{in(-1, 1), dims({1, 2})}, {in(-1, 1), dims({2, 0, 3}), -1}},
    .errors = {{{in(-1, 1), dims({1, 1})}, "to sum exactly to 3"},
               {{in(-1, 1), dims({4, -1})}, "non-negative entries"}},
}};

const Op split{{
    .sig = "split(Tensor tensor, int split_size, int dim=0) -> Tensor[]",
    .doc = "Views of consecutive parts of `dim`, split_size each; the last may be smaller.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const int64_t size = a[0].shape()[dim_of_parts(a, 2, "split")], each = a.integer(1);
      check(each >= 0, "split expects split_size be non-negative, but got split_size=", each);
      check(each > 0 || size == 0,
            "split_size can only be 0 if dimension size is 0, but got dimension size of ", size);
      return split_with_sizes.all(a[0], equal_parts(size, each), a.integer(2));
    }),
    .samples = {{in(-1, 1), 2}, {in(-1, 1), 2, 1}, {in(-1, 1), 10}},
    .errors = {{{in(-1, 1), -1}, "split_size=-1"},
               {{in(-1, 1), 0}, "split_size can only be 0 if dimension size is 0"},
               {{in(-1, 1, {}), 1}, "at least a 1-dimensional tensor"}},
    .untested = "signature: the function takes split_size_or_sections, the method split_size",
}};

const Op split_sizes{{
    .sig = "split.sizes(Tensor tensor, int[] split_size, int dim=0) -> Tensor[]",
    .doc = "Views of consecutive parts of `dim` with these sizes.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return split_with_sizes.all(a[0], a.ints(1), a.integer(2)); }),
    .samples = {{in(-1, 1), dims({2, 1})}, {in(-1, 1), dims({2, 3}), 1}},
    .untested = "signature: the function takes split_size_or_sections, the method split_size",
}};

const Op chunk{{
    .sig = "chunk(Tensor input, int chunks, int dim=0) -> Tensor[]",
    .doc = "At most `chunks` views of consecutive parts of `dim`, equal but for the last.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const int64_t size = a[0].shape()[dim_of_parts(a, 2, "chunk")], chunks = a.integer(1);
      check(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
      if (size == 0) expect_room_for(chunks);
      // Of nothing there are as many empty parts as were asked for.
      const DimVector sizes = size == 0 ? DimVector(static_cast<size_t>(chunks), 0)
                                        : equal_parts(size, (size - 1) / chunks + 1);
      return split_with_sizes.all(a[0], sizes, a.integer(2));
    }),
    .samples = {{in(-1, 1), 2}, {in(-1, 1, {7}), 5}, {in(-1, 1), 3, -1}},
    .errors = {{{in(-1, 1), 0}, "chunk expects `chunks` to be greater than 0, got: 0"}},
}};

const Op unbind{{
    .sig = "unbind(Tensor input, int dim=0) -> Tensor[]",
    .doc = "Views of input[0], input[1], ... along `dim`.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      check<IndexError>(a[0].dim() > 0, "Dimension specified as ", a.integer(1),
                        " but tensor has no dimensions");
      const int64_t dim = wrap_dim(a.integer(1), a[0].dim());
      expect_room_for(a[0].shape()[dim]);
      Tensors out;
      for (int64_t i = 0; i < a[0].shape()[dim]; i++) out.push_back(selected(a[0], dim, i));
      return out;
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   const Dims shape = s.shape(0);
                   const int64_t n =
                       shape[wrap_dim(s.integer(1), static_cast<int64_t>(shape.size()))];
                   if (n == 0) return zeros(shape);
                   Tensors parts;
                   for (int64_t i = 0; i < n; i++) parts.push_back(s.g(i));
                   return stack(parts, s.integer(1));
                 })},
    .samples = {{in(-1, 1)}, {in(-1, 1), -1}},
    .errors = {{{in(-1, 1, {})}, "but tensor has no dimensions"}},
}};

const Op diagonal{{
    .sig = "diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    .doc = "A view of the diagonals of the matrices in (dim1, dim2), as the last dimension.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const int64_t dim1 = wrap_dim(a.integer(2), a[0].dim()),
                    dim2 = wrap_dim(a.integer(3), a[0].dim());
      check(dim1 != dim2, "diagonal dimensions cannot be identical ", a.integer(2), ", ",
            a.integer(3));
      return diagonal_of(a[0], a.integer(1), dim1, dim2);
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   return diagonal_backward(s.g(), s.shape(0), s.integer(1), s.integer(2),
                                            s.integer(3));
                 })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 2},
                {in(-1, 1), -2},
                {in(-1, 1, {2, 3, 4}), 1, -1, 0},
                {in(-1, 1), 9}},
    .errors = {{{in(-1, 1), 0, 1, 1}, "diagonal dimensions cannot be identical 1, 1"}},
}};

const Op diagonal_backward{{
    .sig = "diagonal_backward(Tensor grad, int[] input_sizes, int offset, int dim1, int dim2) -> "
           "Tensor",
    .doc = "Zeros of input_sizes with grad on the diagonals.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return placed(a[0], a.ints(1), [&](const Tensor& y) {
        return part_of(diagonal, y, a.value(2), a.value(3), a.value(4));
      });
    }),
    .grad = {wrt(
        "grad", "",
        [](auto& s) { return diagonal(s.g(), s.integer(2), s.integer(3), s.integer(4)); })},
    .samples = {{in(-1, 1, {3}), dims({3, 5}), 1, 0, 1}},
}};

const Op unfold{{
    .sig = "unfold(Tensor input, int dimension, int size, int step) -> Tensor",
    .doc = "A view of all windows of `size` along `dimension`, `step` apart; the last dimension "
           "runs within a window.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      const int64_t dim = wrap_dim(a.integer(1), a[0].dim()), size = a.integer(2),
                    step = a.integer(3);
      const int64_t have = a[0].dim() > 0 ? a[0].shape()[dim] : 1;
      check(size >= 0, "size is ", size, " but must be >= 0");
      check(size <= have, "maximum size for tensor at dimension ", dim, " is ", have,
            " but size is ", size);
      check(step > 0, "step is ", step, " but must be > 0");
      return windows(a[0], dim, size, step);
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   return unfold_backward(s.g(), s.shape(0), s.integer(1), s.integer(2),
                                          s.integer(3));
                 })},
    .samples = {{in(-1, 1), 1, 3, 1}, {in(-1, 1), 0, 2, 2}, {in(-1, 1), -1, 2, 3}},
    .errors = {{{in(-1, 1), 1, 6, 1}, "maximum size for tensor at dimension 1 is 5 but size is 6"},
               {{in(-1, 1), 1, 2, 0}, "step is 0 but must be > 0"}},
}};

const Op unfold_backward{{
    .sig = "unfold_backward(Tensor grad, int[] input_sizes, int dim, int size, int step) -> Tensor",
    .doc = "Zeros of input_sizes with every window's gradient added in its place.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return added(a[0], a.ints(1), [&](const Tensor& y) {
        return part_of(unfold, y, a.value(2), a.value(3), a.value(4));
      });
    }),
    .grad = {wrt("grad", "",
                 [](auto& s) { return unfold(s.g(), s.integer(2), s.integer(3), s.integer(4)); })},
    .samples = {{in(-1, 1, {3, 3, 3}), dims({3, 5}), 1, 3, 1}},
}};

const Op as_strided{{
    .sig = "as_strided(Tensor input, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
    .doc = "A view of input's storage with these sizes and strides. The gradient needs a "
           "contiguous input.",
    .dtypes = kAll,
    .kernel = view([](auto& a) {
      check(a.ints(1).size() == a.ints(2).size(),
            "mismatch in length of strides and shape: ", a.ints(1), " and ", a.ints(2));
      return alias(a[0], a.ints(1), a.ints(2), a.given(3) ? a.integer(3) : a[0].offset());
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   check(s[0].is_contiguous(),
                         "as_strided has no gradient for a non-contiguous input of shape ",
                         s.shape(0));
                   const int64_t from = s.given(3) ? s.integer(3) - s[0].offset() : 0;
                   return as_strided_backward(s.g(), s.shape(0), s.ints(1), s.ints(2), from);
                 })},
    .samples = {{in(-1, 1), dims({2, 2}), dims({1, 2})},
                {in(-1, 1), dims({3, 3}), dims({1, 1}), 2}},
    .errors = {{{in(-1, 1), dims({2, 3}), dims({24, 1})}, "are out of bounds for storage of size"},
               {{in(-1, 1), dims({2}), dims({-1})}, "negative strides are not supported"},
               {{in(-1, 1), dims({2}), dims({1, 2})}, "mismatch in length of strides and shape"}},
    .untested = "noncontiguous: reads the storage, whatever the strides",
}};

const Op as_strided_backward{{
    .sig = "as_strided_backward(Tensor grad, int[] input_sizes, int[] size, int[] stride, int "
           "offset) -> Tensor",
    .doc = "Zeros of input_sizes with grad added where as_strided read; offset is relative to "
           "input's first element.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return added(a[0], a.ints(1), [&](const Tensor& y) {
        return part_of(as_strided, y, a.value(2), a.value(3), a.value(4));
      });
    }),
    .grad = {wrt("grad", "",
                 [](auto& s) {
                   return as_strided(
                       contiguous(s.g()), s.ints(2), s.ints(3),
                       s.g().is_contiguous() ? s.g().offset() + s.integer(4) : s.integer(4));
                 })},
    .samples = {{in(-1, 1, {3, 3}), dims({3, 5}), dims({3, 3}), dims({1, 1}), 2}},
}};

}  // namespace gotorch::ops
