// Recurrent layers step by step, composed of recorded ops: for gradients of gradients, and for what is rare.
#include "tensor/ops.h"
#include "tensor/ops/recurrent.h"

namespace gotorch::ops {
namespace {

using kernels::Cell;
using Call = RecurrentCall;

// The state with the rows of the first sequences replaced.
Tensor with_first(const Tensor& state, const Tensor& rows) {
  const int64_t n = rows.size(0), all = state.size(0);
  if (n == all) return rows;
  return cat(Tensors{rows, narrow(state, 0, n, all - n)}, 0);
}

struct Gradients {
  Tensor input, state;  // of the sums of the input and of those of the state
  Tensor h, c;          // of the states before, as far as they do not go through the sums
};

Gradients step_gradient(Cell cell, const CellStep& s, const Tensor& gh, const Tensor& gc) {
  const auto slope = [](const Tensor& sigmoid) { return sigmoid * (1 - sigmoid); };
  const auto of_tanh = [](const Tensor& y) { return 1 - y * y; };
  if (cell == Cell::Tanh || cell == Cell::Relu) {
    const Tensor g = cell == Cell::Tanh ? gh * of_tanh(s.next_h) : where(s.next_h <= 0, 0, gh);
    return {g, g, zeros_like(gh), {}};
  }
  const auto& gate = s.gates;
  if (cell == Cell::Lstm) {
    const Tensor dc = gc + gh * gate[3] * of_tanh(s.kept);
    const Tensors parts{dc * gate[2] * slope(gate[0]), dc * s.c * slope(gate[1]),
                        dc * gate[0] * of_tanh(gate[2]), gh * s.kept * slope(gate[3])};
    const Tensor g = cat(parts, 1);
    return {g, g, zeros_like(gh), dc * gate[1]};
  }
  const Tensor fresh = gh * (1 - gate[1]) * of_tanh(gate[2]);
  const Tensor update = gh * (s.h - gate[2]) * slope(gate[1]);
  const Tensor reset = fresh * s.kept * slope(gate[0]);
  return {cat(Tensors{reset, update, fresh}, 1),
          cat(Tensors{reset, update, fresh * gate[0]}, 1),
          gh * gate[1],
          {}};
}

// The first rows of the steps in the order of time.
std::vector<int64_t> rows_in_time(const StepLayout& at) {
  std::vector<int64_t> row(at.count.size(), 0);
  for (size_t t = 1; t < row.size(); t++) row[t] = row[t - 1] + at.count[t - 1];
  return row;
}

}  // namespace

Tensor StepLayout::in_time(const Tensor& x) const {
  if (packed) return x;
  return reshape(batch_first ? transpose(x, 0, 1) : x, DimVector{rows, x.size(-1)});
}

Tensor StepLayout::as_input(const Tensor& x) const {
  if (packed) return x;
  const Tensor y = reshape(x, DimVector{steps, batch, x.size(-1)});
  return batch_first ? transpose(y, 0, 1) : y;
}

CellStep cell_step(Cell cell, const Tensor& from_input, const Tensor& from_state, const Tensor& h,
                   const Tensor& c) {
  CellStep s{.h = h, .c = c};
  if (cell == Cell::Tanh || cell == Cell::Relu) {
    const Tensor sum = from_input + from_state;
    s.next_h = cell == Cell::Tanh ? tanh(sum) : relu(sum);
    return s;
  }
  if (cell == Cell::Lstm) {
    const Tensors sums = chunk.all(from_input + from_state, 4, -1);
    s.gates = {sigmoid(sums[0]), sigmoid(sums[1]), tanh(sums[2]), sigmoid(sums[3])};
    s.next_c = s.gates[1] * c + s.gates[0] * s.gates[2];
    s.kept = tanh(s.next_c);
    s.next_h = s.gates[3] * s.kept;
    return s;
  }
  const Tensors x = chunk.all(from_input, 3, -1), y = chunk.all(from_state, 3, -1);
  const Tensor reset = sigmoid(x[0] + y[0]), update = sigmoid(x[1] + y[1]);
  const Tensor fresh = tanh(x[2] + reset * y[2]);
  s.gates = {reset, update, fresh};
  s.kept = y[2];
  s.next_h = fresh + update * (h - fresh);
  return s;
}

Tensors composed_recurrent_gradient(const Call& call, const Args& a, const Tensor& gy,
                                    const Tensor& ghn, const Tensor& gcn) {
  const bool lstm = call.cell == Cell::Lstm;
  const StepLayout& at = call.at;
  const Tensor x = at.in_time(a[Call::kInput]), gy_rows = at.in_time(gy);
  const Tensor sums = linear(x, a[Call::kWih], a.tensor_or(Call::kBih));
  Tensor h = a[Call::kH0], c = a.tensor_or(Call::kC0);
  const std::vector<int64_t> row = rows_in_time(at);
  const size_t steps = row.size();
  std::vector<CellStep> step(steps);
  for (size_t i = 0; i < steps; i++) {
    const size_t t = call.reverse ? steps - 1 - i : i;
    const int64_t n = at.count[t];
    const Tensor hn = narrow(h, 0, 0, n), cn = lstm ? narrow(c, 0, 0, n) : Tensor();
    step[t] = cell_step(call.cell, narrow(sums, 0, row[t], n),
                        linear(hn, a[Call::kWhh], a.tensor_or(Call::kBhh)), hn, cn);
    h = with_first(h, step[t].next_h);
    if (lstm) c = with_first(c, step[t].next_c);
  }
  Tensor gh = ghn, gc = gcn;
  std::vector<Tensor> g_input(steps), g_state(steps), before(steps);
  for (size_t i = 0; i < steps; i++) {
    const size_t t = call.reverse ? i : steps - 1 - i;
    const int64_t n = at.count[t];
    const Tensor dy = narrow(gh, 0, 0, n) + narrow(gy_rows, 0, row[t], n);
    const Gradients g =
        step_gradient(call.cell, step[t], dy, lstm ? narrow(gc, 0, 0, n) : Tensor());
    gh = with_first(gh, g.h + matmul(g.state, a[Call::kWhh]));
    if (lstm) gc = with_first(gc, g.c);
    g_input[t] = g.input, g_state[t] = g.state, before[t] = step[t].h;
  }
  const Tensor gi = cat(g_input, 0), gs = cat(g_state, 0);
  return {at.as_input(matmul(gi, a[Call::kWih])), gh,         gc,        matmul(t(gi), x),
          matmul(t(gs), cat(before, 0)),          sum(gi, 0), sum(gs, 0)};
}

Tensors projected_lstm(const StepLayout& at, bool reverse, const Tensor& x, const Tensor& h0,
                       const Tensor& c0, const LayerWeights& w) {
  const Tensor sums = linear(at.in_time(x), w.w_ih, w.b_ih);
  const std::vector<int64_t> row = rows_in_time(at);
  const size_t steps = row.size();
  std::vector<Tensor> y(steps);
  Tensor h = h0, c = c0;
  for (size_t i = 0; i < steps; i++) {
    const size_t t = reverse ? steps - 1 - i : i;
    const int64_t n = at.count[t];
    const Tensor hn = narrow(h, 0, 0, n);
    const CellStep step = cell_step(Cell::Lstm, narrow(sums, 0, row[t], n),
                                    linear(hn, w.w_hh, w.b_hh), hn, narrow(c, 0, 0, n));
    y[t] = linear(step.next_h, w.w_hr);
    h = with_first(h, y[t]);
    c = with_first(c, step.next_c);
  }
  return {at.as_input(cat(y, 0)), h, c};
}

}  // namespace gotorch::ops
