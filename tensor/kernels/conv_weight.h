#pragma once
// Parts of the gradient of a convolution's weight.
#include "tensor/kernels/conv.h"
#include "tensor/kernels/gemm_plan.h"

namespace gotorch::kernels {

// Channels of x and of dy in one group.
struct WeightBlock {
  int64_t group;
  Range in, out;
};

// One channel of x and one of dy: sums[t * kDotLanes + l] += what the lanes l of all positions give to tap t. Position x of a row meets
// the inputs at offset[t] + x * stride; vectors may read kDotSlack times the stride behind the last.
template <class T>
struct RowDots {
  const T* input;
  int64_t input_step;  // from row to row
  const int64_t* offset;
  int64_t taps;
  const T* dy;
  int64_t width, stride;
};
template <class T>
inline constexpr int kDotLanes = 32 / sizeof(T);
inline constexpr int64_t kDotSlack = 16;
template <class T>
void depthwise_dots(const RowDots<T>& d, int64_t rows, T* sums);

// Kernels of 3 x 3 taps by fewer products, see winograd.h: what part part.begin of part.end of the tiles gives to a block of
// dw[(channel, tap)][out], whose rows are `ld` apart. Returns false if not all is finite: then infinite values may have become NaN.
bool suits_winograd(const ConvShape& s);
template <class T>
bool winograd_weight_task(const ConvShape& s, const T* x, const T* dy, const WeightBlock& block,
                          Range part, T* dw, int64_t ld);

}  // namespace gotorch::kernels
