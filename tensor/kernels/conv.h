#pragma once
// Convolution over up to three spatial dimensions, forward and backward. Tensors are contiguous:
//   x [batch][in_channels][in]     w [out_channels][in_channels / groups][kernel]
//   y [batch][out_channels][out]
// 1-d and 2-d shapes leave the leading spatial dimensions at 1: an image has in = {1, 28, 28}.
//
//   ConvShape s{.batch = 64, .in_channels = 1, .out_channels = 6, .in = {1, 28, 28},
//               .kernel = {1, 5, 5}, .padding = {0, 2, 2}};
//   s.set_out();
//   conv_forward(s, x, w, bias, y);
//
// Thread-safe. All work is cut by shape, so the bits are the same for any number of workers.
#include <array>
#include <cstdint>

namespace gotorch::kernels {

using Spatial = std::array<int64_t, 3>;

struct ConvShape {
  int64_t batch = 1, groups = 1, in_channels = 1, out_channels = 1;
  Spatial in{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1};
  // Positions of the kernel. Input beyond the right border reads as zero, as left of it, so `out`
  // may differ from set_out() (padding "same" with an even kernel pads one side more).
  Spatial out{1, 1, 1};

  // floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, not below 0.
  void set_out();
};

// y = conv(x, w) + bias; bias (one per output channel) may be null.
template <class T>
void conv_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y);

// dx from dy. Transposed convolution is this function used as its forward: then dy is the input, dx
// the output, and `bias` (one per channel of dx) may be given.
template <class T>
void conv_backward_data(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx);

// dw from x and dy; every element of dw is written.
template <class T>
void conv_backward_weight(const ConvShape& s, const T* x, const T* dy, T* dw);

// db[c] = sum of dy over batch and positions.
template <class T>
void conv_backward_bias(const ConvShape& s, const T* dy, T* db);

}  // namespace gotorch::kernels
