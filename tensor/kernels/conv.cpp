#include "tensor/kernels/conv.h"

#include <algorithm>

#include "runtime/parallel.h"
#include "tensor/kernels/conv_taps.h"
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kCopyGrain = 1 << 15;

int64_t volume(const Spatial& s) { return s[0] * s[1] * s[2]; }

// A kernel of one tap that visits every position once: a matrix product per image.
bool is_pointwise(const ConvShape& s) {
  return volume(s.kernel) == 1 && volume(s.stride) == 1 && s.in == s.out &&
         s.padding == Spatial{0, 0, 0};
}

// Positions below this fill too few panels per image; the convolution joins images.
constexpr int64_t kPointwisePositions = 96;

// The taps of one dimension that reach positions congruent to `remainder`, for gradients of x:
// x[stride * t + remainder] meets y[t + tap] through kernel element index.
struct ReachingTaps {
  std::vector<int64_t> tap, index;
};
ReachingTaps reaching_taps(const ConvShape& s, int d, int64_t remainder) {
  ReachingTaps r;
  for (int64_t k = 0; k < s.kernel[d]; k++) {
    const int64_t offset = remainder + s.padding[d] - k * s.dilation[d];
    if (offset % s.stride[d] != 0) continue;
    r.tap.push_back(offset / s.stride[d]);
    r.index.push_back(k);
  }
  return r;
}

// The kernel elements at the given indices, with input and output channels exchanged:
// [groups][in][out][taps] from [groups][out][in][kernel].
template <class T>
void exchange_channels(const ConvShape& s, const ReachingTaps (&taps)[3], const T* w, T* result) {
  const int64_t in = s.in_channels / s.groups, out = s.out_channels / s.groups;
  const int64_t kernel = volume(s.kernel);
  std::vector<int64_t> index;
  for (int64_t z : taps[0].index) {
    for (int64_t y : taps[1].index) {
      for (int64_t x : taps[2].index) index.push_back((z * s.kernel[1] + y) * s.kernel[2] + x);
    }
  }
  const int64_t count = static_cast<int64_t>(index.size());
  const int64_t grain = std::max<int64_t>(1, kCopyGrain / (out * count + 1));
  runtime::parallel_for(s.groups * in, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const T* source = w + (row / in * out * in + row % in) * kernel;
      T* target = result + row * out * count;
      for (int64_t o = 0; o < out; o++) {
        for (int64_t t = 0; t < count; t++)
          target[o * count + t] = source[o * in * kernel + index[t]];
      }
    }
  });
}

template <class T>
void pointwise(const ConvShape& s, const T* x, const T* w, bool transpose, const T* bias, T* y) {
  const int64_t in = s.in_channels / s.groups, out = s.out_channels / s.groups;
  const int64_t m = transpose ? in : out, k = transpose ? out : in, n = volume(s.in);
  for (int64_t g = 0; g < s.groups; g++) {
    gemm(Gemm<T>{.m = m,
                 .n = n,
                 .k = k,
                 .a = w + g * out * in,
                 .a_rs = transpose ? 1 : in,
                 .a_cs = transpose ? in : 1,
                 .b = x + g * k * n,
                 .b_rs = n,
                 .c = y + g * m * n,
                 .c_rs = n,
                 .batch = s.batch,
                 .b_bs = s.groups * k * n,
                 .c_bs = s.groups * m * n,
                 .bias_row = bias ? bias + g * m : nullptr});
  }
}

}  // namespace

void ConvShape::set_out() {
  for (int d = 0; d < 3; d++) {
    const int64_t room = in[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
    out[d] = room < 0 ? 0 : room / stride[d] + 1;
  }
}

template <class T>
void conv_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  if (is_pointwise(s) && volume(s.in) >= kPointwisePositions) {
    return pointwise(s, x, w, false, bias, y);
  }
  TapConv<T> c{.batch = s.batch,
               .groups = s.groups,
               .in_channels = s.in_channels / s.groups,
               .out_channels = s.out_channels / s.groups,
               .in = s.in,
               .out = s.out,
               .stride = s.stride,
               .input = x,
               .weight = w,
               .bias = bias,
               .output = y,
               .position_stride = {s.out[1] * s.out[2], s.out[2], 1},
               .channel_stride = volume(s.out),
               .image_stride = s.out_channels * volume(s.out)};
  for (int d = 0; d < 3; d++) {
    for (int64_t k = 0; k < s.kernel[d]; k++) c.taps[d].push_back(k * s.dilation[d] - s.padding[d]);
  }
  run_tap_conv(c);
}

template <class T>
void conv_backward_data(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx) {
  if (is_pointwise(s) && volume(s.in) >= kPointwisePositions) {
    return pointwise(s, dy, w, true, bias, dx);
  }
  const CallMemory<T> weight(s.in_channels * (s.out_channels / s.groups) * volume(s.kernel));
  Spatial r;
  for (r[0] = 0; r[0] < std::min(s.stride[0], s.in[0]); r[0]++) {
    for (r[1] = 0; r[1] < std::min(s.stride[1], s.in[1]); r[1]++) {
      for (r[2] = 0; r[2] < std::min(s.stride[2], s.in[2]); r[2]++) {
        const ReachingTaps taps[3] = {reaching_taps(s, 0, r[0]), reaching_taps(s, 1, r[1]),
                                      reaching_taps(s, 2, r[2])};
        TapConv<T> c{.batch = s.batch,
                     .groups = s.groups,
                     .in_channels = s.out_channels / s.groups,
                     .out_channels = s.in_channels / s.groups,
                     .in = s.out,
                     .stride = {1, 1, 1},
                     .input = dy,
                     .weight = weight.get(),
                     .bias = bias,
                     .output = dx,
                     .channel_stride = volume(s.in),
                     .image_stride = s.in_channels * volume(s.in)};
        const Spatial row{s.in[1] * s.in[2], s.in[2], 1};
        for (int d = 0; d < 3; d++) {
          c.out[d] = ceil_div(s.in[d] - r[d], s.stride[d]);
          c.position_stride[d] = s.stride[d] * row[d];
          c.output += r[d] * row[d];
          c.taps[d] = taps[d].tap;
        }
        exchange_channels(s, taps, w, weight.get());
        run_tap_conv(c);
      }
    }
  }
}

template void conv_forward(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_forward(const ConvShape&, const double*, const double*, const double*, double*);
template void conv_backward_data(const ConvShape&, const float*, const float*, const float*,
                                 float*);
template void conv_backward_data(const ConvShape&, const double*, const double*, const double*,
                                 double*);

}  // namespace gotorch::kernels
