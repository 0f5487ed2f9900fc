#include "grad/engine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grad/autograd.h"
#include "tensor/ops.h"

namespace gotorch {
namespace {

Tensor values(std::initializer_list<float> v, IntList shape) {
  return tensor_of<float>(std::span(v.begin(), v.size()), shape);
}
Tensor leaf(std::initializer_list<float> v) {
  return requires_grad(values(v, static_cast<int64_t>(v.size())));
}
Tensor number(float v) { return requires_grad(scalar_tensor(v, Dtype::Float)); }
float at(const Tensor& t, int64_t i = 0) { return t.data<float>()[i]; }
// self = op(self, other), in place.
void write(const Op& op, const Tensor& self, const Operand& other) {
  const Value args[] = {self, other, 1};
  call_inplace(op, std::span(args, op.signature().params.size()));
}

TEST(Backward, AddsOverAllPathsAndCalls) {
  const Tensor x = number(3);
  backward(x * x + x * 2);
  EXPECT_EQ(at(grad_of(x)), 8);
  backward(x * 1);
  EXPECT_EQ(at(grad_of(x)), 9);
}

TEST(Backward, SumsToTheShapeThatWasBroadcast) {
  const Tensor row = leaf({1, 2, 3});
  const Tensor column = requires_grad(values({10, 20}, {2, 1}));
  backward(sum(row * column));
  EXPECT_EQ(at(grad_of(row), 1), 30);
  EXPECT_EQ(at(grad_of(column), 1), 6);
  EXPECT_TRUE(same(grad_of(column).shape(), column.shape()));
}

TEST(Backward, TwiceNeedsTheGraphKept) {
  const Tensor x = number(3);
  const Tensor y = x * x;
  backward(y, {.keep_graph = true});
  backward(y);
  EXPECT_EQ(at(grad_of(x)), 12);
  EXPECT_THROW(backward(y), Error);
}

TEST(Backward, RefusesASavedTensorThatWasWrittenTo) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 2;
  const Tensor z = y * y;
  write(ops::add, y, 1);
  EXPECT_THROW(backward(sum(z)), Error);
}

TEST(Backward, WritingToALeafIsRefused) {
  const Tensor x = leaf({1, 2});
  EXPECT_THROW(write(ops::add, x, 1), Error);
  NoGrad guard;
  write(ops::add, x, 1);
  EXPECT_EQ(at(x), 2);
}

TEST(Backward, HigherDerivativesOfAPower) {
  const Tensor x = number(2);
  Tensor g = x * x * x * x;
  for (float expected : {32.0f, 48.0f, 48.0f, 24.0f}) {
    g = gradients({&g, 1}, {&x, 1}, {}, {.create_graph = true})[0];
    EXPECT_EQ(at(g), expected);
  }
}

TEST(Backward, AMillionNodesNeedNoStack) {
  const Tensor x = number(1);
  Tensor y = x;
  for (int i = 0; i < 1000000; i++) y = y + 0;
  backward(y);
  EXPECT_EQ(at(grad_of(x)), 1);
  Tensor unused = x;
  for (int i = 0; i < 1000000; i++) unused = unused + 0;
}

TEST(Backward, WritesThroughViewsReachTheBase) {
  const Tensor x = leaf({1, 2, 3, 4});
  const Tensor base = x * 1;
  write(ops::mul, as_strided(base, {2}, {2}, 1), 10);
  backward(sum(base * base));
  const float expected[] = {2, 400, 6, 800};
  for (int i = 0; i < 4; i++) EXPECT_EQ(at(grad_of(x), i), expected[i]) << i;
}

TEST(Backward, AnAssignedSliceTakesItsGradientFromTheSource) {
  const Tensor w = leaf({5, 6});
  const Tensor base = values({1, 2, 3, 4}, 4);
  write(ops::copy, narrow(base, 0, 1, 2), w);
  EXPECT_TRUE(base.requires_grad());
  backward(sum(base * base));
  EXPECT_EQ(at(grad_of(w), 0), 10);
  EXPECT_EQ(at(grad_of(w), 1), 12);
}

TEST(Backward, HooksSeeAndReplaceGradients) {
  const Tensor x = number(3);
  const Tensor y = x * 2;
  add_hook(y, [](const Tensor& g) { return g * 10; });
  const uint64_t id = add_hook(x, [](const Tensor& g) { return g + 1; });
  backward(y * 1, {.keep_graph = true});
  EXPECT_EQ(at(grad_of(x)), 21);
  remove_hook(x, id);
  backward(y * 1);
  EXPECT_EQ(at(grad_of(x)), 41);
}

TEST(Backward, LeavesAreReportedAsSoonAsTheyAreReady) {
  const Tensor a = number(1), b = number(2);
  std::vector<const TensorImpl*> order;
  const runtime::chan<GradReady> ready(2);
  backward((a * 2) * b, {.ready = ready});
  for (GradReady r : ready) order.push_back(r.leaf.impl());
  ASSERT_EQ(order.size(), 2u);
  EXPECT_EQ(order[0], b.impl());  // complete before a's
}

TEST(Backward, ErrorsNameTheReason) {
  const Tensor x = leaf({1, 2});
  EXPECT_THROW(backward(x * 2), Error);                           // not a scalar
  EXPECT_THROW(backward(scalar_tensor(1, Dtype::Float)), Error);  // nothing to differentiate
  const Tensor unused = number(1);
  const Tensor y = sum(x);
  EXPECT_THROW(gradients({&y, 1}, {&unused, 1}), Error);
  EXPECT_THROW(set_requires_grad(empty({2}, Dtype::Int64), true), Error);
}

TEST(Backward, LargePendingGradientsAreRight) {
  const int64_t n = 10000;
  Tensor x = empty(n, Dtype::Float);
  for (int64_t i = 0; i < n; i++) x.data<float>()[i] = static_cast<float>(i % 17) * 0.125f - 1;
  set_requires_grad(x, true);
  backward(sum(tanh((x * x + x) * 0.5) * x));
  for (int64_t i = 0; i < 17; i++) {
    const float v = at(x, i), t = std::tanh((v * v + v) * 0.5f);
    EXPECT_NEAR(at(grad_of(x), i), t + v * (1 - t * t) * (v + 0.5f), 1e-5f);
  }
}

}  // namespace
}  // namespace gotorch
