#include "data/sampler.h"

#include <algorithm>

#include "tests/tensor/values.h"

namespace gotorch {
namespace {

using Order = std::vector<int64_t>;

TEST(Sampler, SequentialCounts) {
  EXPECT_EQ(SequentialSampler(4).epoch(), (Order{0, 1, 2, 3}));
  EXPECT_EQ(SequentialSampler(0).epoch(), Order{});
}

// What list(RandomSampler(range(10))) is after torch.manual_seed(0), and so on.
TEST(Sampler, RandomHasPyTorchsOrder) {
  default_generator().manual_seed(0);
  RandomSampler random(10);
  EXPECT_EQ(random.epoch(), (Order{6, 9, 0, 7, 3, 5, 4, 2, 1, 8}));
  EXPECT_EQ(random.epoch(), (Order{6, 7, 1, 4, 2, 0, 9, 8, 3, 5}));
  const Generator a(7), b(7), c(1);
  EXPECT_EQ(RandomSampler(10, {.num_samples = 25, .generator = &a}).epoch(),
            (Order{5, 0, 3, 4, 1, 7, 9, 6, 8, 2, 1, 8, 9, 5, 7, 4, 0, 3, 6, 2, 3, 7, 6, 2, 9}));
  EXPECT_EQ(RandomSampler(10, {.replacement = true, .generator = &b}).epoch(),
            (Order{5, 2, 1, 6, 3, 7, 7, 9, 8, 1}));
  EXPECT_EQ(SubsetRandomSampler({5, 6, 7}, &c).epoch(), (Order{6, 7, 5}));
}

TEST(Sampler, RandomVisitsEachItemOnce) {
  RandomSampler random(1000);
  Order order = random.epoch();
  EXPECT_NE(order, random.epoch());
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, SequentialSampler(1000).epoch());
}

TEST(Sampler, RefusesNothingToSample) {
  EXPECT_ERROR("cannot sample from 0 items", RandomSampler(0));
  EXPECT_ERROR("num_samples=0", RandomSampler(3, {.num_samples = 0}));
  EXPECT_ERROR("batch_size=0", BatchIndices({1, 2}, 0, false));
}

std::vector<Order> batches(Order indices, int64_t size, bool drop_last) {
  std::vector<Order> all;
  BatchIndices left(std::move(indices), size, drop_last);
  while (auto batch = left.next()) all.push_back(*batch);
  return all;
}

TEST(Sampler, BatchesKeepOrDropTheRest) {
  EXPECT_EQ(batches({0, 1, 2, 3, 4}, 2, false), (std::vector<Order>{{0, 1}, {2, 3}, {4}}));
  EXPECT_EQ(batches({0, 1, 2, 3, 4}, 2, true), (std::vector<Order>{{0, 1}, {2, 3}}));
  EXPECT_TRUE(batches({}, 2, false).empty());
}

}  // namespace
}  // namespace gotorch
