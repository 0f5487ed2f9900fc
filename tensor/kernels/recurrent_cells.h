#pragma once
// The gate math of recurrent layers: some hidden units of the sequences of one step.
#include <cstdint>

#include "tensor/kernels/recurrent.h"

namespace gotorch::kernels {

// Pointers are to the first unit of the first sequence, `_rs` says how far sequences are apart. `hidden` is how far the
// gates of a unit are apart in gates, kept and their gradients, `width` how far they are in sums.
template <class T>
struct CellForward {
  int64_t sequences, units, hidden, unit;
  const T* sums;  // [sequences, gates, width]: the products with the state
  int64_t width;
  T *gates, *kept, *y, *c;  // c: [batch, hidden], the cell state, updated in place
  int64_t gates_rs, kept_rs, y_rs;
  const T* const*
      before;  // the state before this step, of each sequence; its units start at `unit`
};

template <class T>
struct CellBackward {
  int64_t sequences, units, hidden, unit;
  const T* sums;  // [sequences, width]: the gradient of y that comes through the next step
  int64_t width;
  const T *gates, *kept, *y, *gy;
  int64_t gates_rs, kept_rs, y_rs;
  const T *const *before, *const *c_before;  // as in CellForward
  T *gh,
      *gc;  // [batch, hidden]: gradients of the states that do not go through sums, updated in place
  T *g_gates, *g_sums;  // gates_rs apart
};

template <class T>
void cell_forward(Cell cell, const CellForward<T>& b);
template <class T>
void cell_backward(Cell cell, const CellBackward<T>& b);

}  // namespace gotorch::kernels
