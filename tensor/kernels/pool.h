#pragma once
// Pooling over up to three spatial dimensions, forward and backward. x is [planes][in] and y is
// [planes][out], contiguous; planes are batch times channels. 1-d and 2-d shapes leave the leading
// spatial dimensions at 1.
//
//   PoolShape s{.in = {1, 28, 28}, .kernel = {1, 2, 2}, .stride = {1, 2, 2}};
//   s.set_out(/*ceil_mode=*/false);
//   max_pool(planes, max_windows(s), x, y, index);
//
// Thread-safe. All work is cut by shape, so the bits are the same for any number of workers.

#include "tensor/buffer.h"
#include "tensor/kernels/bad_index.h"
#include "tensor/kernels/conv.h"

namespace gotorch::kernels {

struct PoolShape {
  Spatial in{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1};
  Spatial out{1, 1, 1};
  // With ceil_mode the last window may reach over the right border, but must start before the
  // right padding does.
  void set_out(bool ceil_mode);
};

// Where each output looks, in one dimension: begin, begin + step, ... `count` inputs, all of them
// inside; and how many inputs an average divides by.
struct PoolWindow {
  int64_t begin, step, count, divisor;
};
// Outputs [first, last) of one dimension whose windows are alike, `stride` inputs apart: all but those at the borders, or
// few, if windows differ in size.
struct PoolRun {
  int64_t first = 0, last = 0, stride = 1;
};
struct PoolWindows {
  Spatial in, out;
  Buffer<PoolWindow> window[3];
  PoolRun run;  // of the last dimension
};

PoolWindows max_windows(const PoolShape& s);
// Divisors count the padding, but not what ceil_mode adds beyond it, or only inputs.
PoolWindows average_windows(const PoolShape& s, bool count_include_pad);
// Output i of n looks at inputs floor(i * in / n) to ceil((i + 1) * in / n).
PoolWindows adaptive_windows(const Spatial& in, const Spatial& out);

// The largest input of each window and its position in the plane. Of equal inputs it is the first;
// a NaN is larger than anything, and of several it is the last. A window without inputs gives minus
// infinity and position 0.
template <class T>
void max_pool(int64_t planes, const PoolWindows& w, const T* x, T* y, int64_t* index);

// The same without positions.
template <class T>
void max_pool_values(int64_t planes, const PoolWindows& w, const T* x, T* y);

// dx = 0, then dx[index] += dy, on planes of `in` and `out` elements. dx is of no use if an index is bad.
template <class T>
[[nodiscard]] std::optional<BadIndex> max_pool_backward(int64_t planes, int64_t in, int64_t out,
                                                        const T* dy, const int64_t* index, T* dx);

// The sum of each window over `divisor`, or over the product of its divisors if that is 0. A window
// without inputs gives 0.
template <class T>
void average_pool(int64_t planes, const PoolWindows& w, int64_t divisor, const T* x, T* y);
template <class T>
void average_pool_backward(int64_t planes, const PoolWindows& w, int64_t divisor, const T* dy,
                           T* dx);

}  // namespace gotorch::kernels
