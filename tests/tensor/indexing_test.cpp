#include "tensor/indexing.h"

#include "tests/tensor/values.h"

namespace gotorch {
namespace {

Index all() { return Index::slice(); }
Tensor ints(std::vector<int64_t> v) {
  return tensor_of<int64_t>(v, static_cast<int64_t>(v.size()));
}
Index at(std::vector<int64_t> v) { return Index(ints(v)); }
Tensor cube() { return ramp({2, 3, 4}); }
Tensor mask(std::vector<bool> v, IntList shape) {
  Tensor t = empty(shape, Dtype::Bool);
  std::copy(v.begin(), v.end(), t.data<bool>());
  return t;
}

TEST(Index, BasicIndicesAreViews) {
  const Tensor x = cube();
  const Tensor y = get_index(x, {Index(1), Index::slice(1, {}, 2), Index::new_axis(), Index(-1)});
  EXPECT_EQ(values(y), (Numbers{19}));
  EXPECT_EQ(shape_of(y), (Shape{1, 1}));
  EXPECT_TRUE(y->base.get() == x.impl());
  EXPECT_EQ(shape_of(get_index(x, {Index::ellipsis(), Index(0)})), (Shape{2, 3}));
  EXPECT_EQ(
      shape_of(get_index(x, {Index::new_axis(), Index(0), Index::ellipsis(), Index::new_axis()})),
      (Shape{1, 3, 4, 1}));
  EXPECT_FALSE(get_index(x, {Index::ellipsis()}).is(x));
  EXPECT_EQ(get_index(x, {Index(scalar_tensor(1, Dtype::Int64))}).raw(), x.data<float>() + 12);
}

TEST(Index, ErrorsNameTheDimension) {
  const Tensor x = cube();
  EXPECT_EQ(error_of<IndexError>([&] { get_index(x, {Index(2)}); }),
            "index 2 is out of bounds for dimension 0 with size 2");
  EXPECT_EQ(error_of<IndexError>([&] { get_index(x, {Index::new_axis(), Index(0), Index(-4)}); }),
            "index -4 is out of bounds for dimension 1 with size 3");
  EXPECT_ERROR("too many indices for tensor of dimension 3",
               get_index(x, {Index(0), Index(0), Index(0), Index(0)}));
  EXPECT_ERROR("slice step cannot be zero", get_index(x, {Index::slice({}, {}, 0)}));
  EXPECT_ERROR("step must be greater than zero", get_index(x, {Index::slice({}, {}, -1)}));
  EXPECT_ERROR("invalid index of a 0-dim tensor", get_index(ramp({}), {Index(0)}));
  EXPECT_EQ(error_of<IndexError>([&] { get_index(x, {all(), at({0, 3})}); }),
            "index: index 3 is out of bounds for dimension 1 with size 3");
  EXPECT_ERROR("with shapes [2], [3]", get_index(x, {at({0, 1}), at({0, 1, 2})}));
  EXPECT_ERROR("does not match the shape of the indexed tensor",
               get_index(x, {Index(mask({1, 0, 1}, 3))}));
  EXPECT_ERROR("tensors used as indices must be", get_index(x, {Index(ramp({2}))}));
}

TEST(Index, AdvancedDimsGoWhereNumPyPutsThem) {
  const Tensor x = cube();
  const auto shape = [&](std::initializer_list<Index> i) { return shape_of(get_index(x, i)); };
  EXPECT_EQ(shape({at({0, 1}), all(), at({1, 2})}), (Shape{2, 3}));
  EXPECT_EQ(shape({all(), at({0, 1}), at({1, 2})}), (Shape{2, 2}));
  EXPECT_EQ(shape({Index(0), all(), at({1, 2})}), (Shape{3, 2}));
  EXPECT_EQ(shape({all(), Index::new_axis(), at({0, 1}), Index::new_axis()}),
            (Shape{2, 1, 2, 1, 4}));
  EXPECT_EQ(shape({Index::ellipsis(), at({0, 1})}), (Shape{2, 3, 2}));
  EXPECT_EQ(shape({Index(true)}), (Shape{1, 2, 3, 4}));
  EXPECT_EQ(shape({Index(false)}), (Shape{0, 2, 3, 4}));
  EXPECT_EQ(shape({Index(true), at({0, 1})}), (Shape{2, 3, 4}));
  EXPECT_EQ(shape({Index(mask({1, 0, 1, 0, 0, 1}, {2, 3})), Index::slice(0, 2)}), (Shape{3, 2}));
  EXPECT_EQ(shape({at({})}), (Shape{0, 3, 4}));
}

// Every combination of whole dims and index tensors, against the definition, on several layouts.
TEST(Index, GathersTheNamedElements) {
  const Tensor base = cube();
  for (const Tensor& x :
       {base, permute(ramp({4, 3, 2}), {2, 1, 0}), slice(ramp({2, 3, 8}), 2, 0, 8, 2)}) {
    const Tensor i = ints({1, 0, -1}), j = unsqueeze(ints({2, -3}), 1), k = ints({3});
    const Numbers v = values(x);
    const auto at = [&](int64_t a, int64_t b, int64_t c) {
      return v[((a + 2) % 2 * 3 + (b + 3) % 3) * 4 + c];
    };
    Numbers expected;
    for (int64_t b : {2, -3})
      for (int64_t a : {1, 0, -1}) expected.push_back(at(a, b, 3));
    EXPECT_EQ(values(get_index(x, {Index(i), Index(j), Index(k)})), expected);
    expected.clear();
    for (int64_t a : {1, 0, -1})
      for (int64_t b : {0, 1, 2}) expected.push_back(at(a, b, 3));
    EXPECT_EQ(values(get_index(x, {Index(i), all(), Index(k)})), expected);
    expected.clear();
    for (int64_t a : {0, 1})
      for (int64_t b : {2, -3})
        for (int64_t c : {0, 1, 2, 3}) expected.push_back(at(a, b, c));
    EXPECT_EQ(values(get_index(x, {all(), Index(squeeze(j))})), expected);
    expected.clear();
    for (double e : v)
      if (e > 7) expected.push_back(e);
    EXPECT_EQ(values(get_index(x, {Index(x > 7)})), expected);
  }
}

TEST(Index, OfNothingIsNotOutOfBounds) {
  EXPECT_EQ(shape_of(get_index(zeros({0, 3}), {all(), at({5})})), (Shape{0, 1}));
  EXPECT_ERROR("is out of bounds", get_index(zeros({0, 3}), {at({0})}));
}

TEST(SetIndex, WritesThroughViewsAndPlaces) {
  const Tensor x = zeros({2, 3});
  set_index(x, {Index(0), Index::slice(1)}, 5);
  set_index(x, {at({1, 1}), at({0, -1})}, ints({7, 8}) * 1.0);
  EXPECT_EQ(values(x), (Numbers{0, 5, 5, 7, 0, 8}));
  set_index(x, {Index(x > 6)}, -1.0);
  EXPECT_EQ(values(x), (Numbers{0, 5, 5, -1, 0, -1}));
  set_index(x, {Index(x < 0)}, ints({1, 2}) * 1.0);
  EXPECT_EQ(values(x), (Numbers{0, 5, 5, 1, 0, 2}));
  set_index(x, {Index(mask({1, 0}, 2))}, 3.0);
  set_index(x, {Index(false)}, 9.0);
  set_index(x, {Index(1)}, ramp({1, 1, 3}));
  EXPECT_EQ(values(x), (Numbers{3, 3, 3, 0, 1, 2}));
  set_index(t(x), {at({2, 0})}, tensor_of<float>(std::vector<float>{1, 2}, 2));
  EXPECT_EQ(values(x), (Numbers{1, 3, 1, 2, 1, 2}));
}

TEST(SetIndex, RefusesWhatDoesNotFit) {
  const Tensor x = zeros({2, 3});
  EXPECT_ERROR("must match the existing size", set_index(x, {Index(0)}, ramp({4})));
  EXPECT_ERROR("cannot be broadcast to indexing result of shape [1, 3]",
               set_index(x, {at({0})}, ramp({4})));
  EXPECT_ERROR("source and destination dtypes match",
               set_index(x, {at({0})}, ramp({3}, Dtype::Double)));
  EXPECT_ERROR("out of bounds", set_index(x, {at({0, 2})}, 1.0));
  EXPECT_ERROR("without overflow", set_index(x, {at({0})}, 1e60));
  EXPECT_EQ(values(x), Numbers(6, 0));
}

TEST(IndexPut, AccumulatesInOrder) {
  const Tensor x = zeros({3, 2});
  const Tensors where{ints({1, 1, 0})};
  EXPECT_EQ(values(index_put(x, where, ramp({3, 2}), true)), (Numbers{4, 5, 2, 4, 0, 0}));
  EXPECT_EQ(values(index_put(x, where, ramp({3, 2}))), (Numbers{4, 5, 2, 3, 0, 0}));
  const Tensor half = zeros({3, 2}, Dtype::Half);
  EXPECT_EQ(values(index_put(half, where, ramp({3, 2}, Dtype::Half), true)),
            (Numbers{4, 5, 2, 4, 0, 0}));
  // Its own indices.
  const Tensor self = ints({2, 0, 1});
  const Tensors own{self};
  ops::index_put.inplace(self, own, ints({5, 6, 7}));
  EXPECT_EQ(values(self), (Numbers{6, 7, 5}));
}

TEST(Index, GradientAddsUpAtRepeatedPlaces) {
  const Tensor x = zeros({3, 70});
  Tensors where{ints(std::vector<int64_t>(1000, 2))};
  const Tensor g = ones({1000, 70});
  EXPECT_EQ(index_put(x, where, g, true).data<float>()[2 * 70 + 69], 1000);
  const Tensors columns{Tensor(), ints({5, 5, 6})};
  EXPECT_EQ(values(select(index_put(x, columns, ones({3, 3}), true), 1, 5)), (Numbers{2, 2, 2}));
}

}  // namespace
}  // namespace gotorch
