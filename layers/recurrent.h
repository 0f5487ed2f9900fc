#pragma once
// RNN, LSTM and GRU of several layers. They return the state beside the output, so they are modules of their own and not
// layers of the table.
//
//   const LSTM lstm(32, 64, {.num_layers = 2});
//   auto [y, h, c] = lstm(x);  // x [steps, batch, 32], y [steps, batch, 64], h and c [2, batch, 64]
#include "layers/module.h"

namespace gotorch {

struct RecurrentOptions {
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  // x and y are [batch, steps, size]
  double dropout = 0;        // of the output of each layer but the last, while training
  bool bidirectional = false;
};

// The output of all steps and the last state of each layer and direction; c of LSTM only.
struct RecurrentOutput {
  Tensor y, h, c;
};

class RecurrentModule : public Module {
 public:
  // Draws new initial values, as the constructor did: all uniform in +-1 / sqrt(hidden_size).
  void reset_parameters() const;

 protected:
  RecurrentModule(std::string name, int64_t gates, int64_t input_size, int64_t hidden_size,
                  const RecurrentOptions& options);
  // The state given, or zeros.
  Tensor state_or_zeros(const Tensor& state, const Tensor& x) const;
  std::vector<Tensor> weights() const;
  const RecurrentOptions& options() const { return options_; }

 private:
  RecurrentOptions options_;
  int64_t hidden_size_;
};

class RNN : public RecurrentModule {
 public:
  // nonlinearity: "tanh" or "relu".
  RNN(int64_t input_size, int64_t hidden_size, std::string_view nonlinearity = "tanh",
      const RecurrentOptions& options = {});
  RecurrentOutput operator()(const Tensor& x, const Tensor& h0 = {}) const;

 private:
  bool relu_;
};

class LSTM : public RecurrentModule {
 public:
  LSTM(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : RecurrentModule("LSTM", 4, input_size, hidden_size, options) {}
  RecurrentOutput operator()(const Tensor& x, const Tensor& h0 = {}, const Tensor& c0 = {}) const;
};

class GRU : public RecurrentModule {
 public:
  GRU(int64_t input_size, int64_t hidden_size, const RecurrentOptions& options = {})
      : RecurrentModule("GRU", 3, input_size, hidden_size, options) {}
  RecurrentOutput operator()(const Tensor& x, const Tensor& h0 = {}) const;
};

}  // namespace gotorch
