#pragma once
// The form that every convolution is brought into before it is computed:
//   out[m][p] = sum over channels c and taps t of weight[m][c][t] * in[c][p * stride + t]
// where a tap is an offset, negative or not, and input outside the image is zero. A forward
// convolution has the taps kernel * dilation - padding. Backward-data with stride s is, in each
// dimension, s convolutions of stride 1, one for each position modulo s, with the taps that reach
// it: no product with an inserted zero is ever computed.
#include <vector>

#include "tensor/kernels/conv.h"

namespace gotorch::kernels {

template <class T>
struct TapConv {
  int64_t batch, groups, in_channels, out_channels;  // channels of one group
  Spatial in, out, stride;
  std::vector<int64_t> taps[3];
  const T* input;   // [batch][groups][in_channels][in]
  const T* weight;  // [groups][out_channels][in_channels][taps]
  const T* bias;    // [groups][out_channels], or null
  // Position p of channel m of an image is at p * position_stride + m * channel_stride.
  T* output;
  Spatial position_stride;
  int64_t channel_stride, image_stride;

  int64_t tap_count() const {
    return static_cast<int64_t>(taps[0].size() * taps[1].size() * taps[2].size());
  }
};

template <class T>
void run_tap_conv(const TapConv<T>& conv);

// The same with output channels along the vectors and positions down the rows: no input is copied
// but for its padding. For convolutions that have enough of both.
template <class T>
bool suits_channels(const TapConv<T>& conv);
template <class T>
void run_channels(const TapConv<T>& conv);

// Kernels of 3 x 3 taps by fewer products, see winograd.h. Returns false if not all outputs are finite: then infinite ones may have
// become NaN.
template <class T>
bool suits_winograd(const TapConv<T>& conv);
template <class T>
bool run_winograd(const TapConv<T>& conv);

// One channel in, one out, in each group: too little to multiply for panels.
template <class T>
void run_depthwise(const TapConv<T>& conv);

}  // namespace gotorch::kernels
