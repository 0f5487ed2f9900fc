#pragma once
// One recurrent layer in one direction over whole sequences, forward and backward. T is float or double.
//
// The caller has multiplied the input of all steps by its weight; here each step adds the product of the state before
// it, and the gate math follows while the sums are in the cache. The recurrent weight is packed once for all steps.
// Either the sequences of the batch are shared out for the whole time, without a wait between steps, or where one step
// is work enough its hidden units are. Each element is summed in the order of k, so the bits are the same in all cuts.
//
// Rows: what belongs to sequence b at step t is row first[t] + b * stride of a [rows, ...] array. The sequences of a
// step are 0 ... count[t] - 1 and count never grows, so padded and packed batches of either layout are read as they are.
#include <cstdint>

namespace gotorch::kernels {

enum class Cell : uint8_t { Tanh, Relu, Lstm, Gru };

// In PyTorch's order: input, forget, cell, output; reset, update, new.
constexpr int64_t gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }
// What backward needs besides the gates: the cell and its tanh; the state's part of the new gate.
constexpr int64_t kept_of(Cell cell) { return cell == Cell::Lstm ? 2 : cell == Cell::Gru ? 1 : 0; }

struct Sequences {
  int64_t steps, batch, stride;
  const int64_t *first, *count;
  bool reverse;  // from the last step to the first
};

template <class T>
struct Recurrent {
  Cell cell;
  int64_t hidden;
  Sequences at;
  const T* weight;   // [gates * hidden, hidden]
  const T* bias;     // [gates * hidden] or null
  const T *h0, *c0;  // [batch, hidden]; c0 of LSTM only
};

// gates: in, the input's part of the sums [rows, gates * hidden]; out, the activated gates (of Tanh and Relu: unchanged).
// kept: [rows, kept * hidden]. y: [rows, hidden]. hn and, of LSTM, cn: [batch, hidden].
template <class T>
struct RecurrentOut {
  T *gates, *kept, *y, *hn, *cn;
};
template <class T>
void recurrent(const Recurrent<T>& p, const RecurrentOut<T>& out);

template <class T>
struct RecurrentBackward {
  const T *gates, *kept, *y;  // as forward left them
  const T *gy, *ghn, *gcn;    // incoming gradients
  T* g_gates;                 // [rows, gates * hidden]: of the sums, as the input sees them
  T* g_sums;     // the same as the state sees them: differs for Gru, else g_gates itself
  T* before;     // [rows, hidden]: the state before each step, for the gradient of the weight
  T *gh0, *gc0;  // [batch, hidden]
};
template <class T>
void recurrent_backward(const Recurrent<T>& p, const RecurrentBackward<T>& b);

}  // namespace gotorch::kernels
