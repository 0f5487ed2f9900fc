// An expression's result takes the memory of an operand that nobody else refers to.
#include <gtest/gtest.h>

#include <vector>

#include "runtime/interrupt.h"
#include "runtime/parallel.h"
#include "tensor/allocator.h"
#include "tensor/ops.h"

namespace gotorch {
namespace {

constexpr int64_t kN = 1 << 20;  // 4 MiB of floats
constexpr int64_t kBytes = kN * 4, kSlack = kBytes / 8;

Tensor in_memory(double value, int64_t n = kN, Dtype dtype = Dtype::Float) {
  const Tensor x = full({n}, value, dtype);
  x.evaluate();
  return x;
}

// Bytes that were held at most while y was evaluated, over those held before.
int64_t peak_of(const Tensor& y) {
  reset_peak_memory();
  const int64_t before = memory_stats().allocated;
  y.evaluate();
  return memory_stats().max_allocated - before;
}

void expect_all(const Tensor& y, float value) {
  y.evaluate();
  const auto* p = static_cast<const float*>(y.raw());
  for (int64_t i = 0; i < y.numel(); i++) ASSERT_EQ(p[i], value) << "at " << i;
}

TEST(MemoryReuse, AResultTakesTheMemoryOfAnOperandThatIsGone) {
  const Tensor y = in_memory(3) * 2;
  EXPECT_TRUE(y.is_pending());
  EXPECT_LT(peak_of(y), kSlack);
  expect_all(y, 6);
}

TEST(MemoryReuse, OfAnyLaterOperandAndOfInnerValues) {
  const Tensor a = in_memory(1);
  const Tensor y = a + in_memory(2) * in_memory(3);
  EXPECT_LT(peak_of(y), kSlack);
  expect_all(y, 7);
  const Tensor z = a + in_memory(2);
  EXPECT_LT(peak_of(z), kSlack);
  expect_all(z, 3);
  expect_all(a, 1);
}

TEST(MemoryReuse, AnOperandThatIsReadTwiceIsStillReadRight) {
  Tensor x = in_memory(3);
  const Tensor square = x * x;
  const Tensor y = square + x;
  x = Tensor();
  expect_all(y, 12);
  expect_all(square, 9);
}

TEST(MemoryReuse, WhatSomebodyRefersToStaysAsItIs) {
  const Tensor x = in_memory(3);
  const Tensor y = x * 2;
  expect_all(y, 6);
  expect_all(x, 3);

  Tensor base = in_memory(3);
  const Tensor halves = view(base, {2, kN / 2});
  const Tensor z = base * 2;
  base = Tensor();
  expect_all(z, 6);
  expect_all(halves, 3);

  Tensor twice = in_memory(3);
  const Tensor first = twice * 2, second = twice * 5;
  twice = Tensor();
  expect_all(first, 6);
  expect_all(second, 15);
}

TEST(MemoryReuse, NotOfABroadcastOperandOrAPartOfOne) {
  const Tensor wide = view(in_memory(1), {1024, 1024});
  const Tensor y = wide + in_memory(2, 1024);
  expect_all(y, 3);
  const Tensor part = select(view(in_memory(4), {2, kN / 2}), 0, 1) * 2;
  expect_all(part, 8);
}

TEST(MemoryReuse, OfAnotherDtypeOfTheSameSize) {
  const Tensor y = _to_dtype(in_memory(7, kN, Dtype::Int32), Dtype::Float) * 0.5;
  expect_all(y, 3.5f);
  const Tensor z = _to_dtype(in_memory(7, kN, Dtype::Double), Dtype::Float) * 0.5;
  expect_all(z, 3.5f);
}

TEST(MemoryReuse, AnInterruptedEvaluationLosesNothing) {
  const int64_t n = 1 << 22;
  for (const int workers : {1, 2, 3}) {
    runtime::set_num_workers(workers);
    const Tensor other = in_memory(0.5, n);
    const auto chain = [&](Tensor x) {
      for (int i = 0; i < 20; i++) x = sin(x) + other;
      return x;
    };
    const Tensor expected = chain(in_memory(0.25, n));
    expected.evaluate();
    const Tensor y = chain(in_memory(0.25, n)), z = relu(in_memory(0.25, n));
    runtime::set_interrupt_check([] { return true; });
    bool interrupted = false;
    try {
      y.evaluate();
    } catch (const runtime::Interrupted&) {
      interrupted = true;
    }
    runtime::set_interrupt_check(nullptr);
    (void)interrupted;  // a fast machine may be done before it is asked
    EXPECT_TRUE(equal(y, expected).item<bool>()) << workers << " workers";
    expect_all(z, 0.25f);
  }
  runtime::set_num_workers(2);
}

}  // namespace
}  // namespace gotorch
