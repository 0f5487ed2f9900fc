// Sliding windows of images as columns, and columns as sums of windows.
#include <array>

#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

// The arguments from `at` on: kernel_size, dilation, padding, stride; two numbers each.
struct Windows {
  std::array<int64_t, 2> kernel, dilation, padding, stride;
  Windows(const Args& a, size_t at) {
    std::array<int64_t, 2>* const lists[] = {&kernel, &dilation, &padding, &stride};
    for (size_t i = 0; i < 4; i++) {
      const Dims d = a.ints(at + i);
      check(d.size() == 1 || d.size() == 2, "expected one or two numbers a list, got ", d);
      *lists[i] = {d[0], d[d.size() - 1]};
      for (int64_t n : *lists[i])
        check(n >= (i == 2 ? 0 : 1) && n <= INT32_MAX, i == 0 ? "kernel size" : i == 1 ? "dilation" : i == 2 ? "padding" : "stride",
              i == 2 ? " should not be negative, nor too large, but got " : " should be greater than zero, and not too large, but got ", d);
    }
  }
  int64_t extent(size_t i) const { return dilation[i] * (kernel[i] - 1) + 1; }
  int64_t places() const { return kernel[0] * kernel[1]; }
};

// [n, c, h, w] as [n, c, kh kw, places].
Tensor columns_of(const Tensor& x, const Windows& w) {
  const DimVector frame{w.padding[1], w.padding[1], w.padding[0], w.padding[0]};
  Tensor y = pad(x, frame);
  for (size_t i = 0; i < 2; i++) {
    const auto d = static_cast<int64_t>(2 + i);
    check(y.size(d) >= w.extent(i), "windows of ", w.extent(0), " x ", w.extent(1),
          " do not fit the padded input of shape ", y.shape());
    y = slice(unfold(y, d, w.extent(i), w.stride[i]), -1, std::nullopt, std::nullopt, w.dilation[i]);
  }
  const DimVector shape{x.size(0), x.size(1), w.places(), y.size(2) * y.size(3)};
  return reshape(permute(y, DimVector{0, 1, 4, 5, 2, 3}), shape);
}

}  // namespace

const Op im2col{{
    .sig = "im2col(Tensor input, int[2] kernel_size, int[2] dilation=1, int[2] padding=0, "
           "int[2] stride=1) -> Tensor",
    .doc = "Each window of images [n, c, h, w] as a column of [n, c kh kw, places]. In Python F.unfold.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      check(x.dim() == 3 || x.dim() == 4, "Expected 3D or 4D (batch mode) tensor, but got input of shape ",
            x.shape());
      const Windows w(a, 1);
      const Tensor y = columns_of(x.dim() == 3 ? unsqueeze(x, 0) : x, w);
      const Tensor whole = flatten(y, 1, 2);
      return x.dim() == 3 ? squeeze(whole, 0) : whole;
    }),
    .samples = {{in(-1, 1, {2, 2, 4, 5}), dims({2, 3})},
                {in(-1, 1, {2, 5, 6}), dims({2, 2}), dims({2, 1}), dims({1, 0}), dims({1, 2})}},
    .errors = {{{in(-1, 1, {4, 5}), dims({2, 2})}, "Expected 3D or 4D"},
               {{in(-1, 1, {1, 1, 2, 2}), dims({3, 3})}, "do not fit the padded input"}},
}};

const Op fold{{
    .sig = "fold(Tensor input, int[2] output_size, int[2] kernel_size, int[2] dilation=1, int[2] "
           "padding=0, int[2] stride=1) -> Tensor",
    .doc = "The images [n, c, h, w] whose windows are the columns of [n, c kh kw, places], added "
           "up where they overlap.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor x = a[0].dim() == 2 ? unsqueeze(a[0], 0) : a[0];
      check(x.dim() == 3, "Expected 2D or 3D (batch mode) tensor for input, but got input of shape ",
            a[0].shape());
      const Windows w(a, 2);
      const Dims size = a.ints(1);
      const int64_t height = size[0], width = size[size.size() - 1],
                    each = w.places(), cells = numel_of(DimVector{height, width});
      check(cells > 0, "expected a positive output_size, got ", size);
      check(x.size(1) % each == 0, "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)=",
            x.size(1), " and kernel_size of ", each, " places");
      // Where each element of a window lies; 0 is in the frame.
      const Tensor numbers = reshape(arange_start(1, cells + 1), DimVector{1, 1, height, width});
      const Tensor places = flatten(columns_of(numbers, w));
      check(x.size(2) * each == places.numel(), "Given output_size of ", size, " expected size of input's dimension 2 to match the calculated number of sliding blocks ",
            places.numel() / each, ", but got input.size(2)=", x.size(2), ".");
      const DimVector rows{x.size(0), x.size(1) / each, places.numel()};
      const Tensor none = zeros(DimVector{rows[0], rows[1], cells + 1}, x.dtype());
      const Tensor sums = index_add(none, 2, places, reshape(x, rows));
      const Tensor y = reshape(narrow(sums, 2, 1, cells), DimVector{rows[0], rows[1], height, width});
      return a[0].dim() == 2 ? squeeze(y, 0) : y;
    }),
    .samples = {{in(-1, 1, {2, 12, 6}), dims({3, 5}), dims({2, 3})},
                {in(-1, 1, {8, 20}), dims({5, 6}), dims({2, 2}), dims({2, 1}), dims({1, 1}), dims({1, 2})}},
    .errors = {{{in(-1, 1, {2, 7, 6}), dims({3, 5}), dims({2, 3})}, "to be divisible by the product of kernel_size"},
               {{in(-1, 1, {2, 12, 5}), dims({3, 5}), dims({2, 3})}, "expected size of input's dimension 2"}},
}};

}  // namespace gotorch::ops
