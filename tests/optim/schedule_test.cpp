#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grad/autograd.h"
#include "optim/optim.h"
#include "tensor/ops.h"

namespace gotorch {
namespace {

Optimizer optimizer(double lr = 1) {
  return SGD({requires_grad(zeros({1}))}, {.lr = lr, .momentum = 0.5});
}

std::vector<double> rates(Optimizer& opt, Schedule schedule, int steps) {
  std::vector<double> out{opt.option("lr")};
  for (int i = 0; i < steps; i++) {
    schedule.step();
    out.push_back(opt.option("lr"));
  }
  return out;
}

void expect_rates(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); i++) EXPECT_NEAR(got[i], expected[i], 1e-12) << i;
}

TEST(Schedule, StepsAtEqualDistancesAndAtMilestones) {
  Optimizer a = optimizer(), b = optimizer();
  expect_rates(rates(a, StepLR(a, 2, 0.5), 5), {1, 1, 0.5, 0.5, 0.25, 0.25});
  expect_rates(rates(b, MultiStepLR(b, {1, 3, 3}, 0.5), 4), {1, 0.5, 0.5, 0.125, 0.125});
  EXPECT_THROW(StepLR(a, 0), ValueError);
}

TEST(Schedule, WarmsUpAndDecays) {
  Optimizer a = optimizer(), b = optimizer(), c = optimizer(), d = optimizer();
  expect_rates(rates(a, LinearLR(a, 0.5, 1, 2), 3), {0.5, 0.75, 1, 1});
  expect_rates(rates(b, ConstantLR(b, 0.5, 2), 3), {0.5, 0.5, 1, 1});
  expect_rates(rates(c, ExponentialLR(c, 0.5), 2), {1, 0.5, 0.25});
  expect_rates(rates(d, PolynomialLR(d, 2), 3), {1, 0.5, 0, 0});
}

TEST(Schedule, FollowsCosines) {
  Optimizer a = optimizer(), b = optimizer();
  std::vector<double> expected, restarts;
  for (int i = 0; i <= 8; i++) expected.push_back((1 + std::cos(M_PI * i / 4)) / 2);
  expect_rates(rates(a, CosineAnnealingLR(a, 4), 8), expected);
  for (double at : {0.0, 0.5, 0.0, 0.25, 0.5, 0.75, 0.0})
    restarts.push_back((1 + std::cos(M_PI * at)) / 2);
  expect_rates(rates(b, CosineAnnealingWarmRestarts(b, 2, 2), 6), restarts);
}

TEST(Schedule, OneCycleMovesTheMomentumTheOtherWay) {
  Optimizer opt = optimizer();
  Schedule schedule = OneCycleLR(opt, 1, 11, {.pct_start = 0.5, .cosine = false});
  EXPECT_NEAR(opt.option("lr"), 0.04, 1e-12);
  EXPECT_NEAR(opt.option("momentum"), 0.95, 1e-12);
  for (int i = 0; i < 4; i++) schedule.step();
  EXPECT_GT(opt.option("lr"), 0.8);
  EXPECT_LT(opt.option("momentum"), 0.87);
  for (int i = 0; i < 6; i++) schedule.step();
  EXPECT_NEAR(opt.option("lr"), 4e-6, 1e-12);
}

TEST(Schedule, TrianglesComeBack) {
  Optimizer opt = optimizer();
  expect_rates(rates(opt, CyclicLR(opt, 1, 3, 2), 5), {1, 2, 3, 2, 1, 2});
}

TEST(Schedule, OneFollowsTheOther) {
  Optimizer opt = optimizer();
  std::vector<Schedule> parts{LinearLR(opt, 0.5, 1, 2), ExponentialLR(opt, 0.5)};
  expect_rates(rates(opt, SequentialLR(opt, std::move(parts), {2}), 4), {0.5, 0.75, 1, 0.5, 0.25});
}

TEST(Schedule, SeveralActOnOneOptimizer) {
  Optimizer opt = optimizer();
  Schedule warm = ConstantLR(opt, 0.5, 1), decay = ExponentialLR(opt, 0.5);
  EXPECT_EQ(opt.option("lr"), 0.5);
  warm.step(), decay.step();
  EXPECT_EQ(opt.option("lr"), 0.5);
  EXPECT_EQ(opt.initial_lr(0), 1);
}

TEST(Schedule, FormulasMayBeOnesOwn) {
  Optimizer a = optimizer(2), b = optimizer(2);
  expect_rates(rates(a, LambdaLR(a, [](int64_t e) { return 1.0 / double(e + 1); }), 2),
               {2, 1, 2.0 / 3});
  expect_rates(rates(b, Schedule(b, [](const Turn& t) { return t.base - double(t.epoch); }), 2),
               {2, 1, 0});
}

TEST(Schedule, APlateauReducesTheRate) {
  Optimizer opt = optimizer();
  ReduceLROnPlateau schedule(opt, {.factor = 0.5, .patience = 1, .cooldown = 1});
  for (double loss : {1.0, 1.0}) schedule.step(loss);
  EXPECT_EQ(opt.option("lr"), 1);
  schedule.step(1);
  EXPECT_EQ(opt.option("lr"), 0.5);
  for (double loss : {1.0, 1.0}) schedule.step(loss);
  EXPECT_EQ(opt.option("lr"), 0.5);  // it cooled down
  schedule.step(NAN);
  EXPECT_EQ(opt.option("lr"), 0.25);
}

}  // namespace
}  // namespace gotorch
