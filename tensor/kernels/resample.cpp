#include "tensor/kernels/resample.h"

#include "runtime/parallel.h"
#include "tensor/simd/isa.h"

namespace gotorch::kernels {
namespace {

// Of output row i of one outer index. Rows of the input are `inner` long.
template <class T>
void mix_row(const Resample<T>& p, int64_t i, const T* __restrict x, T* __restrict y,
             int64_t inner) {
  const T* first = x + p.place[i] * inner;
  for (int64_t c = 0; c < inner; c++) y[c] = p.weight[i] * first[c];
  for (int64_t k = 1; k < p.taps; k++) {
    const T* row = x + p.place[k * p.out + i] * inner;
    const T w = p.weight[k * p.out + i];
    for (int64_t c = 0; c < inner; c++) y[c] += w * row[c];
  }
}

// The axis is the last one: neighbours of the result read all over a row.
template <class T>
void mix_elements(const Resample<T>& p, const T* __restrict x, T* __restrict y) {
  for (int64_t i = 0; i < p.out; i++) y[i] = p.weight[i] * x[p.place[i]];
  for (int64_t k = 1; k < p.taps; k++) {
    const T* w = p.weight + k * p.out;
    const int64_t* place = p.place + k * p.out;
    for (int64_t i = 0; i < p.out; i++) y[i] += w[i] * x[place[i]];
  }
}

template <class T>
void spread(const Resample<T>& p, const T* __restrict g, T* __restrict gx, int64_t n,
            int64_t inner) {
  std::fill_n(gx, n * inner, T(0));
  for (int64_t i = 0; i < p.out; i++)
    for (int64_t k = 0; k < p.taps; k++) {
      T* row = gx + p.place[k * p.out + i] * inner;
      const T w = p.weight[k * p.out + i];
      for (int64_t c = 0; c < inner; c++) row[c] += w * g[i * inner + c];
    }
}

}  // namespace

template <class T>
void resample(const Resample<T>& p, const T* x, T* y, Axis a) {
  static const auto row = best_variant<&mix_row<T>>();
  static const auto elements = best_variant<&mix_elements<T>>();
  if (a.inner == 1) {
    runtime::parallel_for(a.outer, grain_of(p.out * p.taps), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; o++) elements(p, x + o * a.n, y + o * p.out);
    });
    return;
  }
  runtime::parallel_for(a.outer * p.out, grain_of(a.inner * p.taps), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++)
      row(p, r % p.out, x + r / p.out * a.n * a.inner, y + r * a.inner, a.inner);
  });
}

template <class T>
void resample_backward(const Resample<T>& p, const T* g, T* gx, Axis a) {
  static const auto one = best_variant<&spread<T>>();
  const int64_t size = a.n * a.inner, grad_size = p.out * a.inner;
  runtime::parallel_for(a.outer, grain_of(grad_size * p.taps + size), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o++) one(p, g + o * grad_size, gx + o * size, a.n, a.inner);
  });
}

#define GOTORCH_INSTANTIATE(T)                                     \
  template void resample(const Resample<T>&, const T*, T*, Axis); \
  template void resample_backward(const Resample<T>&, const T*, T*, Axis);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
