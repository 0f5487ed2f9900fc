// Convolutions. A convolution is linear in input and weight, so its gradients, and theirs, are three ops that
// refer to each other: the convolution, its gradient by the input, and its gradient by the weight.
#include "tensor/kernels/conv.h"

#include "tensor/ops.h"
#include "tensor/ops/spatial.h"

namespace gotorch::ops {
namespace {

using kernels::ConvShape;
using kernels::Spatial;

// The dims behind batch and channels.
Spatial spatial_of(Dims shape) { return ops::spatial_of(shape, shape.size() - 2); }

// The geometry of a convolution from x to y, from the shapes and the options at `at`: stride, padding, dilation, groups.
ConvShape shape_of(Dims x, Dims w, const Args& a, size_t at) {
  const size_t n = w.size() - 2;
  ConvShape s;
  s.batch = x[0];
  s.in_channels = x[1];
  s.out_channels = w[0];
  s.groups = a.integer(at + 3);
  s.in = spatial_of(x);
  s.kernel = spatial_of(w);
  s.stride = spread(a.ints(at), n, 1, "stride");
  s.padding = spread(a.ints(at + 1), n, 0, "padding");
  s.dilation = spread(a.ints(at + 2), n, 1, "dilation");
  for (int64_t v : s.stride) check(v > 0, "non-positive stride is not supported, got ", a.ints(at));
  for (int64_t v : s.padding)
    check(v >= 0, "negative padding is not supported, got ", a.ints(at + 1));
  for (int64_t v : s.dilation)
    check(v > 0, "dilation should be greater than zero, got ", a.ints(at + 2));
  s.set_out();
  return s;
}

DimVector shape_with(int64_t n, int64_t c, const Spatial& spatial, size_t dims) {
  DimVector out{n, c};
  for (size_t i = 3 - dims; i < 3; i++) out.push_back(spatial[i]);
  return out;
}

DimVector trailing(Dims shape) { return DimVector(shape.subspan(2)); }

// What the two gradients, whose geometry nobody else has checked, ask for: g is what a convolution of `x` with `w` gives,
// or the first part of it (a transposed convolution may ask for more than its input reaches).
ConvShape shape_of_gradient(Dims x, Dims w, const Tensor& g, const Args& a, size_t at) {
  numel_of(x);
  numel_of(w);
  const int64_t groups = a.integer(at + 3);
  check(x[0] == g.size(0) && w[0] == g.size(1) && x[1] == w[1] * groups && w[0] % groups == 0,
        "expected a gradient of ", x[0], " images of ", w[0], " channels and ", w[1] * groups,
        " channels of the input in ", groups, " groups, got shapes ", g.shape(), " and ", x);
  ConvShape s = shape_of(x, w, a, at);
  const Spatial out = spatial_of(g.shape());
  for (int i = 0; i < 3; i++)
    check(out[i] <= s.out[i], "grad of shape ", g.shape(), " is larger than the convolution of ", x,
          " with ", w);
  s.out = out;
  return s;
}

// [n, c, ...] with one to three spatial dims.
void check_images(const Tensor& x) {
  check(x.dim() >= 3 && x.dim() <= 5, "expected 3 to 5 dimensions, got shape ", x.shape());
}

int64_t positive_groups(const Args& a, size_t at) {
  const int64_t groups = a.integer(at);
  check(groups > 0 && groups <= kLargestOption, "non-positive or too large groups: got ", groups);
  return groups;
}

void check_conv(const Tensor& x, const Tensor& w, const Tensor& bias, const Args& a) {
  check_images(x);
  check(w.dim() == x.dim(), "expected a weight of ", x.dim(), " dimensions, got shape ", w.shape());
  const int64_t groups = a.integer(6);
  check(x.dtype() == w.dtype(), "Input type (", x.dtype(), ") and weight type (", w.dtype(),
        ") should be the same");
  check(groups > 0 && groups <= kLargestOption, "non-positive groups is not supported, got ",
        groups);
  check(w.size(0) % groups == 0 && w.size(0) > 0, "Given groups=", groups,
        ", expected weight to be at least ", groups,
        " at dimension 0 and divisible by it, but got weight of size ", w.shape());
  check(x.size(1) == w.size(1) * groups, "Given groups=", groups, ", weight of size ", w.shape(),
        ", expected input", x.shape(), " to have ", w.size(1) * groups, " channels, but got ",
        x.size(1), " channels instead");
  check(!bias.defined() || (bias.dim() == 1 && bias.size(0) == w.size(0)), "Given weight of size ",
        w.shape(), ", expected bias to be 1-dimensional with ", w.size(0),
        " elements, but got bias of size ", bias.defined() ? bias.shape() : Dims(), " instead");
  const ConvShape s = shape_of(x.shape(), w.shape(), a, 3);
  for (int i = 0; i < 3; i++)
    check(s.in[i] + 2 * s.padding[i] >= s.dilation[i] * (s.kernel[i] - 1) + 1 && s.kernel[i] > 0,
          "Calculated padded input size per channel: (", s.in[i] + 2 * s.padding[i],
          "). Kernel size: (", s.dilation[i] * (s.kernel[i] - 1) + 1,
          "). Kernel size can't be greater than actual input size");
}

// Dims of the bias gradient's sum: everything but the channel.
DimVector all_but_channel(size_t dims) {
  DimVector out{0};
  for (size_t i = 2; i < dims; i++) out.push_back(static_cast<int64_t>(i));
  return out;
}

// A convolution with input [n, c, ...] or [c, ...] of `dims` spatial dims.
Tensor convolve(const Args& a, size_t dims, Dims padding) {
  const Tensor &x = a[0], &w = a[1];
  const auto full = static_cast<int64_t>(dims) + 2;
  check(w.dim() == full, "expected a ", full, "-dimensional weight, got shape ", w.shape());
  check(x.dim() == full || x.dim() == full - 1, "Expected ", full - 1, "D (unbatched) or ", full,
        "D (batched) input, but got input of size: ", x.shape());
  const Tensor batch = x.dim() == full ? x : unsqueeze(x, 0);
  const Tensor y =
      conv_kernel(batch, w, a.tensor_or(2), a.ints(3), padding, a.ints(5), a.integer(6));
  return x.dim() == full ? y : squeeze(y, 0);
}

// padding='same' or 'valid'.
Tensor convolve_named(const Args& a, size_t dims) {
  const std::string_view mode = a.str(4);
  if (mode == "valid") return convolve(a, dims, DimVector{0});
  check(mode == "same", "Invalid padding string: '", mode, "'");
  for (int64_t s : a.ints(3))
    check(s == 1, "padding='same' is not supported for strided convolutions");
  check(a[1].shape().size() == dims + 2, "expected a ", dims + 2, "-dimensional weight, got shape ",
        a[1].shape());
  const Spatial dilation = spread(a.ints(5), dims, 1, "dilation");
  DimVector symmetric, extra(2 * dims, 0);
  bool uneven = false;
  for (size_t i = 0; i < dims; i++) {
    const int64_t total = dilation[3 - dims + i] * (a[1].size(static_cast<int64_t>(i) + 2) - 1);
    symmetric.push_back(total / 2);
    extra[2 * (dims - 1 - i) + 1] = total % 2;
    uneven |= total % 2 != 0;
  }
  if (!uneven) return convolve(a, dims, symmetric);
  const Tensor padded = pad(a[0], extra);
  const Value values[] = {padded,     a.value(1), a.value(2), a.value(3),
                          a.value(4), a.value(5), a.value(6)};
  return convolve(Args(values), dims, symmetric);
}

Tensor convolve_transposed(const Args& a, size_t dims) {
  const Tensor &x = a[0], &w = a[1];
  const auto full = static_cast<int64_t>(dims) + 2;
  check(w.dim() == full, "expected a ", full, "-dimensional weight, got shape ", w.shape());
  check(x.dim() == full || x.dim() == full - 1, "Expected ", full - 1, "D (unbatched) or ", full,
        "D (batched) input, but got input of size: ", x.shape());
  const Tensor batch = x.dim() == full ? x : unsqueeze(x, 0);
  check(batch.size(1) == w.size(0), "Given transposed=1, weight of size ", w.shape(),
        ", expected input", batch.shape(), " to have ", w.size(0), " channels, but got ",
        batch.size(1), " channels instead");
  const Spatial in = spatial_of(batch.shape()), kernel = spatial_of(w.shape());
  const Spatial stride = spread(a.ints(3), dims, 1, "stride"),
                padding = spread(a.ints(4), dims, 0, "padding");
  const Spatial extra = spread(a.ints(5), dims, 0, "output_padding"),
                dilation = spread(a.ints(7), dims, 1, "dilation");
  DimVector size;
  for (size_t i = 3 - dims; i < 3; i++) {
    check(extra[i] >= 0 && (extra[i] < stride[i] || extra[i] < dilation[i]),
          "output padding must be smaller than either stride or dilation, but got output_padding ",
          a.ints(5));
    size.push_back((in[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) +
                   extra[i] + 1);
    check(size.back() > 0, "Given input size per channel: ", batch.shape(),
          ". Calculated output size is too small");
  }
  const Tensor y =
      conv_data(batch, w, a.tensor_or(2), size, a.ints(3), a.ints(4), a.ints(7), a.integer(6));
  return x.dim() == full ? y : squeeze(y, 0);
}

}  // namespace

const Op conv_kernel{{
    .sig = "_conv(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] "
           "dilation, int groups) -> Tensor",
    .doc = "Convolution of [n, c, ...] with one to three spatial dims.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const Tensor &x = a[0], &w = a[1];
      const Tensor bias = a.tensor_or(2);
      check_conv(x, w, bias, a);
      const ConvShape s = shape_of(x.shape(), w.shape(), a, 3);
      return in_compute_type(x.dtype(),
                             shape_with(s.batch, s.out_channels, s.out, w.shape().size() - 2),
                             [&]<class T>(T* y, Dtype d) {
                               const Tensor xc = packed(x, d), wc = packed(w, d),
                                            bc = bias.defined() ? packed(bias, d) : Tensor();
                               kernels::conv_forward(s, xc.data<T>(), wc.data<T>(),
                                                     bias.defined() ? bc.data<T>() : nullptr, y);
                             });
    }),
    .grad = {wrt("input", "weight",
                 [](auto& s) {
                   return conv_data(s.g(), s[1], Tensor(), trailing(s.shape(0)), s.ints(3),
                                    s.ints(4), s.ints(5), s.integer(6));
                 }),
             wrt("weight", "input",
                 [](auto& s) {
                   return conv_weight(s[0], s.g(), trailing(s.shape(1)), s.ints(3), s.ints(4),
                                      s.ints(5), s.integer(6));
                 }),
             wrt("bias", "",
                 [](auto& s) { return sum(s.g(), all_but_channel(s.shape(0).size())); })},
    .samples = {{in(-1, 1, {2, 4, 5}), in(-1, 1, {6, 2, 3}), in(-1, 1, {6}), dims({2}), dims({1}),
                 dims({1}), 2}},
    .ulp = 32,
}};

const Op conv_data{{
    .sig = "_conv_data(Tensor grad, Tensor weight, Tensor? bias, int[] size, int[] stride, int[] "
           "padding, int[] dilation, int groups) -> Tensor",
    .doc = "The gradient of _conv by its input of spatial size `size`; plus a bias per channel, a "
           "transposed convolution.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const Tensor &g = a[0], &w = a[1];
      const Tensor bias = a.tensor_or(2);
      check_images(g);
      check(w.dim() == g.dim() && static_cast<int64_t>(a.ints(3).size()) == g.dim() - 2,
            "expected a weight of ", g.dim(), " dimensions and ", g.dim() - 2, " sizes, got shape ",
            w.shape(), " and ", a.ints(3));
      const int64_t channels = w.size(1) * positive_groups(a, 7);
      DimVector x{g.size(0), channels};
      x.append(a.ints(3).begin(), a.ints(3).end());
      const ConvShape s = shape_of_gradient(x, w.shape(), g, a, 4);
      check(!bias.defined() || (bias.dim() == 1 && bias.size(0) == channels), "expected a bias of ",
            channels, " values, got shape ", bias.defined() ? bias.shape() : Dims());
      return in_compute_type(g.dtype(), x, [&]<class T>(T* y, Dtype d) {
        const Tensor gc = packed(g, d), wc = packed(w, d),
                     bc = bias.defined() ? packed(bias, d) : Tensor();
        kernels::conv_backward_data(s, gc.data<T>(), wc.data<T>(),
                                    bias.defined() ? bc.data<T>() : nullptr, y);
      });
    }),
    .grad = {wrt("grad", "weight",
                 [](auto& s) {
                   return conv_kernel(s.g(), s[1], Tensor(), s.ints(4), s.ints(5), s.ints(6),
                                      s.integer(7));
                 }),
             wrt("weight", "grad",
                 [](auto& s) {
                   return conv_weight(s.g(), s[0], trailing(s.shape(1)), s.ints(4), s.ints(5),
                                      s.ints(6), s.integer(7));
                 }),
             wrt("bias", "",
                 [](auto& s) { return sum(s.g(), all_but_channel(s.shape(0).size())); })},
    .samples = {{in(-1, 1, {2, 6, 3}), in(-1, 1, {6, 2, 3}), none, dims({5}), dims({2}), dims({1}),
                 dims({1}), 2}},
    .ulp = 32,
}};

const Op conv_weight{{
    .sig = "_conv_weight(Tensor input, Tensor grad, int[] size, int[] stride, int[] padding, int[] "
           "dilation, int groups) -> Tensor",
    .doc = "The gradient of _conv by its weight of spatial size `size`.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) {
      const Tensor &x = a[0], &g = a[1];
      check_images(x);
      check(g.dim() == x.dim() && static_cast<int64_t>(a.ints(2).size()) == x.dim() - 2,
            "expected a grad of ", x.dim(), " dimensions and ", x.dim() - 2, " sizes, got shape ",
            g.shape(), " and ", a.ints(2));
      DimVector w{g.size(1), x.size(1) / positive_groups(a, 6)};
      w.append(a.ints(2).begin(), a.ints(2).end());
      const ConvShape s = shape_of_gradient(x.shape(), w, g, a, 3);
      return in_compute_type(x.dtype(), w, [&]<class T>(T* y, Dtype d) {
        const Tensor xc = packed(x, d), gc = packed(g, d);
        kernels::conv_backward_weight(s, xc.data<T>(), gc.data<T>(), y);
      });
    }),
    .grad = {wrt("input", "grad",
                 [](auto& s) {
                   return conv_data(s[1], s.g(), Tensor(), trailing(s.shape(0)), s.ints(3),
                                    s.ints(4), s.ints(5), s.integer(6));
                 }),
             wrt("grad", "input",
                 [](auto& s) {
                   return conv_kernel(s[0], s.g(), Tensor(), s.ints(3), s.ints(4), s.ints(5),
                                      s.integer(6));
                 })},
    .samples = {{in(-1, 1, {2, 4, 5}), in(-1, 1, {2, 6, 3}), dims({3}), dims({2}), dims({1}),
                 dims({1}), 2}},
    .ulp = 32,
}};

const Op conv1d{{
    .sig = "conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] "
           "padding=0, int[1] dilation=1, int groups=1) -> Tensor",
    .doc = "Convolution of input [n, c, l] with weight [out, c / groups, k].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve(a, 1, a.ints(4)); }),
    .samples = {{in(-1, 1, {2, 4, 7}), in(-1, 1, {6, 4, 3}), in(-1, 1, {6})},
                {in(-1, 1, {2, 4, 7}), in(-1, 1, {6, 2, 3}), none, dims({2}), dims({1}), dims({2}),
                 2}},
    .errors = {{{in(-1, 1, {2, 3, 7}), in(-1, 1, {6, 4, 3})},
                "to have 4 channels, but got 3 channels instead"}},
    .ulp = 32,
}};

const Op conv1d_named{{
    .sig = "conv1d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str "
           "padding='valid', int[1] dilation=1, int groups=1) -> Tensor",
    .doc = "Convolution with padding 'same' or 'valid'.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve_named(a, 1); }),
    .samples = {{in(-1, 1, {2, 4, 7}), in(-1, 1, {6, 4, 4}), none, dims({1}), "same"}},
    .ulp = 32,
}};

const Op conv2d{{
    .sig = "conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] "
           "padding=0, int[2] dilation=1, int groups=1) -> Tensor",
    .doc = "Convolution of input [n, c, h, w] with weight [out, c / groups, kh, kw].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve(a, 2, a.ints(4)); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), in(-1, 1, {4, 3, 3, 2}), in(-1, 1, {4})},
                {in(-1, 1, {2, 4, 6, 7}), in(-1, 1, {4, 2, 3, 3}), none, dims({2, 1}), dims({1, 2}),
                 dims({1, 2}), 2},
                {in(-1, 1, {3, 6, 7}), in(-1, 1, {4, 3, 1, 1})}},
    .errors = {{{in(-1, 1, {2, 3, 7, 7}), in(-1, 1, {6, 4, 3, 3})},
                "to have 4 channels, but got 3 channels instead"},
               {{in(-1, 1, {2, 3, 2, 2}), in(-1, 1, {6, 3, 3, 3})},
                "Kernel size can't be greater than actual input size"}},
    .ulp = 32,
}};

const Op conv2d_named{{
    .sig = "conv2d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str "
           "padding='valid', int[2] dilation=1, int groups=1) -> Tensor",
    .doc = "Convolution with padding 'same' or 'valid'.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve_named(a, 2); }),
    .samples = {{in(-1, 1, {2, 3, 6, 7}), in(-1, 1, {4, 3, 3, 2}), none, dims({1}), "same"}},
    .ulp = 32,
}};

const Op conv3d{{
    .sig = "conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] "
           "padding=0, int[3] dilation=1, int groups=1) -> Tensor",
    .doc = "Convolution of input [n, c, d, h, w] with weight [out, c / groups, kd, kh, kw].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve(a, 3, a.ints(4)); }),
    .samples = {{in(-1, 1, {1, 2, 4, 4, 4}), in(-1, 1, {3, 2, 2, 2, 2}), in(-1, 1, {3})}},
    .ulp = 32,
}};

const Op conv3d_named{{
    .sig = "conv3d.padding(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str "
           "padding='valid', int[3] dilation=1, int groups=1) -> Tensor",
    .doc = "Convolution with padding 'same' or 'valid'.",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve_named(a, 3); }),
    .samples = {{in(-1, 1, {1, 2, 3, 4, 3}), in(-1, 1, {2, 2, 2, 3, 1}), none, dims({1}), "same"}},
    .ulp = 32,
}};

const Op conv_transpose1d{{
    .sig = "conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, "
           "int[1] padding=0, int[1] output_padding=0, int groups=1, int[1] dilation=1) -> Tensor",
    .doc = "The transpose of conv1d; weight [c, out / groups, k].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve_transposed(a, 1); }),
    .samples = {{in(-1, 1, {2, 4, 5}), in(-1, 1, {4, 3, 3}), in(-1, 1, {3}), dims({2}), dims({1}),
                 dims({1})}},
    .ulp = 32,
}};

const Op conv_transpose2d{{
    .sig = "conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, "
           "int[2] padding=0, int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor",
    .doc = "The transpose of conv2d; weight [c, out / groups, kh, kw].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve_transposed(a, 2); }),
    .samples = {{in(-1, 1, {2, 4, 3, 4}), in(-1, 1, {4, 3, 3, 2}), in(-1, 1, {3}), dims({2}),
                 dims({1}), dims({1, 0})},
                {in(-1, 1, {2, 4, 3, 4}), in(-1, 1, {4, 2, 3, 2}), none, dims({1}), dims({0}),
                 dims({0}), 2}},
    .ulp = 32,
}};

const Op conv_transpose3d{{
    .sig = "conv_transpose3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, "
           "int[3] padding=0, int[3] output_padding=0, int groups=1, int[3] dilation=1) -> Tensor",
    .doc = "The transpose of conv3d; weight [c, out / groups, kd, kh, kw].",
    .scope = Scope::TorchNn,
    .kernel = compose([](auto& a) { return convolve_transposed(a, 3); }),
    .samples = {{in(-1, 1, {1, 2, 2, 3, 2}), in(-1, 1, {2, 3, 2, 2, 1}), in(-1, 1, {3})}},
    .ulp = 32,
}};

}  // namespace gotorch::ops
