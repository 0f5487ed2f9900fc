#include "layers/module.h"

#include <gtest/gtest.h>

#include "grad/autograd.h"
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace gotorch {
namespace {

std::vector<std::string> keys(const NamedTensors& named) {
  std::vector<std::string> out;
  for (const auto& [name, _] : named) out.push_back(name);
  return out;
}

struct Residual : Module {
  explicit Residual(int64_t n) : Module("Residual"), inner(register_module("inner", Linear(n, n))) {
    scale = register_parameter("scale", ones(n));
    count = register_buffer("count", zeros(IntList{}, Dtype::Int64));
    register_buffer("scratch", zeros(n), /*persistent=*/false);
  }
  Tensor operator()(const Tensor& x) const { return x + scale * relu(inner(x)); }

  Linear inner;
  Tensor scale, count;
};

Sequential digits_net() {
  return Sequential(Linear(8, 16), ReLU(), Residual(16), BatchNorm1d(16), Linear(16, 3));
}

std::string message_of(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing thrown";
}

TEST(Module, NamesItsTensorsAsPyTorchDoes) {
  const std::vector<std::string> expected = {"0.weight",
                                             "0.bias",
                                             "2.scale",
                                             "2.count",
                                             "2.inner.weight",
                                             "2.inner.bias",
                                             "3.weight",
                                             "3.bias",
                                             "3.running_mean",
                                             "3.running_var",
                                             "3.num_batches_tracked",
                                             "4.weight",
                                             "4.bias"};
  EXPECT_EQ(keys(digits_net().state_dict()), expected);
  EXPECT_EQ(digits_net().parameters().size(), 9u);
  EXPECT_EQ(digits_net().named_buffers().size(), 5u);
}

TEST(Module, IsAHandle) {
  const auto net = Sequential(Linear(2, 2));
  const auto other = net;
  other.eval();
  EXPECT_FALSE(net.is_training());
  EXPECT_TRUE(net.parameter("0.weight").is(other.parameter("0.weight")));
}

TEST(Module, FindsPartsByPath) {
  const auto net = digits_net();
  EXPECT_EQ(net.module("2.inner").name(), "Linear");
  EXPECT_TRUE(same(net.parameter("2.inner.weight").shape(), DimVector{16, 16}));
  EXPECT_TRUE(same(net.buffer("3.running_mean").shape(), DimVector{16}));
  EXPECT_THROW((void)net.parameter("2.inner.count"), ValueError);
  EXPECT_THROW((void)net.module("7"), ValueError);
}

TEST(Module, RefusesNamesThatPyTorchRefuses) {
  Module m;
  m.register_parameter("weight", ones(1));
  EXPECT_THROW(m.register_buffer("weight", ones(1)), ValueError);
  EXPECT_THROW(m.register_module("", Linear(1, 1)), ValueError);
  EXPECT_THROW(m.register_module("a.b", Linear(1, 1)), ValueError);
  EXPECT_THROW(m.register_parameter("grown", requires_grad(ones(1)) * 2), ValueError);
}

TEST(Module, CanNotContainItself) {
  Module outer("Outer"), inner("Inner");
  outer.register_module("inner", inner);
  EXPECT_THROW(inner.register_module("outer", outer), ValueError);
}

TEST(Module, ListsATiedWeightOnceButSavesItUnderEachName) {
  Module tied;
  const Linear layer(4, 4);
  tied.register_module("a", layer);
  tied.register_module("b", layer);
  EXPECT_EQ(tied.parameters().size(), 2u);
  EXPECT_EQ(tied.named_modules().size(), 2u);
  EXPECT_EQ(tied.state_dict().size(), 4u);
}

TEST(Module, SetsTheModeOfAllBelow) {
  const auto net = Sequential(Dropout(0.5), Sequential(Dropout(0.5), Identity()));
  const Tensor x = ones({64});
  EXPECT_FALSE(all(net(x) == x).item<bool>());
  net.eval();
  EXPECT_TRUE(all(net(x) == x).item<bool>());
}

TEST(Module, LoadsWhatItSaved) {
  const auto from = digits_net(), to = digits_net();
  EXPECT_FALSE(all(from.parameter("0.weight") == to.parameter("0.weight")).item<bool>());
  EXPECT_TRUE(to.load_state_dict(from.state_dict()).missing.empty());
  for (const auto& [key, value] : from.state_dict()) {
    const auto own = to.state_dict();
    const auto found = std::ranges::find(own, key, &NamedTensors::value_type::first);
    EXPECT_TRUE(all(found->second == value).item<bool>()) << key;
  }
}

TEST(Module, SaysWhatDoesNotFitAndWritesNothing) {
  const auto net = Sequential(Linear(2, 1));
  const Tensor before = clone(net.parameter("0.weight"));
  const NamedTensors wrong = {{"0.weight", ones({1, 2})}, {"0.bias", ones({2})}, {"x", ones({1})}};
  EXPECT_EQ(message_of([&] { net.load_state_dict(wrong); }),
            "Error(s) in loading state_dict for Sequential:\n\tUnexpected key(s) in state_dict: "
            "\"x\". \n\tsize mismatch for 0.bias: copying a param with shape [2] from checkpoint, "
            "the shape in current model is [1].");
  EXPECT_TRUE(all(net.parameter("0.weight") == before).item<bool>());
  const IncompatibleKeys keys = net.load_state_dict({{"x", ones({1})}}, /*strict=*/false);
  EXPECT_EQ(keys.unexpected, std::vector<std::string>{"x"});
  EXPECT_EQ(keys.missing.size(), 2u);
}

TEST(Module, ConvertsInPlace) {
  const auto net = digits_net();
  const Tensor weight = net.parameter("0.weight");
  backward(sum(net(randn({4, 8}))));
  net.to(Dtype::Double);
  EXPECT_EQ(weight.dtype(), Dtype::Double);
  EXPECT_EQ(grad_of(weight).dtype(), Dtype::Double);
  EXPECT_EQ(net.buffer("3.running_mean").dtype(), Dtype::Double);
  EXPECT_EQ(net.buffer("3.num_batches_tracked").dtype(), Dtype::Int64);
  EXPECT_EQ(net(randn({4, 8}, nullptr, Dtype::Double)).dtype(), Dtype::Double);
  EXPECT_THROW(net.to(Dtype::Int32), TypeError);
}

TEST(Module, ForgetsGradients) {
  const auto net = Sequential(Linear(2, 1));
  const Tensor weight = net.parameter("0.weight");
  backward(sum(net(ones({3, 2}))));
  EXPECT_EQ(grad_of(weight).data<float>()[0], 3);
  net.zero_grad(/*set_to_none=*/false);
  EXPECT_EQ(grad_of(weight).data<float>()[0], 0);
  net.zero_grad();
  EXPECT_FALSE(grad_of(weight).defined());
  net.requires_grad_(false);
  EXPECT_FALSE(net(ones({3, 2})).requires_grad());
}

TEST(Module, AppliesToChildrenFirst) {
  std::vector<std::string> names;
  Sequential(Linear(1, 1), Residual(1)).apply([&](const Module& m) { names.push_back(m.name()); });
  EXPECT_EQ(names, (std::vector<std::string>{"Linear", "Linear", "Residual", "Sequential"}));
}

TEST(Sequential, TakesFunctionsAndNames) {
  Sequential net;
  net.append("first", Linear(2, 2)).append([](const Tensor& x) { return x * 0; });
  EXPECT_EQ(keys(net.state_dict()), (std::vector<std::string>{"first.weight", "first.bias"}));
  EXPECT_EQ(sum(net(ones({1, 2}))).item<float>(), 0);
}

TEST(ModuleList, NamesByNumber) {
  const ModuleList<Linear> list{Linear(2, 2), Linear(2, 2)};
  Tensor x = ones({1, 2});
  for (const Linear& layer : list) x = layer(x);
  EXPECT_EQ(keys(list.named_parameters()),
            (std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias"}));
}

TEST(LayerClasses, TakeTheArgumentsOfTheTable) {
  EXPECT_TRUE(same(Conv2d(1, 6, 5, 1, 2)(ones({2, 1, 8, 8})).shape(), DimVector{2, 6, 8, 8}));
  EXPECT_TRUE(same(Conv2d(2, 4, {3, 1})(ones({1, 2, 8, 8})).shape(), DimVector{1, 4, 6, 8}));
  EXPECT_TRUE(same(MaxPool2d(2)(ones({1, 1, 8, 8})).shape(), DimVector{1, 1, 4, 4}));
  EXPECT_EQ(CrossEntropyLoss({}, -100, "sum")(zeros({2, 4}), zeros({2}, Dtype::Int64)).dim(), 0);
  EXPECT_EQ(Linear(3, 2, false).parameters().size(), 1u);
  EXPECT_THROW(Conv2d(3, 4, 3, 1, 0, 1, 2), ValueError);
  EXPECT_THROW(Conv2d(3, 4, {3, 3, 3}), ValueError);
}

TEST(LayerClasses, DrawTheSameValuesForTheSameSeed) {
  default_generator().manual_seed(5);
  const Linear a(4, 4);
  default_generator().manual_seed(5);
  const Linear b(4, 4);
  EXPECT_TRUE(all(a.parameter("weight") == b.parameter("weight")).item<bool>());
  default_generator().manual_seed(5);
  init::constant(b.parameter("weight"), 0);
  b.reset_parameters();
  EXPECT_TRUE(all(a.parameter("weight") == b.parameter("weight")).item<bool>());
}

// Steps of plain SGD on points whose class is the sign of their sum.
TEST(Training, LearnsFromCpp) {
  default_generator().manual_seed(1);
  const auto net = Sequential(Linear(4, 16), Tanh(), Residual(16), BatchNorm1d(16), Linear(16, 2));
  const CrossEntropyLoss loss_of;
  const Tensor x = randn({64, 4});
  const Tensor y = argmax(stack(Tensors{sum(x, 1) * -1, sum(x, 1)}, 1), 1);
  float first = 0, last = 0;
  for (int step = 0; step < 60; step++) {
    net.zero_grad();
    const Tensor loss = loss_of(net(x), y);
    backward(loss);
    const NoGrad guard;
    for (const Tensor& p : net.parameters()) ops::sub.inplace(p, grad_of(p), 0.1);
    last = loss.item<float>();
    if (step == 0) first = last;
  }
  EXPECT_LT(last, first / 4);
  net.eval();
  EXPECT_GT(mean(as_dtype(argmax(net(x), 1) == y, Dtype::Float)).item<float>(), 0.95f);
}

}  // namespace
}  // namespace gotorch
