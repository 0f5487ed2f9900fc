#include "tensor/kernels/ctc.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/kernels/axis.h"

namespace gotorch::kernels {
namespace {

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

template <class T>
T log_sum(T a, T b, T c = kNever<T>) {
  const T m = std::max({a, b, c});
  return m == kNever<T> ? m : std::log(std::exp(a - m) + std::exp(b - m) + std::exp(c - m)) + m;
}

// One sequence: its labels with blanks around each, 2 * labels + 1 places.
template <class T>
struct Sequence {
  const Ctc<T>& p;
  int64_t b, places, steps;
  Sequence(const Ctc<T>& p, int64_t b)
      : p(p), b(b), places(2 * p.label_count[b] + 1), steps(p.step_count[b]) {}
  int64_t label(int64_t s) const { return s % 2 == 0 ? p.blank : p.label[p.label_begin[b] + s / 2]; }
  const T* probs(int64_t t) const { return p.log_probs + (t * p.batch + b) * p.classes; }
  // Whether place s may follow s - 2 at once: not a blank, which may not be left out between equal labels.
  bool skips(int64_t s) const { return s >= 2 && label(s) != label(s - 2); }
};

template <class T>
T forward(const Sequence<T>& q, T* alpha) {
  const int64_t w = q.p.width;
  std::fill_n(alpha, q.p.steps * w, kNever<T>);
  if (q.steps == 0) return q.places == 1 ? T(0) : -kNever<T>;
  for (int64_t s = 0; s < std::min<int64_t>(q.places, 2); s++) alpha[s] = q.probs(0)[q.label(s)];
  for (int64_t t = 1; t < q.steps; t++) {
    const T *before = alpha + (t - 1) * w, *probs = q.probs(t);
    for (int64_t s = 0; s < q.places; s++)
      alpha[t * w + s] = log_sum(before[s], s > 0 ? before[s - 1] : kNever<T>,
                                 q.skips(s) ? before[s - 2] : kNever<T>) +
                         probs[q.label(s)];
  }
  const T* last = alpha + (q.steps - 1) * w + q.places - 1;
  return -log_sum(*last, q.places > 1 ? last[-1] : kNever<T>);
}

// sum[label] = log of the probability that goes through it at one step, times that of the label at that step.
template <class T>
void backward(const Sequence<T>& q, T loss, const T* alpha, T g, T* gx) {
  const int64_t w = q.p.width, stride = q.p.batch * q.p.classes;
  Buffer<T> beta(q.places), after(q.places), sum(q.p.classes);
  for (int64_t t = q.steps - 1; t >= 0; t--) {
    const T* probs = q.probs(t);
    std::fill(sum.begin(), sum.end(), kNever<T>);
    for (int64_t s = 0; s < q.places; s++) {
      T rest;
      if (t == q.steps - 1) rest = s + 2 >= q.places ? T(0) : kNever<T>;
      else
        rest = log_sum(after[s], s + 1 < q.places ? after[s + 1] : kNever<T>,
                       s + 2 < q.places && q.skips(s + 2) ? after[s + 2] : kNever<T>);
      beta[s] = rest + probs[q.label(s)];
      T& total = sum[q.label(s)];
      total = log_sum(total, alpha[t * w + s] + beta[s]);
    }
    T* to = gx + t * stride;
    for (int64_t c = 0; c < q.p.classes; c++)
      to[c] = (std::exp(probs[c]) - std::exp(sum[c] + loss - probs[c])) * g;
    beta.swap(after);
  }
}

int64_t grain(int64_t steps, int64_t width) { return grain_of(steps * width * 16); }

}  // namespace

template <class T>
void ctc_loss(const Ctc<T>& p, T* loss, T* alpha) {
  runtime::parallel_for(p.batch, grain(p.steps, p.width), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++)
      loss[b] = forward(Sequence<T>(p, b), alpha + b * p.steps * p.width);
  });
}

template <class T>
void ctc_loss_backward(const Ctc<T>& p, const T* loss, const T* alpha, const T* g, bool zero_infinity,
                       T* gx) {
  std::fill_n(gx, p.steps * p.batch * p.classes, T(0));
  runtime::parallel_for(p.batch, grain(p.steps, p.width), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++)
      if (!zero_infinity || loss[b] != -kNever<T>)
        backward(Sequence<T>(p, b), loss[b], alpha + b * p.steps * p.width, g[b],
                 gx + b * p.classes);
  });
}

#define GOTORCH_INSTANTIATE(T)                         \
  template void ctc_loss(const Ctc<T>&, T*, T*);       \
  template void ctc_loss_backward(const Ctc<T>&, const T*, const T*, const T*, bool, T*);
GOTORCH_INSTANTIATE(float)
GOTORCH_INSTANTIATE(double)

}  // namespace gotorch::kernels
