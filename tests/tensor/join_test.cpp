#include <cmath>

#include "tests/tensor/values.h"

namespace gotorch {
namespace {

Tensors list(std::initializer_list<Tensor> v) { return Tensors(v); }

TEST(Cat, JoinsAlongAnyDimension) {
  const Tensor a = ramp({2, 2}), b = ramp({2, 1});
  EXPECT_EQ(values(cat(list({a, b}), 1)), (Numbers{0, 1, 0, 2, 3, 1}));
  EXPECT_EQ(values(cat(list({a, a}), 0)), (Numbers{0, 1, 2, 3, 0, 1, 2, 3}));
  EXPECT_EQ(values(cat(list({t(a), b}), -1)), (Numbers{0, 2, 0, 1, 3, 1}));
  EXPECT_EQ(cat(list({a, ramp({2, 2}, Dtype::Double)})).dtype(), Dtype::Double);
  EXPECT_EQ(shape_of(cat(list({a, ramp({0})}))), (Shape{2, 2}));
  EXPECT_EQ(shape_of(cat(list({ramp({0}), ramp({0})}))), (Shape{0}));
  EXPECT_ERROR("Expected size 2 but got size 3", cat(list({a, ramp({2, 3})})));
}

TEST(Cat, OfLargePendingAndStridedPartsEqualsTheSmallWay) {
  const Tensor a = ramp({300, 70}), b = ramp({70, 300});
  const Tensor y = cat(list({a + 1, t(b), a}), 1);
  for (int64_t i : {0, 1, 150, 299})
    for (int64_t j = 0; j < 70; j++) {
      ASSERT_EQ(y.data<float>()[i * 210 + j], i * 70 + j + 1);
      ASSERT_EQ(y.data<float>()[i * 210 + 70 + j], j * 300 + i);
      ASSERT_EQ(y.data<float>()[i * 210 + 140 + j], i * 70 + j);
    }
}

TEST(Stack, MakesANewDimension) {
  const Tensor a = ramp({2}), b = ramp({2}) + 5;
  EXPECT_EQ(values(stack(list({a, b}))), (Numbers{0, 1, 5, 6}));
  EXPECT_EQ(values(stack(list({a, b}), -1)), (Numbers{0, 5, 1, 6}));
  EXPECT_EQ(shape_of(stack(list({ramp({}), ramp({})}))), (Shape{2}));
  const Tensor big = ramp({64, 2000});
  EXPECT_EQ(stack(list({big, big * 2}), 1).data<float>()[2000 * 3 + 7], 2 * 2007);
}

TEST(Flip, ReversesAnyDimsOfAnyLayout) {
  const Tensor x = ramp({2, 3});
  EXPECT_EQ(values(flip(x, 1)), (Numbers{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(values(flip(x, {0, 1})), (Numbers{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(values(flip(t(x), 0)), (Numbers{2, 5, 1, 4, 0, 3}));
  EXPECT_EQ(values(flip(x, IntList{})), values(x));
  EXPECT_EQ(flip(ramp({0, 3}), {0, 1}).numel(), 0);
  EXPECT_EQ(flip(ramp({100, 1000}), 0).data<float>()[5], 99005);
}

TEST(Roll, WrapsAround) {
  const Tensor x = ramp({2, 3});
  EXPECT_EQ(values(roll(x, 1)), (Numbers{5, 0, 1, 2, 3, 4}));
  EXPECT_EQ(values(roll(x, -1, 1)), (Numbers{1, 2, 0, 4, 5, 3}));
  EXPECT_EQ(values(roll(x, {1, 301}, {0, 1})), (Numbers{5, 3, 4, 2, 0, 1}));
  EXPECT_EQ(roll(ramp({0}), 3).numel(), 0);
}

TEST(Repeat, TilesIncludingNewDims) {
  const Tensor x = ramp({1, 2});
  EXPECT_EQ(values(repeat(x, {2, 2})), (Numbers{0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(shape_of(repeat(x, {3, 1, 0})), (Shape{3, 1, 0}));
  EXPECT_EQ(shape_of(tile(x, 3)), (Shape{1, 6}));
  EXPECT_ERROR("overflow", repeat(x, {INT64_MAX, INT64_MAX}));
}

TEST(Pad, FramesInAllModes) {
  const Tensor x = ramp({1, 3});
  EXPECT_EQ(values(pad(x, {1, 2})), (Numbers{0, 0, 1, 2, 0, 0}));
  EXPECT_EQ(values(pad(x, {-1, 1}, "constant", 7.0)), (Numbers{1, 2, 7}));
  EXPECT_EQ(values(pad(x, {2, 1}, "reflect")), (Numbers{2, 1, 0, 1, 2, 1}));
  EXPECT_EQ(values(pad(x, {2, 1}, "replicate")), (Numbers{0, 0, 0, 1, 2, 2}));
  EXPECT_EQ(values(pad(x, {2, 1}, "circular")), (Numbers{1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(shape_of(pad(ramp({2, 3, 4}), {1, 1, 2, 2, 3, 3})), (Shape{8, 7, 6}));
  EXPECT_ERROR("negative output size", pad(x, {-2, -2}));
  EXPECT_ERROR("Padding size should be less", pad(x, {3, 0}, "reflect"));
  EXPECT_ERROR("negative output size", pad(x, {INT64_MAX, 2}));
}

TEST(Triangles, KeepOneSideOfTheDiagonal) {
  const Tensor x = ramp({3, 3}) + 1;
  EXPECT_EQ(values(tril(x)), (Numbers{1, 0, 0, 4, 5, 0, 7, 8, 9}));
  EXPECT_EQ(values(triu(x, 1)), (Numbers{0, 2, 3, 0, 0, 6, 0, 0, 0}));
  EXPECT_EQ(values(tril(t(x), INT64_MIN)), Numbers(9, 0));
  const Tensor y = t(contiguous(x));
  const Value args[] = {y, 0};
  call_inplace(ops::tril, args);
  EXPECT_EQ(values(y), (Numbers{1, 0, 0, 2, 5, 0, 3, 6, 9}));
}

TEST(Meshgrid, GivesCoordinates) {
  const Tensors g = meshgrid(list({ramp({2}), ramp({3})}), "xy");
  EXPECT_EQ(values(g[0]), (Numbers{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(values(g[1]), (Numbers{0, 0, 1, 1, 2, 2}));
}

TEST(Copy, InPlaceFromAViewOfItself) {
  const Tensor x = ramp({6});
  const Tensor from = slice(x, 0, 0, 5), to = slice(x, 0, 1, 6);
  const Value args[] = {to, from, false};
  call_inplace(ops::copy, args);
  EXPECT_EQ(values(x), (Numbers{0, 0, 1, 2, 3, 4}));
}

TEST(Cast, IsDeferredAndFused) {
  const Tensor x = ramp({5000});
  const Tensor y = _to_dtype(x * 0.5, Dtype::Int32);
  EXPECT_TRUE(y.is_pending());
  const Tensor z = _to_dtype(_to_dtype(x + 0.1, Dtype::BFloat16), Dtype::Double) * 2;
  EXPECT_EQ(y.data<int32_t>()[4999], 2499);
  EXPECT_EQ(z.data<double>()[300], 2.0 * BFloat16(300.1f));
  EXPECT_EQ(_to_dtype(ramp({3}), Dtype::Bool).data<bool>()[2], true);
}

TEST(Create, InfersDtypesAsPyTorchDoes) {
  EXPECT_EQ(full({2}, 1).dtype(), Dtype::Int64);
  EXPECT_EQ(full({2}, true).dtype(), Dtype::Bool);
  EXPECT_EQ(full({2}, 1.5).dtype(), Dtype::Float);
  EXPECT_EQ(arange(5).dtype(), Dtype::Int64);
  EXPECT_EQ(arange(5.0).dtype(), Dtype::Float);
  EXPECT_ERROR("without overflow", full({2}, 300, Dtype::UInt8));
  EXPECT_ERROR("without overflow", full({2}, 1e60));
  EXPECT_EQ(full({1}, -1, Dtype::UInt8).data<uint8_t>()[0], 255);
  EXPECT_TRUE(std::isinf(full({1}, INFINITY, Dtype::Half).item<double>()));
}

TEST(Create, RangesEndWhereTheyShould) {
  EXPECT_EQ(values(arange(1, 6, 2)), (Numbers{1, 3, 5}));
  EXPECT_EQ(values(arange(5, 0, -2)), (Numbers{5, 3, 1}));
  EXPECT_EQ(arange(0.0, 1.0, 0.1).numel(), 10);
  EXPECT_EQ(arange(3, 3).numel(), 0);
  EXPECT_ERROR("inconsistent with step sign", arange(5, 0));
  EXPECT_ERROR("step must be nonzero", arange(0, 5, 0));
  EXPECT_ERROR("unsupported range", arange(INFINITY));
  EXPECT_ERROR("too many elements", arange(INT64_MIN, INT64_MAX));
  EXPECT_EQ(values(linspace(0, 1, 5)), (Numbers{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(values(logspace(0, 3, 4)), (Numbers{1, 10, 100, 1000}));
  EXPECT_EQ(values(eye(2, 3)), (Numbers{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(values(tril_indices(2, 2)), (Numbers{0, 1, 1, 0, 0, 1}));
}

TEST(Fill, WritesInPlaceThroughAnyView) {
  const Tensor x = ramp({2, 3});
  const Tensor column = select(x, 1, 1);
  const Value args[] = {column, 2.5};
  call_inplace(ops::fill, args);
  EXPECT_EQ(values(x), (Numbers{0, 2.5, 2, 3, 2.5, 5}));
  const Value zero_args[] = {x};
  call_inplace(ops::zero, zero_args);
  EXPECT_EQ(values(x), Numbers(6, 0));
}

}  // namespace
}  // namespace gotorch
