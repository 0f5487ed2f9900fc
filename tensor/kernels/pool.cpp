// Which inputs the outputs of a pooling look at.
#include "tensor/kernels/pool.h"

#include <algorithm>

namespace gotorch::kernels {
namespace {

// From the first of the windows with the most inputs.
PoolRun run_of(const Buffer<PoolWindow>& windows) {
  const auto n = static_cast<int64_t>(windows.size());
  const PoolWindow* w = windows.data();
  const int64_t first =
      std::max_element(w, w + n, [](auto& a, auto& b) { return a.count < b.count; }) - w;
  PoolRun run{first, std::min(first + 1, n), 1};
  if (first + 1 < n) run.stride = w[first + 1].begin - w[first].begin;
  const auto follows = [&](const PoolWindow& b, const PoolWindow& a) {
    return b.begin - a.begin == run.stride && b.step == a.step && b.count == a.count &&
           b.divisor == a.divisor;
  };
  while (run.last < n && follows(w[run.last], w[run.last - 1])) run.last++;
  return run;
}

}  // namespace

void PoolShape::set_out(bool ceil_mode) {
  for (int d = 0; d < 3; d++) {
    const int64_t room = in[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
    const int64_t extra = ceil_mode ? stride[d] - 1 : 0;
    out[d] = room + extra < 0 ? 0 : (room + extra) / stride[d] + 1;
    if (ceil_mode && (out[d] - 1) * stride[d] >= in[d] + padding[d]) out[d]--;
  }
}

PoolWindows max_windows(const PoolShape& s) {
  PoolWindows w{s.in, s.out, {}, {}};
  for (int d = 0; d < 3; d++) {
    w.window[d].reserve(static_cast<size_t>(s.out[d]));
    for (int64_t i = 0; i < s.out[d]; i++) {
      const int64_t start = i * s.stride[d] - s.padding[d], step = s.dilation[d];
      const int64_t skip = start < 0 ? (step - 1 - start) / step : 0;
      const int64_t begin = start + skip * step;
      const int64_t fit = begin < s.in[d] ? (s.in[d] - 1 - begin) / step + 1 : 0;
      const int64_t count = std::clamp<int64_t>(s.kernel[d] - skip, 0, fit);
      w.window[d].push_back({begin, step, count, count});
    }
  }
  w.run = run_of(w.window[2]);
  return w;
}

PoolWindows average_windows(const PoolShape& s, bool count_include_pad) {
  PoolWindows w{s.in, s.out, {}, {}};
  for (int d = 0; d < 3; d++) {
    w.window[d].reserve(static_cast<size_t>(s.out[d]));
    for (int64_t i = 0; i < s.out[d]; i++) {
      const int64_t start = i * s.stride[d] - s.padding[d];
      const int64_t end = std::min(start + s.kernel[d], s.in[d] + s.padding[d]);
      const int64_t begin = std::max<int64_t>(start, 0);
      const int64_t count = std::max<int64_t>(0, std::min(end, s.in[d]) - begin);
      w.window[d].push_back({begin, 1, count, count_include_pad ? end - start : count});
    }
  }
  w.run = run_of(w.window[2]);
  return w;
}

PoolWindows adaptive_windows(const Spatial& in, const Spatial& out) {
  PoolWindows w{in, out, {}, {}};
  for (int d = 0; d < 3; d++) {
    w.window[d].reserve(static_cast<size_t>(out[d]));
    for (int64_t i = 0; i < out[d]; i++) {
      const int64_t begin = i * in[d] / out[d], end = ((i + 1) * in[d] + out[d] - 1) / out[d];
      w.window[d].push_back({begin, 1, end - begin, end - begin});
    }
  }
  w.run = run_of(w.window[2]);
  return w;
}

}  // namespace gotorch::kernels
