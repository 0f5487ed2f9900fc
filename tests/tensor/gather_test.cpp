#include <cmath>

#include "tests/tensor/values.h"

namespace gotorch {
namespace {

Tensor ints(std::vector<int64_t> v, IntList shape) { return tensor_of<int64_t>(v, shape); }

TEST(Gather, ReadsWhereIndexIsSmallerOrLonger) {
  const Tensor x = ramp({3, 4});
  EXPECT_EQ(values(gather(x, 1, ints({3, 0, 1, 2, 2, 2, 0, 0, 0, 3}, {2, 5}))),
            (Numbers{3, 0, 1, 2, 2, 6, 4, 4, 4, 7}));
  EXPECT_EQ(values(gather(t(x), 0, ints({3, 1}, {1, 2}))), (Numbers{3, 5}));
  EXPECT_EQ(gather(ramp({}), 0, ints({0}, {})).item<double>(), 0);
  EXPECT_EQ(gather(x, 0, ints({}, {0})).numel(), 0);
  EXPECT_EQ(error_of<Error>([&] { gather(x, 0, ints({3}, {1, 1})); }),
            "gather: index 3 is out of bounds for dimension 0 with size 3");
  EXPECT_ERROR("to be no larger than self [3, 4] apart from dimension 1",
               gather(x, 1, ints({0, 0, 0, 0}, {4, 1})));
}

TEST(Scatter, WritesIntoAPartOfAnyLayout) {
  const Tensor x = zeros({3, 4});
  EXPECT_EQ(values(scatter(x, 1, ints({3, 0}, {2, 1}), ramp({2, 2}) + 1)),
            (Numbers{0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0}));
  ops::scatter_value.inplace(t(x), 1, ints({2, 1}, {1, 2}), 5);
  EXPECT_EQ(values(x), (Numbers{0, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0}));
  EXPECT_ERROR("Expected self.dtype to be equal to src.dtype",
               scatter(x, 0, ints({0}, {1, 1}), ramp({1, 1}, Dtype::Double)));
  EXPECT_ERROR("out of bounds", scatter(x, 0, ints({0, 3}, {2, 1}), ramp({2, 1})));
}

TEST(Scatter, AddsInOrderAtRepeatedPlaces) {
  const Tensor x = zeros({2});
  EXPECT_EQ(values(scatter_add(x, 0, ints({1, 1, 0}, 3), ramp({3}) + 1)), (Numbers{3, 3}));
  const Tensor half = full({2}, 1, Dtype::Half);
  EXPECT_EQ(values(scatter_add(half, 0, ints({1, 1, 0}, 3), ramp({3}, Dtype::Half))),
            (Numbers{3, 2}));
  const Tensor y = x + 9;
  EXPECT_EQ(values(scatter_reduce(y, 0, ints({1, 1}, 2), ramp({2}) + 1, "mean")), (Numbers{9, 4}));
  EXPECT_EQ(values(scatter_reduce(y, 0, ints({1, 1}, 2), ramp({2}) + 1, "amax", false)),
            (Numbers{9, 2}));
  EXPECT_EQ(values(scatter(y, 0, ints({1}, 1), ramp({1}) + 2, "multiply")), (Numbers{9, 18}));
  EXPECT_ERROR("got foo", scatter_reduce(x, 0, ints({1}, 1), ramp({1}), "foo"));
}

TEST(IndexSelect, TakesAddsCopiesAndFillsSlices) {
  const Tensor x = ramp({2, 3});
  EXPECT_EQ(values(index_select(x, 1, ints({2, 0, 2}, 3))), (Numbers{2, 0, 2, 5, 3, 5}));
  EXPECT_EQ(values(index_add(x, 0, ints({1, 1}, 2), ones({2, 3}), 2)), (Numbers{0, 1, 2, 7, 8, 9}));
  EXPECT_EQ(values(index_copy(x, 1, ints({2}, 1), ones({2, 1}))), (Numbers{0, 1, 1, 3, 4, 1}));
  EXPECT_EQ(values(index_fill(x, 1, ints({-1, 0}, 2), 9)), (Numbers{9, 1, 9, 9, 4, 9}));
  EXPECT_ERROR("Number of indices (1) should be equal to source.size(dim): (2)",
               index_add(x, 0, ints({1}, 1), ones({2, 3})));
  EXPECT_ERROR("index 2 is out of bounds for dimension 0 with size 2",
               index_copy(x, 0, ints({2}, 1), ones({1, 3})));
  EXPECT_EQ(values(take(x, ints({5, -6}, {2, 1}))), (Numbers{5, 0}));
  EXPECT_ERROR("tried to access index 6 on a tensor of 6 elements", take(x, ints({6}, 1)));
  EXPECT_EQ(values(take_along_dim(x, argsort(x, 1, true), 1)), (Numbers{2, 1, 0, 5, 4, 3}));
}

TEST(Mask, SelectsScattersAndCounts) {
  const Tensor x = ramp({2, 3});
  EXPECT_EQ(values(masked_select(x, x > 3)), (Numbers{4, 5}));
  EXPECT_EQ(values(masked_scatter(x, x > 3, ramp({4}) * 10)), (Numbers{0, 1, 2, 3, 0, 10}));
  EXPECT_EQ(values(nonzero(x > 3)), (Numbers{1, 1, 1, 2}));
  EXPECT_EQ(shape_of(nonzero(ones({}))), (Shape{1, 0}));
  EXPECT_ERROR("expected BoolTensor", masked_select(x, x));
  EXPECT_ERROR("< number of ones in mask: 1 < 2", masked_scatter(x, x > 3, ones({1})));
}

TEST(Embedding, ReadsRowsAndRefusesOthers) {
  const Tensor table = ramp({4, 2});
  EXPECT_EQ(values(embedding(ints({3, 0}, {1, 2}), table)), (Numbers{6, 7, 0, 1}));
  EXPECT_EQ(error_of<IndexError>([&] { embedding(ints({4}, 1), table); }),
            "embedding: index out of range in self: 4 with 4 rows");
  EXPECT_EQ(error_of<IndexError>([&] { embedding(ints({-1}, 1), table); }),
            "embedding: index out of range in self: -1 with 4 rows");
  EXPECT_EQ(values(embedding_backward(ones({3, 2}), ints({1, 1, 2}, 3), 4, 2, false)),
            (Numbers{0, 0, 2, 2, 0, 0, 0, 0}));
  embedding(ints({3, 3}, 2), table, {}, 1.0);
  EXPECT_NEAR(linalg_vector_norm(select(table, 0, 3)).item<double>(), 1, 1e-6);
  EXPECT_EQ(values(one_hot(ints({1, 0}, 2))), (Numbers{0, 1, 1, 0}));
  EXPECT_EQ(values(bincount(ints({1, 1, 3}, 3))), (Numbers{0, 2, 0, 1}));
  EXPECT_ERROR("non-negative", one_hot(ints({-1}, 1)));
}

TEST(Sort, OrdersAnyDimAndTellsPlaces) {
  const Tensor x = tensor_of<float>(std::vector<float>{3, NAN, 2, 0, 5, 4}, {2, 3});
  EXPECT_EQ(values(sort(x, 1, true)[1]), (Numbers{1, 0, 2, 1, 2, 0}));
  EXPECT_EQ(values(sort(t(x), 0)[1]), (Numbers{2, 0, 0, 2, 1, 1}));
  EXPECT_EQ(values(topk(x, 1, 1)[1]), (Numbers{1, 1}));
  EXPECT_EQ(values(kthvalue(x, 2)[0]), (Numbers{3, 4}));
  EXPECT_EQ(values(median(ramp({4, 3}), 0)[0]), (Numbers{3, 4, 5}));
  EXPECT_TRUE(std::isnan(median(x).item<double>()));
  EXPECT_EQ(nanmedian(x).item<double>(), 3);
  EXPECT_EQ(sort(ramp({}))[0].item<double>(), 0);
  EXPECT_ERROR("selected index k out of range", topk(x, 4));
  EXPECT_ERROR("selected number k out of range for dimension 1", kthvalue(x, 0));
}

TEST(Unique, GivesInverseAndCounts) {
  const auto [v, inverse, counts] = _unique2(ints({3, 1, 3, 2}, {2, 2}), true, true, true);
  EXPECT_EQ(values(v), (Numbers{1, 2, 3}));
  EXPECT_EQ(values(inverse), (Numbers{2, 0, 2, 1}));
  EXPECT_EQ(shape_of(inverse), (Shape{2, 2}));
  EXPECT_EQ(values(counts), (Numbers{1, 1, 2}));
  EXPECT_EQ(values(_unique_consecutive(ints({1, 1, 2, 1}, 4))[0]), (Numbers{1, 2, 1}));
  const auto [rows, of, times] =
      _unique_dim(ints({3, 1, 0, 5, 3, 1}, {3, 2}), 0, false, true, true);
  EXPECT_EQ(values(rows), (Numbers{0, 5, 3, 1}));
  EXPECT_EQ(values(of), (Numbers{1, 0, 1}));
  EXPECT_EQ(values(times), (Numbers{1, 2}));
}

TEST(Searchsorted, TakesSharedAndOwnSequences) {
  const Tensor s = ramp({3}) + 1;
  EXPECT_EQ(searchsorted(s, 2.0).item<int64_t>(), 1);
  EXPECT_EQ(values(searchsorted(s, ints({0, 2, 4}, 3), false, true)), (Numbers{0, 2, 3}));
  EXPECT_EQ(values(searchsorted(ramp({2, 3}), full({2, 1}, 1.0))), (Numbers{1, 0}));
  EXPECT_EQ(bucketize(5, s, true).dtype(), Dtype::Int32);
  EXPECT_ERROR("boundaries tensor should be 1 dimension", searchsorted(ramp({2, 3}), ramp({3})));
  EXPECT_ERROR("side can only be", searchsorted(s, 1.0, false, false, "foo"));
}

TEST(Scan, RunsAlongAnyDim) {
  const Tensor x = ramp({2, 3}) + 1;
  EXPECT_EQ(values(cumsum(x, 0)), (Numbers{1, 2, 3, 5, 7, 9}));
  EXPECT_EQ(values(cumprod(t(x), 0)), (Numbers{1, 4, 2, 20, 6, 120}));
  EXPECT_EQ(cumsum(x > 1, 1).dtype(), Dtype::Int64);
  EXPECT_EQ(values(cummax(flip(x, 1), 1)[1]), (Numbers{0, 0, 0, 0, 0, 0}));
  EXPECT_NEAR(values(logcumsumexp(full({3}, 1000.0), 0))[2], 1000 + std::log(3.0), 1e-3);
  EXPECT_EQ(values(diff(x, 1, 0)), (Numbers{3, 3, 3}));
  EXPECT_EQ(values(cummin(x < 2, 0)[0]), (Numbers{1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(cumsum(ramp({}), 0).dim(), 0);
}

}  // namespace
}  // namespace gotorch
