// Pooling over windows, and over windows chosen by the output size.
#include "tensor/kernels/pool.h"

#include "tensor/allocator.h"
#include "tensor/kernels/bad_index.h"
#include "tensor/ops.h"
#include "tensor/ops/spatial.h"

namespace gotorch::ops {
namespace {

using kernels::PoolWindows;
using kernels::Spatial;

const DimVector kOnes{1};

// As many spatial dims as the kernel has.
kernels::PoolShape pool_shape(Dims x, Dims kernel, Dims stride, Dims padding, Dims dilation,
                              bool ceil_mode) {
  const size_t dims = kernel.size();
  kernels::PoolShape s;
  s.in = spatial_of(x, dims);
  s.kernel = spread(kernel, dims, 1, "kernel_size");
  s.stride = spread(stride, dims, 1, "stride");
  s.padding = spread(padding, dims, 0, "padding");
  s.dilation = spread(dilation, dims, 1, "dilation");
  for (int i = 0; i < 3; i++) {
    check(s.kernel[i] > 0, "kernel size should be greater than zero, but got ", kernel);
    check(s.stride[i] > 0, "stride should not be zero, but got ", stride);
    check(s.dilation[i] > 0, "dilation should be greater than zero");
    check(s.padding[i] >= 0 && s.padding[i] <= s.kernel[i] / 2,
          "pad should be at most half of effective kernel size, but got pad=", s.padding[i],
          ", kernel_size=", s.kernel[i]);
  }
  s.set_out(ceil_mode);
  for (int i = 0; i < 3; i++)
    check(s.out[i] > 0, "Given input size ", x, ". Calculated output size is too small");
  return s;
}

DimVector with_spatial(Dims shape, const Spatial& spatial, size_t dims) {
  DimVector out(shape.first(shape.size() - dims));
  for (size_t i = 3 - dims; i < 3; i++) out.push_back(spatial[i]);
  return out;
}

int64_t planes_of(Dims shape, size_t dims) { return numel_of(shape.first(shape.size() - dims)); }

// Sums or averages of windows and their gradient, for both kinds of windows.
Tensor average(const Tensor& x, const PoolWindows& w, size_t dims, int64_t divisor) {
  return in_compute_type(
      x.dtype(), with_spatial(x.shape(), w.out, dims), [&]<class T>(T* y, Dtype d) {
        kernels::average_pool(planes_of(x.shape(), dims), w, divisor, packed(x, d).data<T>(), y);
      });
}
Tensor average_backward(const Tensor& g, Dims x, const PoolWindows& w, size_t dims,
                        int64_t divisor) {
  return in_compute_type(g.dtype(), DimVector(x), [&]<class T>(T* dx, Dtype d) {
    kernels::average_pool_backward(planes_of(x, dims), w, divisor, packed(g, d).data<T>(), dx);
  });
}

Tensors largest(const Tensor& x, const PoolWindows& w, size_t dims) {
  const DimVector shape = with_spatial(x.shape(), w.out, dims);
  const Tensor index = gotorch::empty(shape, Dtype::Int64);
  const Tensor y = in_compute_type(x.dtype(), shape, [&]<class T>(T* out, Dtype d) {
    kernels::max_pool(planes_of(x.shape(), dims), w, packed(x, d).data<T>(), out,
                      index.data<int64_t>());
  });
  return {y, index};
}

void check_not_empty(Dims x, size_t dims) {
  for (int64_t n : x.last(dims))
    check(n > 0, "Expected input to have non-zero size for non-batch dimensions, but got shape ",
          x);
}

void check_dims(const Tensor& x, size_t dims) {
  const auto n = static_cast<int64_t>(dims);
  check(x.dim() == n + 1 || x.dim() == n + 2, "Expected ", n + 1, "D or ", n + 2,
        "D input, but got shape ", x.shape());
  check_not_empty(x.shape(), dims);
}

DimVector full_list(Dims list, size_t dims, const char* name) {
  const Spatial all = spread(list, dims, 1, name);
  return DimVector(Dims(all).last(dims));
}

// The windows of _adaptive_avg and _adaptive_max for results of spatial size `size`.
PoolWindows adaptive_of(Dims x, Dims size) {
  for (int64_t n : size)
    check(n >= 0, "elements of output_size must be greater than or equal to 0, but got ", size);
  expect_room(static_cast<size_t>(numel_of(size)));
  const Spatial in = spatial_of(x, size.size());
  check_not_empty(x, size.size());
  return kernels::adaptive_windows(in, spatial_of(size, size.size()));
}

// The shape whose last dims are `size` and whose others are those of g.
DimVector with_size(const Tensor& g, Dims size) {
  spatial_of(g.shape(), size.size());
  DimVector out(g.shape().first(g.shape().size() - size.size()));
  out.append(size.begin(), size.end());
  numel_of(out);
  return out;
}

Tensor packed_indices(const Tensor& indices) {
  expect_dtype("indices", indices, Dtype::Int64);
  return packed(indices);
}

void check_in_plane(const std::optional<kernels::BadIndex>& bad, int64_t in) {
  if (bad)
    fail<IndexError>("index ", bad->value, " is out of bounds for a plane of ", in, " elements");
}

// Indices into planes of `in` elements, packed.
Tensor checked_indices(const Tensor& indices, int64_t in) {
  const Tensor index = packed_indices(indices);
  check_in_plane(kernels::find_bad_index(index.data<int64_t>(), index.numel(), 0, in), in);
  return index;
}

// The public forms: (input, kernel_size, stride, padding, ...).
DimVector own_stride(const Args& a, size_t dims, const DimVector& kernel) {
  return a.given(2) && !a.ints(2).empty() ? full_list(a.ints(2), dims, "stride") : kernel;
}
Tensors max_pool(const Args& a, size_t dims) {
  check_dims(a[0], dims);
  const DimVector kernel = full_list(a.ints(1), dims, "kernel_size");
  return max_pool_kernel.all(a[0], kernel, own_stride(a, dims, kernel), a.ints(3), a.ints(4),
                             a.flag(5));
}
// Only a gradient asks where the results are.
Tensor max_pool_result(const Args& a, size_t dims) {
  const Tensor& x = a[0];
  if (grad_mode().enabled && x.requires_grad()) return std::move(max_pool(a, dims)[0]);
  check_dims(x, dims);
  const DimVector kernel = full_list(a.ints(1), dims, "kernel_size");
  const auto w = kernels::max_windows(
      pool_shape(x.shape(), kernel, own_stride(a, dims, kernel), a.ints(3), a.ints(4), a.flag(5)));
  return in_compute_type(
      x.dtype(), with_spatial(x.shape(), w.out, dims), [&]<class T>(T* y, Dtype d) {
        kernels::max_pool_values(planes_of(x.shape(), dims), w, packed(x, d).data<T>(), y);
      });
}

Tensor avg_pool(const Args& a, size_t dims, const Value& divisor) {
  check_dims(a[0], dims);
  const DimVector kernel = full_list(a.ints(1), dims, "kernel_size");
  check(divisor.is_none() || divisor.scalar().to<int64_t>() != 0, "divisor must be not zero");
  return avg_pool_kernel(a[0], kernel, own_stride(a, dims, kernel), a.ints(3), a.flag(4), a.flag(5),
                         divisor.is_none() ? Value(0) : divisor);
}

// The output size of (input, output_size); for None the input's own.
DimVector adaptive_size(const Args& a, size_t dims) {
  check_dims(a[0], dims);
  const Dims own = a[0].shape().last(dims);
  DimVector size(a.ints(1));
  if (size.size() == 1) size = DimVector(dims, size[0]);
  for (size_t i = 0; i < std::min(size.size(), dims); i++)
    if (size[i] == kNoInt) size[i] = own[i];
  return full_list(size, dims, "output_size");
}

Tensor adaptive_average(const Args& a, size_t dims) {
  const DimVector size = adaptive_size(a, dims);
  if (std::any_of(size.begin(), size.end(), [](int64_t n) { return n != 1; }))
    return adaptive_avg(a[0], size);
  DimVector last;
  for (size_t i = dims; i > 0; i--) last.push_back(-static_cast<int64_t>(i));
  return mean(a[0], last, true);
}

}  // namespace

const Op max_pool_backward{{
    .sig = "_max_pool_backward(Tensor grad, Tensor indices, int[] size) -> Tensor",
    .doc = "grad added to the places that indices name in each plane of spatial size `size`.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const Tensor& g = a[0];
      const DimVector shape = with_size(g, a.ints(2));
      expect_shape("indices", a[1], g.shape());
      const Tensor index = packed_indices(a[1]);
      const int64_t in = numel_of(a.ints(2)), planes = planes_of(g.shape(), a.ints(2).size());
      return in_compute_type(g.dtype(), shape, [&]<class T>(T* dx, Dtype d) {
        check_in_plane(
            kernels::max_pool_backward(planes, in, planes ? g.numel() / planes : 0,
                                       packed(g, d).data<T>(), index.data<int64_t>(), dx),
            in);
      });
    }),
    .grad = {wrt("grad", "indices",
                 [](auto& s) {
                   return take_in_planes(s.g(), s[1], static_cast<int64_t>(s.ints(2).size()));
                 })},
    .samples = {{in(-1, 1, {2, 3}), indices(0, 7, {2, 3}), dims({7})}},
}};

const Op take_in_planes{{
    .sig = "_take_in_planes(Tensor input, Tensor indices, int dims) -> Tensor",
    .doc = "The elements of each plane (the last `dims` dims) of input that indices name.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      check(a.integer(2) >= 0 && a.integer(2) <= a[0].dim(), "expected up to ", a[0].dim(),
            " dims, got ", a.integer(2));
      const auto dims = static_cast<size_t>(a.integer(2));
      const int64_t planes = planes_of(a[0].shape(), dims);
      const int64_t in = numel_of(a[0].shape().last(dims));
      check(a[1].dim() >= a[0].dim() - a.integer(2) &&
                same(a[1].shape().first(a[0].shape().size() - dims),
                     a[0].shape().first(a[0].shape().size() - dims)),
            "expected indices for the planes of shape ", a[0].shape(), ", got shape ",
            a[1].shape());
      const Tensor index = checked_indices(a[1], in);
      return in_compute_type(a[0].dtype(), DimVector(index.shape()), [&]<class T>(T* y, Dtype d) {
        const Tensor x = packed(a[0], d);
        const int64_t out = planes ? index.numel() / planes : 0;
        for (int64_t p = 0; p < planes; p++)
          for (int64_t i = 0; i < out; i++)
            y[p * out + i] = x.data<T>()[p * in + index.data<int64_t>()[p * out + i]];
      });
    }),
    .grad = {wrt("input", "indices",
                 [](auto& s) {
                   return max_pool_backward(
                       s.g(), s[1], DimVector(s.shape(0).last(static_cast<size_t>(s.integer(2)))));
                 })},
    .samples = {{in(-1, 1, {2, 7}), indices(0, 7, {2, 3}), 1}},
}};

const Op max_pool_kernel{{
    .sig = "_max_pool(Tensor input, int[] kernel, int[] stride, int[] padding, int[] dilation, "
           "bool ceil_mode) -> (Tensor result, Tensor indices)",
    .doc = "The largest element of each window over the last dims, and its position in the plane.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      const size_t dims = a.ints(1).size();
      return largest(a[0],
                     kernels::max_windows(pool_shape(a[0].shape(), a.ints(1), a.ints(2), a.ints(3),
                                                     a.ints(4), a.flag(5))),
                     dims);
    }),
    .grad = {wrt("input", "indices",
                 [](auto& s) {
                   return max_pool_backward(s.g(), s.y(1),
                                            DimVector(s.shape(0).last(s.ints(1).size())));
                 })},
    .samples = {{in(-1, 1, {2, 3, 7}), dims({3}), dims({2}), dims({1}), dims({1}), false}},
}};

const Op max_pool1d{{
    .sig = "max_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, "
           "int[1] dilation=1, bool ceil_mode=False) -> Tensor",
    .doc = "The largest element of each window of [n, c, l]. NaN wins. stride is kernel_size "
           "unless given.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return max_pool_result(a, 1); }),
    .samples = {{in(-1, 1, {2, 3, 7}), dims({2})},
                {in(-1, 1, {2, 3, 7}), dims({3}), dims({2}), dims({1}), dims({2}), true}},
}};

const Op max_pool1d_with_indices{{
    .sig = "max_pool1d_with_indices(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] "
           "padding=0, int[1] dilation=1, bool ceil_mode=False) -> (Tensor result, Tensor indices)",
    .doc = "max_pool1d, and the position of each result in its plane.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return max_pool(a, 1); }),
    .samples = {{in(-1, 1, {2, 3, 7}), dims({2})}},
}};

const Op max_pool2d{{
    .sig = "max_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, "
           "int[2] dilation=1, bool ceil_mode=False) -> Tensor",
    .doc = "The largest element of each window of [n, c, h, w]. NaN wins. stride is kernel_size "
           "unless given.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return max_pool_result(a, 2); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), dims({2})},
                {in(-1, 1, {2, 3, 6, 7}), dims({3, 2}), dims({2, 1}), dims({1, 1}), dims({1, 2}),
                 true}},
    .errors = {{{in(-1, 1, {2, 3, 6, 7}), dims({2, 2}), none, dims({2, 2})},
                "pad should be at most half of"}},
}};

const Op max_pool2d_with_indices{{
    .sig = "max_pool2d_with_indices(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] "
           "padding=0, int[2] dilation=1, bool ceil_mode=False) -> (Tensor result, Tensor indices)",
    .doc = "max_pool2d, and the position of each result in its plane.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return max_pool(a, 2); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), dims({2})}},
}};

const Op avg_pool_backward{{
    .sig = "_avg_pool_backward(Tensor grad, int[] size, int[] kernel, int[] stride, int[] padding, "
           "bool ceil_mode, bool count_include_pad, int divisor) -> Tensor",
    .doc = "The gradient of _avg_pool by its input of spatial size `size`.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const size_t dims = a.ints(1).size();
      const DimVector x = with_size(a[0], a.ints(1));
      check(a.ints(2).size() == dims, "expected a kernel of ", dims, " sizes, got ", a.ints(2));
      const auto w = kernels::average_windows(
          pool_shape(x, a.ints(2), a.ints(3), a.ints(4), kOnes, a.flag(5)), a.flag(6));
      expect_shape("grad", a[0], with_spatial(x, w.out, dims));
      return average_backward(a[0], x, w, dims, a.integer(7));
    }),
    .grad = {wrt("grad", "",
                 [](auto& s) {
                   return avg_pool_kernel(s.g(), s.ints(2), s.ints(3), s.ints(4), s.flag(5),
                                          s.flag(6), s.integer(7));
                 })},
    .samples = {{in(-1, 1, {2, 3, 3}), dims({7}), dims({2}), dims({2}), dims({0}), false, true, 0}},
}};

const Op avg_pool_kernel{{
    .sig = "_avg_pool(Tensor input, int[] kernel, int[] stride, int[] padding, bool ceil_mode, "
           "bool count_include_pad, int divisor) -> Tensor",
    .doc =
        "The mean of each window over the last dims, or its sum over `divisor` if that is not 0.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const auto w = kernels::average_windows(
          pool_shape(a[0].shape(), a.ints(1), a.ints(2), a.ints(3), kOnes, a.flag(4)), a.flag(5));
      return average(a[0], w, a.ints(1).size(), a.integer(6));
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   return avg_pool_backward(s.g(), DimVector(s.shape(0).last(s.ints(1).size())),
                                            s.ints(1), s.ints(2), s.ints(3), s.flag(4), s.flag(5),
                                            s.integer(6));
                 })},
    .samples = {{in(-1, 1, {2, 3, 7}), dims({2}), dims({2}), dims({0}), false, true, 0}},
}};

const Op avg_pool1d{{
    .sig = "avg_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, "
           "bool ceil_mode=False, bool count_include_pad=True) -> Tensor",
    .doc = "The mean of each window of [n, c, l]. stride is kernel_size unless given.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return avg_pool(a, 1, Value()); }),
    .samples = {{in(-1, 1, {2, 3, 7}), dims({2})},
                {in(-1, 1, {2, 3, 7}), dims({3}), dims({2}), dims({1}), true, false}},
}};

const Op avg_pool2d{{
    .sig =
        "avg_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, bool "
        "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
    .doc = "The mean of each window of [n, c, h, w], or its sum over divisor_override. stride is "
           "kernel_size unless given.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return avg_pool(a, 2, a.value(6)); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), dims({2})},
                {in(-1, 1, {2, 3, 6, 7}), dims({3, 2}), dims({2, 1}), dims({1, 1}), true, false,
                 5}},
}};

const Op adaptive_avg_backward{{
    .sig = "_adaptive_avg_backward(Tensor grad, int[] size) -> Tensor",
    .doc = "The gradient of _adaptive_avg by its input of spatial size `size`.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const size_t dims = a.ints(1).size();
      const DimVector x = with_size(a[0], a.ints(1));
      return average_backward(a[0], x, adaptive_of(x, a[0].shape().last(dims)), dims, 0);
    }),
    .grad = {wrt(
        "grad", "",
        [](auto& s) { return adaptive_avg(s.g(), DimVector(s.shape(0).last(s.ints(1).size()))); })},
    .samples = {{in(-1, 1, {2, 3, 3}), dims({7})}},
}};

const Op adaptive_avg{{
    .sig = "_adaptive_avg(Tensor input, int[] size) -> Tensor",
    .doc = "Means of windows chosen so that the result has spatial size `size`.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      return average(a[0], adaptive_of(a[0].shape(), a.ints(1)), a.ints(1).size(), 0);
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   return adaptive_avg_backward(s.g(),
                                                DimVector(s.shape(0).last(s.ints(1).size())));
                 })},
    .samples = {{in(-1, 1, {2, 3, 7}), dims({3})}},
}};

const Op adaptive_avg_pool1d{{
    .sig = "adaptive_avg_pool1d(Tensor input, int[1] output_size) -> Tensor",
    .doc = "Means of windows chosen so that the result is [n, c, output_size].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return adaptive_average(a, 1); }),
    .samples = {{in(-1, 1, {2, 3, 7}), dims({3})}},
}};

const Op adaptive_avg_pool2d{{
    .sig = "adaptive_avg_pool2d(Tensor input, int?[2] output_size) -> Tensor",
    .doc = "Means of windows chosen so that the result is [n, c, *output_size].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_average(a, 2); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), dims({3, 2})}, {in(-1, 1, {2, 3, 6, 7}), 1}},
}};

const Op adaptive_max{{
    .sig = "_adaptive_max(Tensor input, int[] size) -> (Tensor result, Tensor indices)",
    .doc = "The largest elements of windows chosen so that the result has spatial size `size`.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) -> Tensors {
      return largest(a[0], adaptive_of(a[0].shape(), a.ints(1)), a.ints(1).size());
    }),
    .grad = {wrt("input", "indices",
                 [](auto& s) {
                   return max_pool_backward(s.g(), s.y(1),
                                            DimVector(s.shape(0).last(s.ints(1).size())));
                 })},
    .samples = {{in(-1, 1, {2, 3, 7}), dims({3})}},
}};

const Op adaptive_max_pool2d{{
    .sig = "adaptive_max_pool2d(Tensor input, int?[2] output_size) -> Tensor",
    .doc = "The largest elements of windows chosen so that the result is [n, c, *output_size].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_max(a[0], adaptive_size(a, 2)); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), dims({3, 2})}},
}};

const Op adaptive_max_pool2d_with_indices{{
    .sig = "adaptive_max_pool2d_with_indices(Tensor input, int?[2] output_size) -> (Tensor result, "
           "Tensor indices)",
    .doc = "adaptive_max_pool2d, and the position of each result in its plane.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_max.all(a[0], adaptive_size(a, 2)); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), dims({3, 2})}},
}};

const Op adaptive_max_pool1d{{
    .sig = "adaptive_max_pool1d(Tensor input, int[1] output_size) -> Tensor",
    .doc = "The largest elements of windows chosen so that the result is [n, c, output_size].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_max(a[0], adaptive_size(a, 1)); }),
    .samples = {{in(-1, 1, {2, 3, 7}), dims({3})}},
}};

const Op adaptive_max_pool1d_with_indices{{
    .sig = "adaptive_max_pool1d_with_indices(Tensor input, int[1] output_size) -> (Tensor result, "
           "Tensor indices)",
    .doc = "adaptive_max_pool1d, and the position of each result in its plane.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_max.all(a[0], adaptive_size(a, 1)); }),
    .samples = {{in(-1, 1, {2, 3, 7}), dims({3})}},
}};

const Op adaptive_max_pool3d{{
    .sig = "adaptive_max_pool3d(Tensor input, int?[3] output_size) -> Tensor",
    .doc = "The largest elements of windows chosen so that the result is [n, c, *output_size].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_max(a[0], adaptive_size(a, 3)); }),
    .samples = {{in(-1, 1, {2, 3, 4, 3, 2}), dims({2, 2, 1})}},
}};

const Op adaptive_max_pool3d_with_indices{{
    .sig = "adaptive_max_pool3d_with_indices(Tensor input, int?[3] output_size) -> (Tensor result, "
           "Tensor indices)",
    .doc = "adaptive_max_pool3d, and the position of each result in its plane.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_max.all(a[0], adaptive_size(a, 3)); }),
    .samples = {{in(-1, 1, {2, 3, 4, 3, 2}), dims({2, 2, 1})}},
}};

const Op adaptive_avg_pool3d{{
    .sig = "adaptive_avg_pool3d(Tensor input, int?[3] output_size) -> Tensor",
    .doc = "Means of windows chosen so that the result is [n, c, *output_size].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return adaptive_average(a, 3); }),
    .samples = {{in(-1, 1, {2, 3, 4, 3, 2}), dims({2, 2, 1})}},
}};

const Op max_pool3d{{
    .sig = "max_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, "
           "int[3] dilation=1, bool ceil_mode=False) -> Tensor",
    .doc = "The largest element of each window of [n, c, d, h, w]. NaN wins. stride is kernel_size "
           "unless given.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return max_pool_result(a, 3); }),
    .samples = {{in(-1, 1, {2, 3, 4, 3, 4}), dims({2})}},
}};

const Op max_pool3d_with_indices{{
    .sig = "max_pool3d_with_indices(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] "
           "padding=0, int[3] dilation=1, bool ceil_mode=False) -> (Tensor result, Tensor indices)",
    .doc = "max_pool3d, and the position of each result in its plane.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return max_pool(a, 3); }),
    .samples = {{in(-1, 1, {2, 3, 4, 3, 4}), dims({2})}},
}};

const Op avg_pool3d{{
    .sig = "avg_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, "
           "bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> "
           "Tensor",
    .doc = "The mean of each window of [n, c, d, h, w], or its sum over divisor_override. stride "
           "is kernel_size unless given.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return avg_pool(a, 3, a.value(6)); }),
    .samples = {{in(-1, 1, {2, 3, 4, 3, 4}), dims({2})},
                {in(-1, 1, {2, 3, 4, 3, 4}), dims({3, 2, 2}), dims({1}), dims({1}), false, false}},
}};

}  // namespace gotorch::ops
