#include "optim/optim.h"

#include <atomic>
#include <cmath>
#include <cstring>

#include "grad/autograd.h"
#include "runtime/scope.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tests/runtime/workers.h"

namespace gotorch {
namespace {

Tensor pattern(IntList shape, int seed) {
  Tensor x = empty(shape, Dtype::Float);
  for (int64_t i = 0; i < x.numel(); i++)
    x.data<float>()[i] = static_cast<float>((i * 7 + seed * 13) % 29) * 0.03f - 0.4f;
  return x;
}

// A network of two branches with weights of many sizes.
struct Net {
  std::vector<Tensor> weights;
  Net() {
    for (int i = 0; i < 6; i++) weights.push_back(requires_grad(pattern({33, 33}, i)));
    weights.push_back(requires_grad(pattern({33}, 6)));
    weights.push_back(requires_grad(pattern({200, 300}, 7)));
  }
  Tensor loss() const {
    Tensor a = pattern({33, 33}, 8), b = a;
    for (int i = 0; i < 3; i++) a = tanh(matmul(a, weights[i]) + weights[6]);
    for (int i = 3; i < 6; i++) b = tanh(matmul(b, weights[i]));
    return sum(a * b) + sum(weights[7] * weights[7]);
  }
  std::vector<float> values() const {
    std::vector<float> all;
    for (const Tensor& w : weights)
      all.insert(all.end(), w.data<float>(), w.data<float>() + w.numel());
    return all;
  }
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Optimizer, OptionsHavePyTorchsDefaults) {
  const Optimizer opt = Adam({requires_grad(pattern({3}, 0))});
  EXPECT_EQ(opt.option("lr"), 1e-3);
  EXPECT_EQ(opt.option("betas[1]"), 0.999);
  EXPECT_EQ(opt.option("amsgrad"), 0);
  EXPECT_THROW(opt.option("momentum"), ValueError);
  EXPECT_EQ(optimizer_table().size(), 11u);
}

TEST(Optimizer, GradientDescentStepsAgainstTheGradient) {
  const Tensor p = requires_grad(tensor_of<float>(std::vector<float>{1, 2}, 2));
  Optimizer opt = SGD({p}, {.lr = 0.5});
  backward(sum(p * p));
  opt.step();
  EXPECT_EQ(p.data<float>()[0], 0);
  EXPECT_EQ(p.data<float>()[1], 0);
  opt.zero_grad();
  EXPECT_FALSE(grad_of(p).defined());
  opt.step();  // nothing to do
}

TEST(Optimizer, ZeroGradMayKeepTheGradientsMemory) {
  const Tensor p = requires_grad(pattern({5}, 1));
  Optimizer opt = SGD({p});
  backward(sum(p * p));
  opt.zero_grad(false);
  ASSERT_TRUE(grad_of(p).defined());
  for (int i = 0; i < 5; i++) EXPECT_EQ(grad_of(p).data<float>()[i], 0);
}

TEST(Optimizer, GroupsHaveOptionsOfTheirOwn) {
  const Tensor a = requires_grad(tensor_of<float>(std::vector<float>{1}, 1));
  const Tensor b = requires_grad(tensor_of<float>(std::vector<float>{1}, 1));
  Optimizer opt = SGD({a}, {.lr = 0.25});
  opt.add_group({b}, SGDOptions{.lr = 0.125});
  backward(sum(a * 2) + sum(b * 2));
  opt.step();
  EXPECT_EQ(a.data<float>()[0], 0.5f);
  EXPECT_EQ(b.data<float>()[0], 0.75f);
  opt.set_option("lr", 0, 1);
  EXPECT_EQ(opt.option("lr", 1), 0);
  EXPECT_THROW(opt.add_group({a}, SGDOptions{}), ValueError);
}

TEST(Optimizer, WrongArgumentsAreNamed) {
  const Tensor p = requires_grad(pattern({3}, 0));
  EXPECT_THROW(SGD({}), ValueError);
  EXPECT_THROW(SGD({p}, {.lr = -1}), ValueError);
  EXPECT_THROW(SGD({p}, {.nesterov = true}), ValueError);
  EXPECT_THROW(Adam({p}, {.betas = {0.9, 1.0}}), ValueError);
  EXPECT_THROW(SGD({p * 2}), ValueError);
  EXPECT_THROW(SGD({p, p}), ValueError);
  try {
    Adam({p}, {.betas = {0.9, 1.5}});
    FAIL();
  } catch (const ValueError& e) {
    EXPECT_NE(std::string(e.what()).find("Invalid beta parameter at index 1: 1.5"),
              std::string::npos);
  }
}

TEST(Optimizer, HalfPrecisionAndStridedParametersAreUpdatedInPlace) {
  for (Dtype dtype : {Dtype::BFloat16, Dtype::Half, Dtype::Double}) {
    const Tensor base = _to_dtype(pattern({8, 6}, 1), dtype);
    const Tensor p = requires_grad(detach(transpose(base, 0, 1)));
    Optimizer opt = SGD({p}, {.lr = 1});
    set_grad(p, copy_of(detach(p), dtype));
    opt.step();
    const Tensor left = _to_dtype(base, Dtype::Float);
    for (int64_t i = 0; i < left.numel(); i++) EXPECT_EQ(left.data<float>()[i], 0);
  }
}

TEST(Optimizer, StatesGoOnFromASavedOne) {
  for (int at : {0, 3}) {
    Net net, copy;
    Optimizer opt = Adam(net.weights, {.amsgrad = true});
    for (int i = 0; i < at; i++) opt.zero_grad(), backward(net.loss()), opt.step();
    for (size_t i = 0; i < net.weights.size(); i++) {
      NoGrad guard;
      copy_elements(copy.weights[i], net.weights[i]);
    }
    Optimizer other = Adam(copy.weights, {.lr = 7, .amsgrad = true});
    other.load_state_dict(opt.state_dict());
    EXPECT_EQ(other.option("lr"), 1e-3);
    for (int i = 0; i < 2; i++) {
      opt.zero_grad(), backward(net.loss()), opt.step();
      other.zero_grad(), backward(copy.loss()), other.step();
    }
    EXPECT_TRUE(same_bits(net.values(), copy.values()));
    NamedTensors wrong = opt.state_dict();
    wrong.emplace_back("state.0.nonsense", scalar_tensor(1, Dtype::Float));
    EXPECT_THROW(other.load_state_dict(wrong), ValueError);
  }
}

TEST(Optimizer, MismatchedGradientsAreRefusedBeforeAnythingIsWritten) {
  const Tensor a = requires_grad(pattern({3}, 0)), b = requires_grad(pattern({4}, 0));
  Optimizer opt = Adam({a, b});
  backward(sum(a) + sum(b));
  NamedTensors state = opt.state_dict();
  opt.step();
  const float before = a.data<float>()[0];
  std::vector<StepItem> items;
  items.push_back({a, grad_of(a), {}});
  items.push_back({b, grad_of(a), {}});
  for (StepItem& item : items) item.state.resize(4);
  EXPECT_THROW(optimizer_step(opt.definition(), opt.definition().defaults(), items), Error);
  EXPECT_EQ(a.data<float>()[0], before);
}

class OptimizerStage : public runtime::OnWorkers {
 protected:
  void TearDown() override { runtime::set_num_workers(2); }
};

TEST_P(OptimizerStage, UpdatesWhileBackwardRunsWithTheBitsOfAStepAfterIt) {
  Net reference;
  runtime::set_num_workers(1);
  Optimizer plain = AdamW(reference.weights, {.lr = 0.01});
  for (int i = 0; i < 4; i++) {
    plain.zero_grad();
    backward(reference.loss());
    plain.step();
  }
  runtime::set_num_workers(GetParam());
  for (int repeat = 0; repeat < 5; repeat++) {
    Net net;
    Optimizer opt = AdamW(net.weights, {.lr = 0.01});
    for (int i = 0; i < 4; i++) {
      opt.zero_grad();
      const runtime::chan<GradReady> ready(repeat);
      runtime::scope s;
      s.go([&] { opt.step_as_ready(ready); });
      backward(net.loss(), {.ready = ready});
      s.join();
    }
    ASSERT_TRUE(same_bits(net.values(), reference.values())) << repeat;
  }
}

TEST_P(OptimizerStage, EndsWithTheErrorOfBackward) {
  Net net;
  Optimizer opt = SGD(net.weights);
  const Tensor loss = net.loss();
  add_hook(net.weights[0], [](const Tensor&) -> Tensor { throw std::runtime_error("hook"); });
  const runtime::chan<GradReady> ready(1);
  runtime::scope s;
  s.go([&] { opt.step_as_ready(ready); });
  EXPECT_THROW(backward(loss, {.ready = ready}), std::runtime_error);
  EXPECT_THROW(s.join(), std::runtime_error);
}

INSTANTIATE_TEST_SUITE_P(Workers, OptimizerStage, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace gotorch
