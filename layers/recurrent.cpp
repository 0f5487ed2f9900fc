#include "layers/recurrent.h"

#include <cmath>

#include "layers/init.h"
#include "tensor/ops.h"
#include "tensor/promote.h"

namespace gotorch {

RecurrentModule::RecurrentModule(std::string name, int64_t gates, int64_t input_size,
                                 int64_t hidden_size, const RecurrentOptions& options)
    : Module(std::move(name)), options_(options), hidden_size_(hidden_size) {
  check<ValueError>(input_size >= 0 && hidden_size > 0 && options.num_layers > 0, this->name(),
                    ": hidden_size and num_layers must be greater than zero, got input_size ",
                    input_size, ", hidden_size ", hidden_size, ", num_layers ", options.num_layers);
  check<ValueError>(options.dropout >= 0 && options.dropout <= 1, this->name(),
                    ": dropout should be in range [0, 1], got ", options.dropout);
  const int64_t directions = options.bidirectional ? 2 : 1, rows = gates * hidden_size;
  for (int64_t i = 0; i < options.num_layers * directions; i++) {
    const std::string end =
        "_l" + std::to_string(i / directions) + (i % directions ? "_reverse" : "");
    const int64_t in = i < directions ? input_size : hidden_size * directions;
    register_parameter("weight_ih" + end, empty({rows, in}, default_dtype()));
    register_parameter("weight_hh" + end, empty({rows, hidden_size}, default_dtype()));
    if (!options.bias) continue;
    register_parameter("bias_ih" + end, empty(rows, default_dtype()));
    register_parameter("bias_hh" + end, empty(rows, default_dtype()));
  }
  reset_parameters();
}

void RecurrentModule::reset_parameters() const {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size_));
  for (const auto& slot : slots()) init::uniform(slot.tensor, -bound, bound);
}

Tensor RecurrentModule::state_or_zeros(const Tensor& state, const Tensor& x) const {
  if (state.defined()) return state;
  check(x.dim() == 3, name(), ": expected an input of three dimensions, got shape ", x.shape());
  const int64_t directions = options_.bidirectional ? 2 : 1;
  return zeros(DimVector{options_.num_layers * directions, x.size(options_.batch_first ? 0 : 1),
                         hidden_size_},
               x.dtype());
}

std::vector<Tensor> RecurrentModule::weights() const {
  std::vector<Tensor> out;
  for (const auto& slot : slots()) out.push_back(slot.tensor);
  return out;
}

RNN::RNN(int64_t input_size, int64_t hidden_size, std::string_view nonlinearity,
         const RecurrentOptions& options)
    : RecurrentModule("RNN", 1, input_size, hidden_size, options), relu_(nonlinearity == "relu") {
  check<ValueError>(relu_ || nonlinearity == "tanh", "Unknown nonlinearity '", nonlinearity,
                    "'. Select from 'tanh' or 'relu'.");
}

RecurrentOutput RNN::operator()(const Tensor& x, const Tensor& h0) const {
  const RecurrentOptions& o = options();
  const std::vector<Tensor> params = weights();
  const Op& op = relu_ ? ops::rnn_relu_input : ops::rnn_tanh_input;
  const Tensors out =
      op.all(x, state_or_zeros(h0, x), std::span<const Tensor>(params), o.bias, o.num_layers,
             o.dropout, is_training(), o.bidirectional, o.batch_first);
  return {out[0], out[1], {}};
}

RecurrentOutput LSTM::operator()(const Tensor& x, const Tensor& h0, const Tensor& c0) const {
  const RecurrentOptions& o = options();
  const Tensor hx[] = {state_or_zeros(h0, x), state_or_zeros(c0, x)};
  auto [y, h, c] = lstm(x, hx, weights(), o.bias, o.num_layers, o.dropout, is_training(),
                        o.bidirectional, o.batch_first);
  return {y, h, c};
}

RecurrentOutput GRU::operator()(const Tensor& x, const Tensor& h0) const {
  const RecurrentOptions& o = options();
  auto [y, h] = gru(x, state_or_zeros(h0, x), weights(), o.bias, o.num_layers, o.dropout,
                    is_training(), o.bidirectional, o.batch_first);
  return {y, h, {}};
}

}  // namespace gotorch
