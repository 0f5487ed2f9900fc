#include "data/dataset.h"

#include "data/collate.h"
#include "tests/tensor/values.h"

namespace gotorch {
namespace {

TEST(TensorDataset, ItemsAreTheRowsOfItsTensors) {
  const Tensor labels = ramp({3}, Dtype::Int64);
  const TensorDataset data(ramp({3, 2}), labels);
  EXPECT_EQ(data.size(), 3);
  EXPECT_TRUE(std::get<1>(data.tensors()).is(labels));
  const auto [x, y] = data.get(2);
  EXPECT_EQ(values(x), (Numbers{4, 5}));
  EXPECT_EQ(y.item<int64_t>(), 2);
  EXPECT_EQ(y.dim(), 0);
}

TEST(TensorDataset, BatchesAreCopiesOfRowsOfAnyLayout) {
  const Tensor x = ramp({2, 3});
  for (const Tensor& of : {x, t(ramp({3, 2}))}) {
    const TensorDataset data(of);
    const auto [batch] = data.get_batch(std::vector<int64_t>{1, 0, 1});
    EXPECT_EQ(shape_of(batch), (Shape{3, 3}));
    EXPECT_EQ(values(batch),
              values(index_select(of, 0, tensor_of<int64_t>(std::vector<int64_t>{1, 0, 1}, 3))));
  }
  EXPECT_EQ(shape_of(std::get<0>(TensorDataset(x).get_batch({}))), (Shape{0, 3}));
  EXPECT_EQ(std::get<0>(TensorDataset(ramp({2, 0})).get(1)).numel(), 0);
  EXPECT_EQ(std::get<0>(TensorDataset(ramp({2, 0})).get_batch(std::vector<int64_t>{1})).numel(), 0);
}

TEST(TensorDataset, RefusesWhatHasNoRows) {
  EXPECT_ERROR("tensors of 3 and 2 rows", TensorDataset(ramp({3}), ramp({2})));
  EXPECT_ERROR("0-d", TensorDataset(ramp({})));
  const TensorDataset data(ramp({3}));
  EXPECT_ERROR("index 3 is out of bounds", data.get(3));
  EXPECT_ERROR("index -1 is out of bounds", data.get_batch(std::vector<int64_t>{0, -1}));
}

TEST(Subset, PicksItems) {
  const Subset some(TensorDataset(ramp({4})), {3, 1});
  EXPECT_EQ(some.size(), 2);
  EXPECT_EQ(std::get<0>(some.get(0)).item<float>(), 3);
  EXPECT_EQ(values(std::get<0>(some.get_batch(std::vector<int64_t>{1, 0}))), (Numbers{1, 3}));
  EXPECT_ERROR("index 2 of 2 items", some.get(2));
}

TEST(Collate, StacksTensorsOfAnyLayout) {
  const Tensor a = ramp({2, 3}), b = t(ramp({3, 2})), c = a + 1;
  EXPECT_EQ(values(collate({a, b, c})), values(stack(Tensors{a, b, c})));
  EXPECT_EQ(shape_of(collate({ramp({0, 2}), ramp({0, 2})})), (Shape{2, 0, 2}));
  EXPECT_EQ(shape_of(collate(std::vector{ramp({})})), (Shape{1}));
}

TEST(Collate, MakesTensorsOfNumbersAndTuplesOfFields) {
  EXPECT_EQ(collate(std::vector<int64_t>{1, 2}).dtype(), Dtype::Int64);
  EXPECT_EQ(values(collate(std::vector<double>{1.5, 2})), (Numbers{1.5, 2}));
  const auto [x, y] = collate(std::vector<std::tuple<Tensor, int>>{{ramp({2}), 5}, {ramp({2}), 6}});
  EXPECT_EQ(shape_of(x), (Shape{2, 2}));
  EXPECT_EQ(values(y), (Numbers{5, 6}));
  const auto [p, q] = collate(std::vector<std::pair<float, bool>>{{1.f, true}, {2.f, false}});
  EXPECT_EQ(values(p), (Numbers{1, 2}));
  EXPECT_EQ(values(q), (Numbers{1, 0}));
}

TEST(Collate, NamesTheItemThatDiffers) {
  EXPECT_ERROR("got [2] at entry 0 and [3] at entry 1", collate({ramp({2}), ramp({3})}));
  EXPECT_ERROR("item 1 is float64", collate({ramp({2}), ramp({2}, Dtype::Double)}));
  EXPECT_ERROR("no items", collate(std::vector<Tensor>{}));
}

}  // namespace
}  // namespace gotorch
