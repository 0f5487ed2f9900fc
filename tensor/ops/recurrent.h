#pragma once
// What the ops of recurrent layers share: a call of _recurrent_layer, read once, and single steps.
#include "tensor/buffer.h"
#include "tensor/kernels/recurrent.h"
#include "tensor/value.h"

namespace gotorch::ops {

// Where the steps of an input lie: [t, b, in], or [b, t, in] if batch_first, or packed [rows, in] with batch_sizes.
struct StepLayout {
  StepLayout(const Tensor& input, bool batch_first, const Value& batch_sizes);

  // Rows in the order of time, [rows, in], and back: what is a packed input's, or has the shape of an input.
  Tensor in_time(const Tensor& x) const;
  Tensor as_input(const Tensor& x) const;

  bool batch_first, packed;
  int64_t steps, batch, stride, rows;
  Buffer<int64_t> first, count;  // of each step, see kernels/recurrent.h
};

struct RecurrentCall {
  // Positions of the op's arguments.
  enum { kInput, kH0, kC0, kWih, kWhh, kBih, kBhh, kCell, kReverse, kBatchFirst, kBatchSizes };

  explicit RecurrentCall(const Args& a);  // checks them

  kernels::Cell cell;
  bool reverse;
  int64_t hidden;
  StepLayout at;
};

// The gradients of the first seven arguments, composed of ops that are recorded: for gradients of gradients.
Tensors composed_recurrent_gradient(const RecurrentCall& call, const Args& a, const Tensor& gy,
                                    const Tensor& ghn, const Tensor& gcn);

// One step of a cell by recorded ops, from the sums [n, gates * hidden] of input and of state.
struct CellStep {
  Tensor h, c;                   // before the step; c of LSTM only
  SmallVector<Tensor, 4> gates;  // activated
  Tensor kept, next_h, next_c;   // kept: the cell's tanh; the state's part of the new gate
};
CellStep cell_step(kernels::Cell cell, const Tensor& from_input, const Tensor& from_state,
                   const Tensor& h, const Tensor& c);

// The weights of one layer in one direction. w_hr, of LSTM, projects the state; it may be undefined, as biases may.
struct LayerWeights {
  Tensor w_ih, w_hh, b_ih, b_hh, w_hr;
};
// One layer of LSTM whose state is projected: y, hn and cn, step by step.
Tensors projected_lstm(const StepLayout& at, bool reverse, const Tensor& x, const Tensor& h0,
                       const Tensor& c0, const LayerWeights& w);

}  // namespace gotorch::ops
