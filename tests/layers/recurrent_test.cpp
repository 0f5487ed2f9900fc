#include "layers/recurrent.h"

#include <gtest/gtest.h>

#include "grad/autograd.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace gotorch {
namespace {

TEST(Recurrent, NamesItsWeightsAsPyTorchDoes) {
  const GRU gru(3, 4, {.num_layers = 2, .bidirectional = true});
  const NamedTensors state = gru.state_dict();
  ASSERT_EQ(state.size(), 16u);
  EXPECT_EQ(state[0].first, "weight_ih_l0");
  EXPECT_EQ(state[7].first, "bias_hh_l0_reverse");
  EXPECT_TRUE(same(gru.parameter("weight_ih_l1_reverse").shape(), DimVector{12, 8}));
}

TEST(Recurrent, ReturnsOutputsAndStates) {
  const Tensor x = randn({5, 2, 3});
  const LSTM lstm(3, 4, {.num_layers = 2});
  const auto [y, h, c] = lstm(x);
  EXPECT_TRUE(same(y.shape(), DimVector{5, 2, 4}));
  EXPECT_TRUE(same(c.shape(), DimVector{2, 2, 4}));
  EXPECT_TRUE(equal(select(y, 0, 4), select(h, 0, 1)).item<bool>());
  // Two halves, with the state handed on, give what the whole gives.
  const RecurrentOutput first = lstm(narrow(x, 0, 0, 2));
  const RecurrentOutput second = lstm(narrow(x, 0, 2, 3), first.h, first.c);
  EXPECT_TRUE(equal(second.y, narrow(y, 0, 2, 3)).item<bool>());
  EXPECT_TRUE(equal(second.c, c).item<bool>());
}

TEST(Recurrent, GivesEveryWeightAGradient) {
  const RNN rnn(3, 4, "relu", {.bias = false, .batch_first = true});
  backward(sum(rnn(randn({2, 5, 3})).y));
  for (const Tensor& p : rnn.parameters()) EXPECT_TRUE(grad_of(p).defined());
}

TEST(Recurrent, RefusesBadOptions) {
  EXPECT_THROW(RNN(3, 4, "sigmoid"), ValueError);
  EXPECT_THROW(LSTM(3, 0), ValueError);
  EXPECT_THROW(GRU(3, 4, {.dropout = 1.5}), ValueError);
  EXPECT_THROW(GRU(3, 4)(randn({5, 2, 2})), Error);
}

}  // namespace
}  // namespace gotorch
