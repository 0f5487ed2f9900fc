#pragma once
// Connectionist temporal classification (Graves et al. 2006): the probability of a sequence of labels under all ways to
// stretch it over more steps, with blanks between labels, and its gradient.
#include <cstdint>

namespace gotorch::kernels {

template <class T>
struct Ctc {
  const T* log_probs;  // [steps, batch, classes]
  int64_t steps, batch, classes, blank;
  const int64_t* label;         // the labels of all sequences
  const int64_t* label_begin;   // where those of each start; batch of them
  const int64_t* label_count;   // of each sequence
  const int64_t* step_count;    // of each sequence, at most `steps`
  int64_t width;                // 2 * the largest label_count + 1
};

// loss[b] = -log of the probability; alpha [batch, steps, width]: log of the probability of the first places up to each step.
template <class T>
void ctc_loss(const Ctc<T>& p, T* loss, T* alpha);
// gx as log_probs: g[b] times the gradient for inputs whose probabilities add up to 1. With `zero_infinity` none where
// the loss is infinite.
template <class T>
void ctc_loss_backward(const Ctc<T>& p, const T* loss, const T* alpha, const T* g, bool zero_infinity,
                       T* gx);

}  // namespace gotorch::kernels
