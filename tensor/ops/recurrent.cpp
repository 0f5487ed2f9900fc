// RNN, LSTM and GRU of several layers, and single cells.
#include "tensor/ops/recurrent.h"

#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

using kernels::Cell;

constexpr const char* kCellNames[] = {"rnn_tanh", "rnn_relu", "lstm", "gru"};

struct Stack {
  Cell cell;
  Tensor input;
  Value batch_sizes;  // of a packed input, else None
  Tensor h0, c0;      // [layers * directions, batch, hidden]
  std::span<const Tensor> params;
  bool has_biases;
  int64_t layers;
  double dropout;
  bool train;
  int64_t directions;
  bool batch_first;
};

// A projection shows in the sizes of h0 and c0.
bool is_projected(const Stack& s) { return s.cell == Cell::Lstm && s.h0.size(2) != s.c0.size(2); }

void check_stack(const Stack& s) {
  check(s.layers > 0 && s.layers <= INT32_MAX, "expected num_layers to be positive, got ",
        s.layers);
  check<ValueError>(s.dropout >= 0 && s.dropout <= 1,
                    "dropout probability has to be between 0 and 1, but got ", s.dropout);
  for (const Tensor& t : {s.h0, s.c0})
    check(!t.defined() || (t.dim() == 3 && t.size(0) >= s.layers * s.directions),
          "expected a hidden state of shape [", s.layers * s.directions,
          ", batch, hidden_size], got ", t.defined() ? t.shape() : Dims());
  const auto each = static_cast<size_t>((s.has_biases ? 4 : 2) + is_projected(s));
  const auto wanted = static_cast<size_t>(s.layers * s.directions) * each;
  check(s.params.size() == wanted, "got an incorrect number of RNN parameters: ", s.params.size(),
        ", expected ", wanted);
}

LayerWeights weights_of(const Stack& s, int64_t layer) {
  const auto each = static_cast<size_t>((s.has_biases ? 4 : 2) + is_projected(s));
  const auto p = s.params.subspan(static_cast<size_t>(layer) * each, each);
  LayerWeights w{.w_ih = p[0], .w_hh = p[1]};
  if (s.has_biases) w.b_ih = p[2], w.b_hh = p[3];
  if (is_projected(s)) w.w_hr = p.back();
  return w;
}

// y, hn and cn of one layer in one direction.
Tensors run_direction(const Stack& s, const Tensor& x, bool batch_first, int64_t layer,
                      bool reverse) {
  const LayerWeights w = weights_of(s, layer);
  const Tensor h0 = select(s.h0, 0, layer);
  const Tensor c0 = s.c0.defined() ? select(s.c0, 0, layer) : Tensor();
  if (w.w_hr.defined())
    return projected_lstm(StepLayout(x, batch_first, s.batch_sizes), reverse, x, h0, c0, w);
  return recurrent_layer.all(x, h0, c0, w.w_ih, w.w_hh, w.b_ih, w.b_hh,
                             kCellNames[static_cast<int>(s.cell)], reverse, batch_first,
                             s.batch_sizes);
}

Tensors run_stack(const Stack& s) {
  check_stack(s);
  const bool drop = s.train && s.dropout > 0 && s.layers > 1;
  // Dropout draws its numbers in the order of time.
  const bool swap = drop && s.batch_first;
  const bool batch_first = s.batch_first && !swap;
  Tensor x = swap ? contiguous(transpose(s.input, 0, 1)) : s.input;
  std::vector<Tensor> hn, cn;
  for (int64_t layer = 0; layer < s.layers; layer++) {
    std::vector<Tensor> y;
    for (int64_t d = 0; d < s.directions; d++) {
      const Tensors r = run_direction(s, x, batch_first, layer * s.directions + d, d == 1);
      y.push_back(r[0]);
      hn.push_back(r[1]);
      cn.push_back(r[2]);
    }
    x = s.directions == 1 ? y[0] : cat(y, -1);
    if (drop && layer + 1 < s.layers) x = dropout(x, s.dropout, true);
  }
  if (swap) x = transpose(x, 0, 1);
  Tensors out{x, stack(hn, 0)};
  if (s.cell == Cell::Lstm) out.push_back(stack(cn, 0));
  return out;
}

// From the arguments of the two forms: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
// batch_first) and (data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional).
template <Cell cell, bool packed_form>
Tensors stack_of(const Args& a) {
  constexpr size_t first = packed_form ? 2 : 1;
  Tensor h0, c0;
  if constexpr (cell == Cell::Lstm) {
    check(a.tensors(first).size() == 2, "lstm expects two hidden states");
    h0 = a.tensors(first)[0], c0 = a.tensors(first)[1];
    check(h0.dim() == 3 && c0.dim() == 3,
          "lstm: expected hidden states of 3 dimensions, got shapes ", h0.shape(), " and ",
          c0.shape());
  } else {
    h0 = a[first];
  }
  DimVector sizes;
  if constexpr (packed_form) {
    const Tensor given = packed(a[1], Dtype::Int64);
    check(given.dim() == 1, "expected batch_sizes of one dimension, got shape ", given.shape());
    sizes = DimVector(Dims(given.template data<int64_t>(), static_cast<size_t>(given.numel())));
  }
  return run_stack({.cell = cell,
                    .input = a[0],
                    .batch_sizes = packed_form ? Value(sizes) : Value(),
                    .h0 = h0,
                    .c0 = c0,
                    .params = a.tensors(first + 1),
                    .has_biases = a.flag(first + 2),
                    .layers = a.integer(first + 3),
                    .dropout = a.number(first + 4),
                    .train = a.flag(first + 5),
                    .directions = a.flag(first + 6) ? 2 : 1,
                    .batch_first = packed_form ? false : a.flag(first + 7)});
}

// One step of a cell: (input, hx, w_ih, w_hh, b_ih, b_hh).
CellStep run_cell(Cell cell, const Args& a, const Tensor& h, const Tensor& c) {
  const Tensor &x = a[0], &w_ih = a[2], &w_hh = a[3];
  check(x.dim() == 2 && w_ih.dim() == 2 && w_hh.dim() == 2,
        "expected an input and weights of two dimensions, got shapes ", x.shape(), ", ",
        w_ih.shape(), " and ", w_hh.shape());
  check(x.size(1) == w_ih.size(1), "input has inconsistent input_size: got ", x.size(1),
        " expected ", w_ih.size(1));
  const int64_t hidden = w_hh.size(1), gates = kernels::gates_of(cell) * hidden;
  for (const Tensor& w : {w_ih, w_hh})
    check(w.size(0) == gates, "expected weights of ", gates, " rows, got shape ", w.shape());
  int place = 0;
  for (const Tensor& state : {h, c}) {
    if (!state.defined()) continue;
    check(state.dim() == 2 && state.size(0) == x.size(0), "Input batch size ", x.size(0),
          " doesn't match hidden", place, " batch size ", state.dim() ? state.size(0) : 0);
    check(state.size(1) == hidden, "hidden", place, " has inconsistent hidden_size: got ",
          state.size(1), ", expected ", hidden);
    place++;
  }
  return cell_step(cell, linear(x, w_ih, a.tensor_or(4)), linear(h, w_hh, a.tensor_or(5)), h, c);
}

// Samples of both forms with two layers of one direction and one of two, 5 wide.
std::vector<SampleArg> sample_params(int64_t gates, bool biases, bool both_ways) {
  std::vector<SampleArg> out;
  for (int64_t i = 0; i < 2; i++) {
    out.push_back(in(-1, 1, {gates * 5, i == 0 || both_ways ? 4 : 5}));
    out.push_back(in(-1, 1, {gates * 5, 5}));
    for (int j = 0; j < (biases ? 2 : 0); j++) out.push_back(in(-1, 1, {gates * 5}));
  }
  return out;
}
std::vector<Sample> input_samples(int64_t gates, SampleArg hx) {
  return {{in(-1, 1, {3, 2, 4}), hx, tensors(sample_params(gates, true, false)), true, 2, 0.0,
           false, false, false},
          {in(-1, 1, {2, 3, 4}), hx, tensors(sample_params(gates, false, true)), false, 1, 0.0,
           true, true, true}};
}
std::vector<Sample> data_samples(int64_t gates, SampleArg hx) {
  return {{in(-1, 1, {2, 4}), indices(2, 3, {1}), hx, tensors(sample_params(gates, true, true)),
           true, 1, 0.0, false, true}};
}
SampleArg one_state() { return in(-1, 1, {2, 2, 5}); }
SampleArg two_states() { return tensors({one_state(), one_state()}); }

std::vector<Sample> cell_samples(int64_t gates, SampleArg hx) {
  return {{in(-1, 1, {3, 4}), hx, in(-1, 1, {gates * 5, 4}), in(-1, 1, {gates * 5, 5}),
           in(-1, 1, {gates * 5}), in(-1, 1, {gates * 5})},
          {in(-1, 1, {3, 4}), hx, in(-1, 1, {gates * 5, 4}), in(-1, 1, {gates * 5, 5})}};
}
std::vector<ErrorSample> cell_errors(int64_t gates, SampleArg hx) {
  return {{{in(-1, 1, {3, 6}), hx, in(-1, 1, {gates * 5, 4}), in(-1, 1, {gates * 5, 5})},
           "input has inconsistent input_size: got 6 expected 4"},
          {{in(-1, 1, {2, 4}), hx, in(-1, 1, {gates * 5, 4}), in(-1, 1, {gates * 5, 5})},
           "Input batch size 2 doesn't match hidden0 batch size 3"}};
}
SampleArg cell_state() { return in(-1, 1, {3, 5}); }

}  // namespace

const Op lstm_input{{
    .sig = "lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int "
           "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> "
           "(Tensor, Tensor, Tensor)",
    .doc = "LSTM over [t, b, in], or [b, t, in] with batch_first: y, h and c. params: w_ih, w_hh, "
           "b_ih and b_hh of each layer and direction.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Lstm, false>(a); }),
    .samples = input_samples(4, two_states()),
    .errors = {{{in(-1, 1, {3, 2, 4}), tensors({one_state()}),
                 tensors(sample_params(4, true, false)), true, 2, 0.0, false, false, false},
                "lstm expects two hidden states"}},
    .ulp = 32,
}};

const Op lstm_data{{
    .sig = "lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, Tensor[] params, bool "
           "has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> "
           "(Tensor, Tensor, Tensor)",
    .doc = "LSTM over packed sequences.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Lstm, true>(a); }),
    .samples = data_samples(4, two_states()),
    .ulp = 32,
    .untested = "threads: enlarged shapes do not fit together; test_recurrent.py",
}};

const Op gru_input{{
    .sig = "gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, "
           "float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
    .doc = "GRU over [t, b, in], or [b, t, in] with batch_first: y and h.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Gru, false>(a); }),
    .samples = input_samples(3, one_state()),
    .ulp = 32,
}};

const Op gru_data{{
    .sig = "gru.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool "
           "has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> "
           "(Tensor, Tensor)",
    .doc = "GRU over packed sequences.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Gru, true>(a); }),
    .samples = data_samples(3, one_state()),
    .ulp = 32,
}};

const Op rnn_tanh_input{{
    .sig = "rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int "
           "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> "
           "(Tensor, Tensor)",
    .doc = "RNN with tanh over [t, b, in], or [b, t, in] with batch_first: y and h.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Tanh, false>(a); }),
    .samples = input_samples(1, one_state()),
    .ulp = 32,
}};

const Op rnn_tanh_data{{
    .sig = "rnn_tanh.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool "
           "has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> "
           "(Tensor, Tensor)",
    .doc = "RNN with tanh over packed sequences.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Tanh, true>(a); }),
    .samples = data_samples(1, one_state()),
    .ulp = 32,
}};

const Op rnn_relu_input{{
    .sig = "rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int "
           "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> "
           "(Tensor, Tensor)",
    .doc = "RNN with ReLU over [t, b, in], or [b, t, in] with batch_first: y and h.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Relu, false>(a); }),
    .samples = input_samples(1, one_state()),
    .ulp = 32,
}};

const Op rnn_relu_data{{
    .sig = "rnn_relu.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool "
           "has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> "
           "(Tensor, Tensor)",
    .doc = "RNN with ReLU over packed sequences.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return stack_of<Cell::Relu, true>(a); }),
    .samples = data_samples(1, one_state()),
    .ulp = 32,
}};

const Op lstm_cell{{
    .sig = "lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
           "Tensor? b_hh=None) -> (Tensor, Tensor)",
    .doc = "One step of LSTM from hx = (h, c), each [b, hidden]: the next h and c.",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) {
      check(a.tensors(1).size() == 2, "lstm_cell expects two hidden states");
      const CellStep s = run_cell(Cell::Lstm, a, a.tensors(1)[0], a.tensors(1)[1]);
      return Tensors{s.next_h, s.next_c};
    }),
    .samples = cell_samples(4, tensors({cell_state(), cell_state()})),
    .errors = cell_errors(4, tensors({cell_state(), cell_state()})),
    .ulp = 16,
}};

const Op gru_cell{{
    .sig = "gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? "
           "b_hh=None) -> Tensor",
    .doc = "One step of GRU: the next state [b, hidden].",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return run_cell(Cell::Gru, a, a[1], {}).next_h; }),
    .samples = cell_samples(3, cell_state()),
    .errors = cell_errors(3, cell_state()),
    .ulp = 16,
}};

const Op rnn_tanh_cell{{
    .sig = "rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
           "Tensor? b_hh=None) -> Tensor",
    .doc = "tanh(input w_ih^T + b_ih + hx w_hh^T + b_hh).",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return run_cell(Cell::Tanh, a, a[1], {}).next_h; }),
    .samples = cell_samples(1, cell_state()),
    .errors = cell_errors(1, cell_state()),
    .ulp = 16,
}};

const Op rnn_relu_cell{{
    .sig = "rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
           "Tensor? b_hh=None) -> Tensor",
    .doc = "relu(input w_ih^T + b_ih + hx w_hh^T + b_hh).",
    .scope = Scope::Function,
    .kernel = compose([](auto& a) { return run_cell(Cell::Relu, a, a[1], {}).next_h; }),
    .samples = cell_samples(1, cell_state()),
    .errors = cell_errors(1, cell_state()),
    .ulp = 16,
}};

}  // namespace gotorch::ops
