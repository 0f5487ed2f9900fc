// One layer of RNN, LSTM or GRU in one direction, over whole sequences.
#include <algorithm>

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/expect.h"
#include "tensor/ops/recurrent.h"

namespace gotorch::ops {
namespace {

using kernels::Cell;
using Call = RecurrentCall;

Cell cell_named(std::string_view name) {
  if (name == "lstm") return Cell::Lstm;
  if (name == "gru") return Cell::Gru;
  check<ValueError>(name == "rnn_tanh" || name == "rnn_relu",
                    "expected cell to be lstm, gru, "
                    "rnn_tanh or rnn_relu, got ",
                    name);
  return name == "rnn_tanh" ? Cell::Tanh : Cell::Relu;
}

void expect_like(const char* name, const Tensor& t, Dims shape, Dtype dtype) {
  expect_dtype(name, t, dtype);
  expect_shape(name, t, shape);
}

// Bits of another dtype of the same size: what backward needs has no gradient.
Tensor as_bits(const Tensor& x) {
  const Dtype bits = x.dtype() == Dtype::Double ? Dtype::Int64 : Dtype::Int32;
  return make_view(x.storage(), bits, x.shape(), x.strides(), x.offset());
}
template <class T>
T* from_bits(const Tensor& x) {
  return x.numel() ? static_cast<T*>(x.raw()) : nullptr;
}
template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() && x.numel() ? x.data<T>() : nullptr;
}

// Contiguous arguments in the type of the computation.
struct Operands {
  Operands(const Args& a, Dtype compute) {
    for (size_t i = 0; i < 7; i++)
      if (a.given(i)) tensors[i] = packed(a[i], compute);
  }
  template <class T>
  kernels::Recurrent<T> problem(const Call& call) const {
    return {.cell = call.cell,
            .hidden = call.hidden,
            .at = {static_cast<int64_t>(call.at.count.size()), call.at.batch, call.at.stride,
                   call.at.first.data(), call.at.count.data(), call.reverse},
            .weight = data_or_null<T>(tensors[Call::kWhh]),
            .bias = data_or_null<T>(tensors[Call::kBhh]),
            .h0 = data_or_null<T>(tensors[Call::kH0]),
            .c0 = data_or_null<T>(tensors[Call::kC0])};
  }
  Tensor tensors[7];
};

template <class F>
void with_type(Dtype compute, F&& f) {
  if (compute == Dtype::Double) f.template operator()<double>();
  else f.template operator()<float>();
}

DimVector with_last(Dims shape, int64_t last) {
  DimVector out(shape);
  out.back() = last;
  return out;
}

Tensors layer_forward(const Args& a) {
  const Call call(a);
  const Unrecorded inside;
  const Dtype dtype = a[Call::kInput].dtype(), compute = compute_dtype(dtype);
  const Operands in(a, compute);
  const Tensor &x = in.tensors[Call::kInput], &h0 = in.tensors[Call::kH0];
  // A new tensor, which the kernel turns into the gates.
  const Tensor gates = linear(x, in.tensors[Call::kWih], in.tensors[Call::kBih]);
  const Tensor kept =
      gotorch::empty(with_last(x.shape(), kernels::kept_of(call.cell) * call.hidden), compute);
  const Tensor y = gotorch::empty(with_last(x.shape(), call.hidden), compute);
  const Tensor hn = gotorch::empty(h0.shape(), compute);
  const Tensor cn = gotorch::empty(call.cell == Cell::Lstm ? h0.shape() : DimVector{0}, compute);
  with_type(compute, [&]<class T>() {
    kernels::recurrent(
        in.problem<T>(call),
        kernels::RecurrentOut<T>{data_or_null<T>(gates), data_or_null<T>(kept), data_or_null<T>(y),
                                 data_or_null<T>(hn), data_or_null<T>(cn)});
  });
  return {as_dtype(y, dtype), as_dtype(hn, dtype), as_dtype(cn, dtype), as_bits(gates),
          as_bits(kept)};
}

Tensors layer_gradient(const GradArgs& s) {
  const Call call(s);
  const bool lstm = call.cell == Cell::Lstm;
  expect_shape("grad of y", s.g(0), with_last(s[0].shape(), call.hidden));
  expect_shape("grad of hn", s.g(1), s[Call::kH0].shape());
  if (lstm) expect_shape("grad of cn", s.g(2), s[Call::kH0].shape());
  if (grad_mode().enabled)
    return composed_recurrent_gradient(call, s, s.g(0), s.g(1), lstm ? s.g(2) : Tensor());
  const Dtype compute = compute_dtype(s[0].dtype());
  const Operands in(s, compute);
  const Tensor &x = in.tensors[Call::kInput], &h0 = in.tensors[Call::kH0];
  const Tensor y = packed(s.y(0), compute), gy = packed(s.g(0), compute);
  const Tensor ghn = packed(s.g(1), compute), gcn = lstm ? packed(s.g(2), compute) : Tensor();
  const int64_t gates = kernels::gates_of(call.cell) * call.hidden;
  const DimVector flat{call.at.rows, gates};
  const Tensor g_gates = gotorch::empty(flat, compute);
  const Tensor g_sums = call.cell == Cell::Gru ? gotorch::empty(flat, compute) : g_gates;
  const Tensor before = gotorch::empty(DimVector{call.at.rows, call.hidden}, compute);
  const Tensor gh0 = gotorch::empty(h0.shape(), compute);
  const Tensor gc0 = lstm ? gotorch::empty(h0.shape(), compute) : Tensor();
  with_type(compute, [&]<class T>() {
    kernels::recurrent_backward(
        in.problem<T>(call),
        kernels::RecurrentBackward<T>{from_bits<T>(s.y(3)), from_bits<T>(s.y(4)),
                                      data_or_null<T>(y), data_or_null<T>(gy), data_or_null<T>(ghn),
                                      data_or_null<T>(gcn), data_or_null<T>(g_gates),
                                      data_or_null<T>(g_sums), data_or_null<T>(before),
                                      data_or_null<T>(gh0), data_or_null<T>(gc0)});
  });
  Tensor gx, gw_ih, gw_hh, gb_ih, gb_hh;
  if (s.needs(Call::kInput)) gx = reshape(mm(g_gates, in.tensors[Call::kWih]), x.shape());
  if (s.needs(Call::kWih)) gw_ih = mm(t(g_gates), reshape(x, DimVector{call.at.rows, x.size(-1)}));
  if (s.needs(Call::kWhh)) gw_hh = mm(t(g_sums), before);
  if (s.needs(Call::kBih)) gb_ih = sum(g_gates, 0);
  if (s.needs(Call::kBhh)) gb_hh = g_sums.is(g_gates) && gb_ih.defined() ? gb_ih : sum(g_sums, 0);
  return {gx, gh0, gc0, gw_ih, gw_hh, gb_ih, gb_hh};
}

}  // namespace

StepLayout::StepLayout(const Tensor& x, bool by_batch, const Value& batch_sizes)
    : batch_first(by_batch), packed(!batch_sizes.is_none()) {
  check(x.dim() == (packed ? 2 : 3), "expected input of ", packed ? 2 : 3,
        " dimensions, got shape ", x.shape());
  rows = numel_of(x.shape().first(packed ? 1 : 2));
  if (!packed) {
    steps = x.size(batch_first ? 1 : 0), batch = x.size(batch_first ? 0 : 1);
    stride = batch_first ? steps : 1;
    // Without sequences one step says all, however many there are.
    const int64_t n = batch > 0 ? steps : std::min<int64_t>(steps, 1);
    count.assign(static_cast<size_t>(n), batch);
    first.resize(static_cast<size_t>(n));
    for (int64_t t = 0; t < n; t++) first[t] = batch_first ? t : t * batch;
  } else {
    const Dims sizes = batch_sizes.ints();
    steps = static_cast<int64_t>(sizes.size()), batch = steps ? sizes[0] : 0, stride = 1;
    int64_t row = 0;
    for (int64_t n : sizes) {
      check(n > 0 && n <= (count.empty() ? n : count.back()),
            "expected batch_sizes to be positive and not to grow, got ", sizes);
      check(n <= rows - row, "expected batch_sizes to sum up to ", rows, " rows of data, got ",
            sizes);
      first.push_back(row);
      count.push_back(n);
      row += n;
    }
    check(row == rows, "expected batch_sizes to sum up to ", rows, " rows of data, got ", sizes);
  }
  check(steps > 0, "Expected sequence length to be larger than 0 in RNN");
}

RecurrentCall::RecurrentCall(const Args& a)
    : cell(cell_named(a.str(kCell))),
      reverse(a.flag(kReverse)),
      at(a[kInput], a.flag(kBatchFirst), a.value(kBatchSizes)) {
  const Tensor &x = a[kInput], &w_hh = a[kWhh];
  const Dtype dtype = x.dtype();
  check(w_hh.dim() == 2, "expected w_hh to be a matrix, got shape ", w_hh.shape());
  hidden = w_hh.size(1);
  const int64_t gates = kernels::gates_of(cell) * hidden;
  expect_like("w_hh", w_hh, DimVector{gates, hidden}, dtype);
  expect_like("w_ih", a[kWih], DimVector{gates, x.size(-1)}, dtype);
  if (a.given(kBih)) expect_like("b_ih", a[kBih], DimVector{gates}, dtype);
  if (a.given(kBhh)) expect_like("b_hh", a[kBhh], DimVector{gates}, dtype);
  expect_like("h0", a[kH0], DimVector{at.batch, hidden}, dtype);
  check((cell == Cell::Lstm) == a.given(kC0), "expected c0 with lstm, and only there");
  if (a.given(kC0)) expect_like("c0", a[kC0], DimVector{at.batch, hidden}, dtype);
}

const Op recurrent_layer{{
    .sig = "_recurrent_layer(Tensor input, Tensor h0, Tensor? c0, Tensor w_ih, Tensor w_hh, "
           "Tensor? b_ih, Tensor? b_hh, str cell, bool reverse=False, bool batch_first=False, "
           "int[]? batch_sizes=None) -> (Tensor y, Tensor hn, Tensor cn, Tensor gates, Tensor "
           "kept)",
    .doc = "One layer of 'lstm', 'gru', 'rnn_tanh' or 'rnn_relu' in one direction: input [t, b, "
           "in], or [b, t, in] with batch_first, or packed [rows, in] with batch_sizes. gates and "
           "kept are what backward needs, as bits.",
    .scope = Scope::Internal,
    .kernel = function([](auto& a) { return layer_forward(a); }),
    .grad = {wrt("input h0 c0 w_ih w_hh b_ih b_hh", "input h0 c0 w_ih w_hh b_ih b_hh y gates kept",
                 [](auto& s) { return layer_gradient(s); })},
    .samples = {{in(-1, 1, {3, 2, 4}), in(-1, 1, {2, 5}), in(-1, 1, {2, 5}), in(-1, 1, {20, 4}),
                 in(-1, 1, {20, 5}), in(-1, 1, {20}), in(-1, 1, {20}), "lstm"},
                {in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 5}), none, in(-1, 1, {15, 4}),
                 in(-1, 1, {15, 5}), in(-1, 1, {15}), in(-1, 1, {15}), "gru", true, true},
                {in(-1, 1, {6, 4}), in(-1, 1, {3, 5}), none, in(-1, 1, {15, 4}), in(-1, 1, {15, 5}),
                 none, none, "gru", true, false, dims({3, 2, 1})},
                {in(-1, 1, {6, 4}), in(-1, 1, {3, 5}), in(-1, 1, {3, 5}), in(-1, 1, {20, 4}),
                 in(-1, 1, {20, 5}), none, none, "lstm", false, false, dims({3, 2, 1})},
                {in(-1, 1, {3, 2, 4}), in(-1, 1, {2, 5}), none, in(-1, 1, {5, 4}),
                 in(-1, 1, {5, 5}), in(-1, 1, {5}), in(-1, 1, {5}), "rnn_tanh"},
                {in(-1, 1, {3, 2, 4}), in(0, 1, {2, 5}), none, in(-1, 1, {5, 4}), in(-1, 1, {5, 5}),
                 none, none, "rnn_relu", true}},
    .errors = {{{in(-1, 1, {0, 2, 4}), in(-1, 1, {2, 5}), none, in(-1, 1, {5, 4}),
                 in(-1, 1, {5, 5}), none, none, "rnn_tanh"},
                "Expected sequence length to be larger than 0 in RNN"},
               {{in(-1, 1, {6, 4}), in(-1, 1, {3, 5}), none, in(-1, 1, {5, 4}), in(-1, 1, {5, 5}),
                 none, none, "rnn_tanh", false, false, dims({3, 4})},
                "expected batch_sizes to be positive and not to grow"},
               {{in(-1, 1, {3, 2, 4}), in(-1, 1, {2, 6}), none, in(-1, 1, {5, 4}),
                 in(-1, 1, {5, 5}), none, none, "rnn_tanh"},
                "expected h0 of shape [2, 5], got [2, 6]"}},
    .ulp = 16,
}};

}  // namespace gotorch::ops
