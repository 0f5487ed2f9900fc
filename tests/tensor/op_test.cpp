#include "tensor/ops.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/promote.h"

namespace gotorch {
namespace {

Tensor ramp(IntList shape, Dtype dtype = Dtype::Float) {
  Tensor t = empty(shape, dtype);
  dispatch(dtype, [&]<class T>() {
    for (int64_t i = 0; i < t.numel(); i++)
      t.data<T>()[i] = static_cast<T>(static_cast<Compute<T>>(i));
  });
  return t;
}

Tensor transposed(const Tensor& x) {
  return alias(x, DimVector{x.size(1), x.size(0)}, DimVector{x.strides()[1], x.strides()[0]},
               x.offset());
}

// Small runs at once, large is deferred, and both broadcast.
TEST(Pointwise, BroadcastsRowsAndColumns) {
  for (int64_t n : {1, 7, 64, 1000}) {
    const Tensor a = ramp({n, 1}), b = ramp({33});
    const Tensor c = a + b * 2;
    ASSERT_EQ(c.is_pending(), n * 33 >= kDeferFrom);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < 33; j++)
        ASSERT_EQ(c.data<float>()[i * 33 + j], static_cast<float>(i + 2 * j));
  }
}

TEST(Pointwise, ReadsStridedOperands) {
  const Tensor a = ramp({100, 70});
  const Tensor b = transposed(a) + transposed(a);
  for (int64_t i = 0; i < 70; i++)
    for (int64_t j = 0; j < 100; j++) ASSERT_EQ(b.data<float>()[i * 100 + j], 2.0f * (j * 70 + i));
}

TEST(Pending, InnerValuesThatAreHeldAreWrittenInTheSamePass) {
  const Tensor x = ramp({5000});
  const Tensor held = x + 1;
  const Tensor y = (held * 2 + 3) * 0.5;
  y.evaluate();
  EXPECT_FALSE(held.is_pending());
  EXPECT_EQ(held.data<float>()[4999], 5000.0f);
  EXPECT_EQ(y.data<float>()[10], (11 * 2 + 3) * 0.5f);
}

TEST(Pending, WritingAnOperandEvaluatesItsReadersFirst) {
  Tensor x = ramp({5000});
  const Tensor y = x * 2;
  const Tensor z = y + 1;
  const Value add_one[] = {x, 1.0, 1};
  call_inplace(ops::add, add_one);
  EXPECT_EQ(x.data<float>()[7], 8.0f);
  EXPECT_EQ(y.data<float>()[7], 14.0f);
  const Value add_y[] = {y, 100.0, 1};
  call_inplace(ops::add, add_y);
  EXPECT_EQ(z.data<float>()[7], 15.0f);
}

TEST(Pending, LongChainsAreEvaluatedInPieces) {
  Tensor x = ramp({5000});
  for (int i = 0; i < 500; i++) x = x + 1;
  EXPECT_EQ(x.data<float>()[1], 501.0f);
  Tensor y = ramp({5000}) * 1e-30;
  for (int i = 0; i < 100; i++) y = y * y;
  EXPECT_EQ(y.data<float>()[4999], 0.0f);
}

TEST(Pending, SixteenBitFloatsRoundAfterEachOp) {
  const Tensor x = ramp({5000}, Dtype::BFloat16);
  const Tensor y = (x + 0.5) * x;
  for (int i : {0, 3, 255, 257, 4999}) {
    const float a = BFloat16(static_cast<float>(i));
    const BFloat16 sum(a + 0.5f);
    ASSERT_EQ(y.data<BFloat16>()[i].bits, BFloat16(static_cast<float>(sum) * a).bits);
  }
}

TEST(Promotion, FollowsTensorsThenZeroDimThenNumbers) {
  const auto of = [](const Tensor& a, const Operand& b) { return (a + b).dtype(); };
  EXPECT_EQ(of(empty({2}, Dtype::Int32), 1.5), Dtype::Float);
  EXPECT_EQ(of(empty({2}, Dtype::Int8), 1), Dtype::Int8);
  EXPECT_EQ(of(empty({2}, Dtype::Half), empty({}, Dtype::Double)), Dtype::Half);
  EXPECT_EQ(of(empty({2}, Dtype::Int32), empty({}, Dtype::Double)), Dtype::Double);
  EXPECT_EQ(of(empty({2}, Dtype::UInt8), empty({2}, Dtype::Int8)), Dtype::Int16);
  EXPECT_EQ(of(empty({2}, Dtype::Half), empty({2}, Dtype::BFloat16)), Dtype::Float);
  EXPECT_EQ(of(zeros({2}, Dtype::Bool), 1), Dtype::Int64);
}

TEST(Errors, NameTheOpAndTheShapes) {
  try {
    empty({2, 3}, Dtype::Float) + empty({4}, Dtype::Float);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("add: "), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("[2, 3]"), std::string::npos);
  }
  EXPECT_THROW(neg(empty({2}, Dtype::Bool)), NotImplementedError);
  EXPECT_THROW(empty({int64_t{1} << 40, int64_t{1} << 40}, Dtype::Float), Error);
  EXPECT_THROW(empty({-1}, Dtype::Float), Error);
}

}  // namespace
}  // namespace gotorch
