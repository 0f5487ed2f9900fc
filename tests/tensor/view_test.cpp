#include "tensor/view.h"

#include "tests/tensor/values.h"

namespace gotorch {
namespace {

TEST(View, SharesMemoryAndVersion) {
  const Tensor x = ramp({2, 6});
  const Tensor y = view(x, {3, -1});
  EXPECT_EQ(shape_of(y), (Shape{3, 4}));
  y.before_write();
  y.data<float>()[0] = 9;
  EXPECT_EQ(x.data<float>()[0], 9);
  EXPECT_EQ(x.version(), y.version());
  EXPECT_TRUE(y->base.get() == x.impl());
}

TEST(View, OfTransposedFailsWhereReshapeCopies) {
  const Tensor x = transpose(ramp({2, 3}), 0, 1);
  EXPECT_ERROR("view: view size is not compatible", view(x, 6));
  EXPECT_EQ(values(reshape(x, -1)), (Numbers{0, 3, 1, 4, 2, 5}));
  // Splitting a dim of a transposed tensor needs no copy.
  EXPECT_TRUE(view(x, {3, 2, 1})->base.get() != nullptr);
}

TEST(View, RefusesShapesThatDoNotFit) {
  const Tensor x = ramp({3, 5});
  EXPECT_ERROR("shape [5, 5] is invalid for input of size 15", view(x, {5, 5}));
  EXPECT_ERROR("only one dimension can be inferred", view(x, {-1, -1}));
  EXPECT_ERROR("invalid shape dimension -2", view(x, {-2, 5}));
  EXPECT_ERROR("ambiguous", view(ramp({0, 3}), {-1, 0}));
}

TEST(View, OfAnotherDtypeScalesTheLastDimension) {
  const Tensor x = ramp({2, 4}, Dtype::Float);
  EXPECT_EQ(shape_of(view(x, Dtype::Int64)), (Shape{2, 2}));
  EXPECT_EQ(shape_of(view(x, Dtype::Int8)), (Shape{2, 16}));
  EXPECT_EQ(view(x, Dtype::Int32).data<int32_t>()[1], 0x3f800000);
  EXPECT_ERROR("must be divisible by 2", view(ramp({2, 3}), Dtype::Double));
}

TEST(Permute, MovesStridesAndChecksDims) {
  const Tensor x = ramp({2, 3, 4});
  const Tensor y = permute(x, {2, 0, -2});
  EXPECT_EQ(shape_of(y), (Shape{4, 2, 3}));
  EXPECT_EQ(values(select(select(y, 0, 1), 0, 1)), (Numbers{13, 17, 21}));
  EXPECT_ERROR("duplicate dims", permute(x, {0, 1, 1}));
  EXPECT_EQ(shape_of(movedim(x, 0, -1)), (Shape{3, 4, 2}));
  EXPECT_EQ(shape_of(movedim(x, {0, 1}, {2, 0})), (Shape{3, 4, 2}));
  EXPECT_EQ(shape_of(t(ramp({3}))), (Shape{3}));
}

TEST(Expand, RepeatsWithoutACopyAndRefusesWrites) {
  const Tensor x = ramp({3, 1});
  const Tensor y = expand(x, {2, -1, 2});
  EXPECT_EQ(values(y), (Numbers{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(y.raw(), x.raw());
  const Value args[] = {y, 1.0, 1};
  EXPECT_ERROR("more than one element of the written-to tensor", call_inplace(ops::add, args));
}

TEST(Squeeze, DropsAllOrTheNamedOnes) {
  const Tensor x = ramp({1, 3, 1});
  EXPECT_EQ(shape_of(squeeze(x)), (Shape{3}));
  EXPECT_EQ(shape_of(squeeze(x, 0)), (Shape{3, 1}));
  EXPECT_EQ(shape_of(squeeze(x, {0, 1})), (Shape{3, 1}));
  EXPECT_EQ(shape_of(unsqueeze(ramp({}), -1)), (Shape{1}));
  EXPECT_ERROR("got 5", unsqueeze(x, 5));
}

TEST(Flatten, JoinsARangeAndUnflattenSplitsIt) {
  const Tensor x = ramp({2, 3, 4});
  EXPECT_EQ(shape_of(flatten(x, 1)), (Shape{2, 12}));
  EXPECT_EQ(shape_of(flatten(x, 0, 1)), (Shape{6, 4}));
  EXPECT_EQ(shape_of(flatten(ramp({}))), (Shape{1}));
  EXPECT_EQ(shape_of(unflatten(x, -1, {-1, 2})), (Shape{2, 3, 2, 2}));
  EXPECT_ERROR("don't multiply up", unflatten(x, 1, {2, 2}));
}

TEST(Slice, ClampsLikePython) {
  const Tensor x = ramp({10});
  EXPECT_EQ(values(slice(x, 0, -3)), (Numbers{7, 8, 9}));
  EXPECT_EQ(values(slice(x, 0, 2, 100, 3)), (Numbers{2, 5, 8}));
  EXPECT_EQ(slice(x, 0, 5, 2).numel(), 0);
  EXPECT_EQ(slice(x, 0, 50, INT64_MAX, INT64_MAX).numel(), 0);
  EXPECT_EQ(values(slice(x, 0, 3, INT64_MAX, INT64_MAX)), (Numbers{3}));
  EXPECT_EQ(values(narrow(x, 0, -2, 2)), (Numbers{8, 9}));
  EXPECT_ERROR("start (8) + length (3) exceeds dimension size (10)", narrow(x, 0, 8, 3));
  EXPECT_EQ(error_of<IndexError>([&] { select(x, 0, 10); }),
            "select: select(): index 10 out of range for tensor of size [10] at dimension 0");
}

TEST(Split, CoversTheDimension) {
  const Tensor x = ramp({7, 2});
  std::vector<Shape> shapes;
  for (const Tensor& part : split(x, 3)) shapes.push_back(shape_of(part));
  EXPECT_EQ(shapes, (std::vector<Shape>{{3, 2}, {3, 2}, {1, 2}}));
  EXPECT_EQ(chunk(x, 5).size(), 4u);
  EXPECT_EQ(values(split(x, {6, 1})[1]), (Numbers{12, 13}));
  EXPECT_EQ(unbind(x, 1).size(), 2u);
  EXPECT_EQ(split(ramp({0}), 0).size(), 1u);
  EXPECT_EQ(chunk(ramp({0}), 2).size(), 2u);
  EXPECT_ERROR("to sum exactly to 7", split(x, {INT64_MAX, INT64_MAX, 9}));
}

TEST(Diagonal, StepsThroughBothDims) {
  const Tensor x = ramp({3, 4});
  EXPECT_EQ(values(diagonal(x, 1)), (Numbers{1, 6, 11}));
  EXPECT_EQ(values(diagonal(x, -2)), (Numbers{8}));
  EXPECT_EQ(diagonal(x, INT64_MIN).numel(), 0);
  EXPECT_EQ(values(diag(ramp({2}), 1)), (Numbers{0, 0, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_ERROR("too large", diag(ramp({2}), INT64_MIN));
}

TEST(Unfold, ViewsOverlappingWindows) {
  const Tensor x = ramp({5});
  EXPECT_EQ(values(unfold(x, 0, 3, 1)), (Numbers{0, 1, 2, 1, 2, 3, 2, 3, 4}));
  EXPECT_EQ(values(unfold_backward(ones({3, 3}), 5, 0, 3, 1)), (Numbers{1, 2, 3, 2, 1}));
  EXPECT_EQ(shape_of(unfold(ramp({}), 0, 1, 1)), (Shape{1}));
}

TEST(AsStrided, IsCheckedAgainstTheStorage) {
  const Tensor x = ramp({6});
  EXPECT_EQ(values(as_strided(x, {2, 2}, {1, 2}, 1)), (Numbers{1, 3, 2, 4}));
  EXPECT_ERROR("out of bounds for storage", as_strided(x, {2, 3}, {24, 1}));
  EXPECT_ERROR("negative strides", as_strided(x, {2}, {-1}));
  EXPECT_ERROR("63 bits", as_strided(x, {3, 3}, {INT64_MAX, INT64_MAX}));
}

TEST(ViewGradients, PutBackWhereTheyCameFrom) {
  const Tensor g = ones({2});
  EXPECT_EQ(values(slice_backward(g, 5, 0, 1, 5, 2)), (Numbers{0, 1, 0, 1, 0}));
  EXPECT_EQ(values(select_backward(g, {2, 2}, 1, -1)), (Numbers{0, 1, 0, 1}));
}

}  // namespace
}  // namespace gotorch
