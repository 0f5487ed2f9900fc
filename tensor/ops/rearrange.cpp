// One tensor's elements in another order or frame: flip, roll, pad, triangles, diagonals.
#include <cstring>

#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/strided.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

Tensor flipped(const Tensor& x, Dims flipped_dims) {
  const Tensor y = gotorch::empty(x.shape(), x.dtype());
  StridedCopy copy{static_cast<std::byte*>(y.raw()),
                   static_cast<const std::byte*>(x.raw()),
                   x.item_size(),
                   DimVector(x.shape()),
                   DimVector(y.strides()),
                   DimVector(x.strides())};
  for (int64_t d : wrap_dims(flipped_dims, x.dim())) {
    if (x.dim() == 0 || x.numel() == 0) continue;
    copy.from += (copy.shape[d] - 1) * copy.from_strides[d] * copy.item;
    copy.from_strides[d] = -copy.from_strides[d];
  }
  copy.run();
  return y;
}

// Zeroes what is above (lower) or below the diagonal of each matrix of y.
void zero_triangle(const Tensor& y, int64_t diagonal, bool lower) {
  const int64_t rows = y.size(-2), cols = y.size(-1);
  diagonal = std::clamp(diagonal, -rows - cols, rows + cols);
  if (y.numel() == 0) return;
  const Tensor matrices = y.is_contiguous() ? y : Tensor();
  dispatch(y.dtype(), [&]<class T>() {
    const Tensor whole = matrices.defined() ? matrices : gotorch::empty(y.shape(), y.dtype());
    if (!matrices.defined()) copy_elements(whole, y);
    T* p = whole.data<T>();
    runtime::parallel_for(
        y.numel() / cols, std::max<int64_t>(1, 32768 / cols), [&](int64_t begin, int64_t end) {
          for (int64_t r = begin; r < end; r++) {
            const int64_t edge =
                std::clamp<int64_t>(r % rows + diagonal + (lower ? 1 : 0), 0, cols);
            if (lower) std::fill(p + r * cols + edge, p + (r + 1) * cols, T(0));
            else std::fill(p + r * cols, p + r * cols + edge, T(0));
          }
        });
    if (!matrices.defined()) copy_elements(y, whole);
  });
}

void triangle(const Args& a, const Tensor& y, bool lower) {
  check(a[0].dim() >= 2, "input tensor must have at least 2 dimensions, got shape ", a[0].shape());
  zero_triangle(y, a.integer(1), lower);
}

// `before` and `after` elements of x around x along `dim`.
Tensor padded_dim(const Tensor& x, std::string_view mode, int64_t dim, int64_t before,
                  int64_t after) {
  const int64_t size = x.shape()[dim];
  const auto edge = [&](int64_t at, int64_t n) {
    DimVector shape(x.shape());
    shape[dim] = n;
    return expand(narrow(x, dim, at, 1), shape);
  };
  const auto mirrored = [&](int64_t at, int64_t n) { return flip(narrow(x, dim, at, n), dim); };
  Tensors parts;
  if (mode == "reflect") {
    check(before < size && after < size,
          "Argument #4: Padding size should be less than the corresponding input dimension, "
          "but got: padding (",
          before, ", ", after, ") at dimension ", dim, " of input ", x.shape());
    if (before > 0) parts.push_back(mirrored(1, before));
    parts.push_back(x);
    if (after > 0) parts.push_back(mirrored(size - 1 - after, after));
  } else if (mode == "replicate") {
    check(size > 0, "Expected a non-empty dimension ", dim, " to replicate, got shape ", x.shape());
    if (before > 0) parts.push_back(edge(0, before));
    parts.push_back(x);
    if (after > 0) parts.push_back(edge(size - 1, after));
  } else {
    check(before <= size && after <= size,
          "Padding value causes wrapping around more than once: padding (", before, ", ", after,
          ") at dimension ", dim, " of input ", x.shape());
    if (before > 0) parts.push_back(narrow(x, dim, size - before, before));
    parts.push_back(x);
    if (after > 0) parts.push_back(narrow(x, dim, 0, after));
  }
  return parts.size() == 1 ? parts[0] : cat(parts, dim);
}

// How many of `size` elements padding takes away, one more than there are if it is too many.
int64_t cut_by(int64_t padding, int64_t size) {
  return padding >= 0 ? 0 : padding < -size ? size + 1 : -padding;
}

// The part of x that negative padding leaves.
Tensor cropped(const Tensor& x, int64_t dim, int64_t& before, int64_t& after) {
  if (before >= 0 && after >= 0) return x;
  const int64_t size = x.shape()[dim], start = cut_by(before, size);
  const int64_t length = size - start - cut_by(after, size);
  before = std::max<int64_t>(before, 0);
  after = std::max<int64_t>(after, 0);
  return narrow(x, dim, start, length);
}

Tensor padded_around(const Tensor& x, Dims pad, std::string_view mode) {
  const auto dims = static_cast<int64_t>(pad.size() / 2);
  check<NotImplementedError>(x.dim() == dims + 1 || x.dim() == dims + 2, "Padding size ",
                             pad.size(), " is not supported for ", x.dim(), "D input tensor.");
  Tensor y = x;
  for (int64_t i = 0; i < dims; i++) {
    int64_t before = pad[2 * i], after = pad[2 * i + 1];
    const int64_t dim = x.dim() - 1 - i;
    y = padded_dim(cropped(y, dim, before, after), mode, dim, before, after);
  }
  return y;
}

}  // namespace

const Op flip{{
    .sig = "flip(Tensor input, int[] dims) -> Tensor",
    .doc = "The order of the elements reversed along each of `dims`.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return flipped(a[0], a.ints(1)); }),
    .grad = {wrt("input", "", [](auto& s) { return flip(s.g(), s.ints(1)); })},
    .samples = {{in(-1, 1), dims({0})},
                {in(-1, 1), dims({0, 1})},
                {in(-1, 1, {2, 3, 4}), dims({-1, 0})},
                {in(-1, 1), dims({})}},
    .errors = {{{in(-1, 1), dims({0, 0})}, "dim 0 appears multiple times in the list of dims"},
               {{in(-1, 1), dims({2})}, "Dimension out of range"}},
}};

const Op fliplr{{
    .sig = "fliplr(Tensor input) -> Tensor",
    .doc = "The order of the columns reversed.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() >= 2, "Input must be >= 2-d, got shape ", a[0].shape());
      return flip(a[0], 1);
    }),
    .samples = {{in(-1, 1)}},
}};

const Op flipud{{
    .sig = "flipud(Tensor input) -> Tensor",
    .doc = "The order of the rows reversed.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() >= 1, "Input must be >= 1-d, got a 0-d tensor");
      return flip(a[0], 0);
    }),
    .samples = {{in(-1, 1)}},
}};

const Op roll{{
    .sig = "roll(Tensor input, int[1] shifts, int[1] dims=()) -> Tensor",
    .doc = "Elements moved by `shifts` along `dims`, those that leave come in again; without dims, "
           "of the flattened tensor.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Dims shifts = a.ints(1), dims = a.ints(2);
      if (dims.empty() && shifts.size() == 1)
        return reshape(roll(flatten(a[0]), shifts[0], 0), a[0].shape());
      check(shifts.size() == dims.size() && !dims.empty(),
            "shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
      Tensor x = a[0];
      for (size_t i = 0; i < dims.size(); i++) {
        const int64_t size = x.size(dims[i]),
                      shift = size > 0 ? ((shifts[i] % size) + size) % size : 0;
        const Tensors parts{narrow(x, dims[i], size - shift, shift),
                            narrow(x, dims[i], 0, size - shift)};
        x = cat(parts, dims[i]);
      }
      return x;
    }),
    .samples = {{in(-1, 1), 4},
                {in(-1, 1), 1, 0},
                {in(-1, 1), dims({-2, 7}), dims({0, 1})},
                {in(-1, 1), 0, 1}},
    .errors = {{{in(-1, 1), dims({1, 2}), dims({0})}, "shifts and dimensions must align"},
               {{in(-1, 1), 1, 2}, "Dimension out of range"}},
}};

const Op rot90{{
    .sig = "rot90(Tensor input, int k=1, int[] dims=[0, 1]) -> Tensor",
    .doc =
        "Turned by 90 degrees k times in the plane of `dims`, from the first towards the second.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Dims dims = a.ints(2);
      check(dims.size() == 2, "expected total rotation dims == 2, but got dims = ", dims.size());
      check(a[0].dim() >= 2, "expected total dims >= 2, but got total dims = ", a[0].dim());
      const int64_t d0 = wrap_dim(dims[0], a[0].dim()), d1 = wrap_dim(dims[1], a[0].dim());
      check(d0 != d1, "expected rotation dims to be different, but got dim0 = ", dims[0],
            " and dim1 = ", dims[1]);
      switch (((a.integer(1) % 4) + 4) % 4) {
        case 1: return transpose(flip(a[0], d1), d0, d1);
        case 2: return flip(a[0], DimVector{d0, d1});
        case 3: return transpose(flip(a[0], d0), d0, d1);
        default: return clone(a[0]);
      }
    }),
    .samples =
        {{in(-1, 1)}, {in(-1, 1), 2}, {in(-1, 1, {2, 3, 4}), -1, dims({1, 2})}, {in(-1, 1), 4}},
    .errors = {{{in(-1, 1), 1, dims({0, 0})}, "expected rotation dims to be different"},
               {{in(-1, 1), 1, dims({0})}, "expected total rotation dims == 2, but got dims = 1"}},
}};

const Op constant_pad_nd{{
    .sig = "constant_pad_nd(Tensor input, int[] pad, Scalar value=0) -> Tensor",
    .doc = "`value` around input: pad is (before, after) of the last dimension, then of the one "
           "before, ...; negative crops.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Dims pad = a.ints(1);
      const int64_t n = a[0].dim();
      check(pad.size() % 2 == 0, "Length of pad must be even but instead it equals ", pad.size());
      check(static_cast<int64_t>(pad.size()) <= 2 * n,
            "Length of pad should be no more than twice the number of dimensions "
            "of the input. Pad length is ",
            pad.size(), " while the input has ", n, " dimensions.");
      DimVector shape(a[0].shape());
      for (size_t i = 0; i < pad.size() / 2; i++) {
        int64_t& size = shape[n - 1 - i];
        const int64_t was = size;
        check(!__builtin_add_overflow(size, pad[2 * i], &size) &&
                  !__builtin_add_overflow(size, pad[2 * i + 1], &size) && size >= 0,
              "The input size ", was, ", plus negative padding ", pad[2 * i], " and ",
              pad[2 * i + 1],
              " resulted in a negative output size, which is invalid. Check dimension ", n - 1 - i,
              " of your input.");
      }
      Tensor out = gotorch::empty(shape, a[0].dtype());
      fill_elements(out, a.scalar(2));
      Tensor from = a[0], to = out;
      for (size_t i = 0; i < pad.size() / 2; i++) {
        const int64_t d = n - 1 - static_cast<int64_t>(i), before = pad[2 * i],
                      after = pad[2 * i + 1];
        if (before == 0 && after == 0) continue;
        const int64_t was = a[0].shape()[d], cut = cut_by(before, was);
        const int64_t kept = std::max<int64_t>(0, was - cut - cut_by(after, was));
        from = sliced(from, d, cut, kept);
        to = sliced(to, d, std::max<int64_t>(0, before), kept);
      }
      copy_elements(to, from);
      return out;
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   DimVector back(s.ints(1));
                   for (int64_t& p : back) p = -p;
                   return constant_pad_nd(s.g(), back, 0);
                 })},
    .samples = {{in(-1, 1), dims({1, 2}), 0.5},
                {in(-1, 1), dims({1, -1, 2, 0})},
                {in(-1, 1), dims({-2, -1})}},
    .errors = {{{in(-1, 1), dims({-3, -3})}, "resulted in a negative output size"}},
}};

const Op pad{{
    .sig = "pad(Tensor input, int[] pad, str mode='constant', float? value=None) -> Tensor",
    .doc = "A frame around input: 'constant' value, or 'reflect', 'replicate', 'circular' of "
           "input. pad is (before, after) of "
           "the last dimension, then of the one before, ...",
    .scope = Scope::Nn,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Dims pad = a.ints(1);
      const auto mode = a.str(2);
      check(pad.size() % 2 == 0, "Padding length must be divisible by 2, got ", pad.size());
      check(static_cast<int64_t>(pad.size()) <= 2 * a[0].dim(),
            "Padding length should be less than or equal to two times the "
            "input dimension but got padding length ",
            pad.size(), " and input of dimension ", a[0].dim());
      if (mode == "constant")
        return constant_pad_nd(a[0], pad, a.given(3) ? a.scalar(3) : Scalar(0));
      check<NotImplementedError>(mode == "reflect" || mode == "replicate" || mode == "circular",
                                 "Unrecognised padding mode ", mode);
      check(!a.given(3), "Padding mode \"", mode, "\" doesn't take in value argument");
      return padded_around(a[0], pad, mode);
    }),
    .samples = {{in(-1, 1), dims({1, 2})},
                {in(-1, 1), dims({1, 2, 0, 1}), "constant", 0.5},
                {in(-1, 1), dims({2, 3}), "reflect"},
                {in(-1, 1, {2, 3, 4, 5}), dims({1, 2, 2, 1}), "reflect"},
                {in(-1, 1, {2, 3, 4}), dims({3, 0}), "replicate"},
                {in(-1, 1, {2, 3, 4}), dims({1, 2}), "circular"}},
    .errors = {{{in(-1, 1), dims({1})}, "Padding length must be divisible by 2"},
               {{in(-1, 1), dims({1, 1, 1, 1, 1, 1})},
                "Padding length should be less than or equal to two times"},
               {{in(-1, 1), dims({5, 5}), "reflect"},
                "Padding size should be less than the corresponding input dimension"},
               {{in(-1, 1), dims({6, 6}), "circular"},
                "Padding value causes wrapping around more than once"},
               {{in(-1, 1), dims({1, 1}), "foo"}, "Unrecognised padding mode foo"},
               {{in(-1, 1), dims({1, 1}), "replicate", 2.0}, "doesn't take in value argument"}},
}};

const Op tril{{
    .sig = "tril(Tensor input, int diagonal=0) -> Tensor",
    .doc = "Matrices with zeros above the diagonal.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { triangle(a, y, true); }),
    .grad = {wrt("input", "", [](auto& s) { return tril(s.g(), s.integer(1)); })},
    .samples = {{in(-1, 1)}, {in(-1, 1), 1}, {in(-1, 1, {2, 4, 3}), -1}},
    .errors = {{{in(-1, 1, {3})}, "input tensor must have at least 2 dimensions"}},
}};

const Op triu{{
    .sig = "triu(Tensor input, int diagonal=0) -> Tensor",
    .doc = "Matrices with zeros below the diagonal.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { triangle(a, y, false); }),
    .grad = {wrt("input", "", [](auto& s) { return triu(s.g(), s.integer(1)); })},
    .samples = {{in(-1, 1)}, {in(-1, 1), 1}, {in(-1, 1, {2, 4, 3}), -1}},
    .errors = {{{in(-1, 1, {3})}, "input tensor must have at least 2 dimensions"}},
}};

const Op diag_embed{{
    .sig = "diag_embed(Tensor input, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    .doc = "Zero matrices in (dim1, dim2) with the last dimension of input on a diagonal.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() > 0, "needs at least one dimension");
      const int64_t n = a[0].dim() + 1, dim1 = wrap_dim(a.integer(2), n),
                    dim2 = wrap_dim(a.integer(3), n);
      check(dim1 != dim2, "diagonal dimensions cannot be identical ", a.integer(2), ", ",
            a.integer(3));
      const int64_t far = a.integer(1) == INT64_MIN ? INT64_MAX : std::abs(a.integer(1));
      int64_t size;
      check(!__builtin_add_overflow(a[0].size(-1), far, &size), "offset ", a.integer(1),
            " is too large");
      DimVector shape(a[0].shape());
      shape.pop_back();
      shape.insert(std::min(dim1, dim2), size);
      shape.insert(std::max(dim1, dim2), size);
      return diagonal_backward(a[0], shape, a.integer(1), dim1, dim2);
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 1}, {in(-1, 1), -2, 0, 2}},
    .errors = {{{in(-1, 1), 0, 1, 1}, "diagonal dimensions cannot be identical"}},
}};

const Op diag{{
    .sig = "diag(Tensor input, int diagonal=0) -> Tensor",
    .doc = "The diagonal of a matrix, or a matrix with the vector input on its diagonal.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() == 1 || a[0].dim() == 2, "Supports 1D or 2D tensors. Got ", a[0].dim(), "D");
      return a[0].dim() == 1 ? diag_embed(a[0], a.integer(1)) : clone(diagonal(a[0], a.integer(1)));
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1, {3})}, {in(-1, 1), -1}, {in(-1, 1, {3}), 2}},
    .errors = {{{in(-1, 1, {2, 2, 2})}, "Supports 1D or 2D tensors. Got 3D"}},
}};

const Op block_diag{{
    .sig = "block_diag(Tensor[] tensors) -> Tensor",
    .doc = "Matrices along the diagonal of one; vectors are rows.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      int64_t cols = 0, at = 0;
      Tensors blocks;
      for (const Tensor& t : a.tensors(0)) {
        check(t.dim() <= 2, "Input tensors must have 2 or fewer dimensions. Got shape ", t.shape());
        blocks.push_back(t.dim() == 2 ? t : reshape(t, DimVector{1, t.numel()}));
        cols += blocks.back().size(1);
      }
      check(!blocks.empty(), "expects a non-empty list of Tensors");
      for (Tensor& b : blocks) {
        const int64_t width = b.size(1);
        b = constant_pad_nd(b, DimVector{at, cols - at - width});
        at += width;
      }
      return cat(blocks, 0);
    }),
    .samples = {{tensors({in(-1, 1), in(-1, 1, {2}), in(-1, 1, {})})}},
}};

}  // namespace gotorch::ops
