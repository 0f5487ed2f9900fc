#include "tensor/reduce.h"

#include <cmath>
#include <numeric>

#include "runtime/parallel.h"
#include "tests/tensor/values.h"

namespace gotorch {
namespace {

// Repeatable numbers in [-1, 1) without structure.
Tensor noise(IntList shape, Dtype dtype = Dtype::Float) {
  Tensor t = empty(shape, Dtype::Double);
  uint64_t state = 88172645463325252u;
  for (int64_t i = 0; i < t.numel(); i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    t.data<double>()[i] = static_cast<double>(state >> 11) * 0x1p-52 - 1;
  }
  return copy_of(t, dtype);
}

// For each output, in row-major order, the elements it is made of.
std::vector<Numbers> parts(const Tensor& x, const std::vector<bool>& reduced) {
  const Numbers v = values(x);
  int64_t outputs = 1;
  for (size_t d = 0; d < reduced.size(); d++) outputs *= reduced[d] ? 1 : x.shape()[d];
  std::vector<Numbers> out(outputs);
  for (size_t i = 0; i < v.size(); i++) {
    int64_t rest = static_cast<int64_t>(i), at = 0, scale = 1;
    for (size_t d = reduced.size(); d-- > 0; rest /= x.shape()[d])
      if (!reduced[d]) {
        at += rest % x.shape()[d] * scale;
        scale *= x.shape()[d];
      }
    out[at].push_back(v[i]);
  }
  return out;
}

DimVector list_of(const std::vector<bool>& reduced) {
  DimVector out;
  for (size_t d = 0; d < reduced.size(); d++)
    if (reduced[d]) out.push_back(static_cast<int64_t>(d));
  return out;
}

double sum_of(const Numbers& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double var_of(const Numbers& v) {
  const double mean = sum_of(v) / static_cast<double>(v.size());
  double m2 = 0;
  for (double a : v) m2 += (a - mean) * (a - mean);
  return m2 / static_cast<double>(v.size() - 1);
}

void expect_reductions(const Tensor& x, const std::vector<bool>& mask) {
  const auto all = parts(x, mask);
  const DimVector over = list_of(mask);
  const Numbers s = values(sum(x, over)), hi = values(amax(x, over)), lo = values(amin(x, over)),
                v = values(var(x, over));
  const Numbers norms = values(linalg_vector_norm(x, 2, over));
  ASSERT_EQ(s.size(), all.size());
  for (size_t i = 0; i < all.size(); i++) {
    const auto n = static_cast<double>(all[i].size());
    ASSERT_NEAR(s[i], sum_of(all[i]), 3e-6 * std::sqrt(n))
        << text(x.shape(), " over ", Dims(over), " at ", i);
    ASSERT_EQ(hi[i], *std::max_element(all[i].begin(), all[i].end()))
        << text(x.shape(), " over ", Dims(over));
    ASSERT_EQ(lo[i], *std::min_element(all[i].begin(), all[i].end()))
        << text(x.shape(), " over ", Dims(over));
    double squares = 0;
    for (double a : all[i]) squares += a * a;
    ASSERT_NEAR(norms[i], std::sqrt(squares), 2e-6 * std::sqrt(squares) + 1e-12);
    if (n > 1) {
      ASSERT_NEAR(v[i], var_of(all[i]), 1e-5) << text(x.shape(), " over ", Dims(over));
    }
  }
}

TEST(Reduce, CoversEverySetOfDims) {
  const Tensor x = noise({3, 4, 5, 6});
  for (int bits = 1; bits < 16; bits++) {
    const std::vector<bool> mask{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0,
                                 (bits & 8) != 0};
    expect_reductions(x, mask);
    expect_reductions(transpose(x, 0, 2), mask);
    expect_reductions(permute(x, {3, 2, 1, 0}), mask);
    expect_reductions(slice(noise({3, 4, 5, 14}), 3, 1, 13, 2), mask);
    expect_reductions(expand(noise({4, 1, 6}), {3, 4, 5, 6}), mask);
  }
}

TEST(Reduce, RowsOfSizesAroundVectorsAndBlocks) {
  for (int64_t n : {1,  2,  7,   8,   9,   15,   16,   17,   31,   33,    63,
                    64, 65, 127, 128, 257, 1023, 1024, 1025, 2049, 65535, 65537})
    for (int64_t rows : {1, 3}) {
      expect_reductions(noise({rows, n}), {false, true});
      expect_reductions(noise({rows, n}, Dtype::Double), {false, true});
    }
}

TEST(Reduce, ColumnsOfSizesAroundVectorsAndPanels) {
  for (int64_t cols : {2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 511, 512, 513, 1300})
    for (int64_t n : {1, 2, 15, 16, 17, 33, 150})
      expect_reductions(noise({n, cols}), {true, false});
  expect_reductions(noise({9000, 17}), {true, false});
  expect_reductions(noise({3, 700, 200}, Dtype::Double), {false, true, false});
}

TEST(Reduce, ReadsPendingExpressionsWithoutWritingThem) {
  const Tensor x = noise({70, 90});
  const Tensor y = x * 2 + 1, same = copy_of(y, Dtype::Float);
  for (auto over : {DimVector{0}, DimVector{1}, DimVector{0, 1}}) {
    const Tensor from_pending = sum(x * 2 + 1, over);
    EXPECT_EQ(values(from_pending), values(sum(same, over)));
    EXPECT_EQ(values(var(x * 2 + 1, over)), values(var(same, over)));
  }
  const Tensor wide = noise({40, 3000});
  EXPECT_EQ(values(sum(wide * 3, 0)), values(sum(copy_of(wide * 3, Dtype::Float), 0)));
  EXPECT_EQ(values(amax(wide * 3, 0)), values(amax(copy_of(wide * 3, Dtype::Float), 0)));
}

TEST(Reduce, BitsDoNotDependOnWorkers) {
  const Tensor x = noise({300, 1001}), tall = noise({20000, 33});
  const int before = runtime::num_workers();
  std::vector<Numbers> seen;
  for (int workers : {1, 2, 3}) {
    runtime::set_num_workers(workers);
    Numbers all;
    for (const Tensor& t : {sum(x), sum(x, 0), sum(x, 1), var(x), var(tall, 0), sum(tall, 0),
                            prod(tall), linalg_vector_norm(tall)})
      for (double v : values(t)) all.push_back(v);
    seen.push_back(all);
  }
  runtime::set_num_workers(before);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

TEST(Sum, OfManyFloatsIsAccurate) {
  const int64_t many = (1 << 24) + 1000;
  EXPECT_EQ(sum(expand(ones({1}), {many})).item<double>(), static_cast<double>(many));
  EXPECT_EQ(sum(expand(ones({1, 3}), {many, 3}), 0).data<float>()[2], static_cast<float>(many));
  const Tensor tenth = full({1}, 0.1);
  const double exact = 1e7 * static_cast<double>(0.1f);
  EXPECT_NEAR(sum(expand(tenth, {10000000})).item<double>() / exact, 1, 3e-6);
}

TEST(Sum, ChoosesTheResultDtype) {
  EXPECT_EQ(sum(ones({3}, Dtype::Bool)).dtype(), Dtype::Int64);
  EXPECT_EQ(sum(ones({3}, Dtype::Bool)).item<int64_t>(), 3);
  EXPECT_EQ(sum(full({300}, 100, Dtype::Int8)).item<int64_t>(), 30000);
  EXPECT_EQ(sum(full({3}, 1, Dtype::Int32), {}, false, Dtype::Half).dtype(), Dtype::Half);
  // In bfloat16 the sum would stop at 256.
  EXPECT_EQ(sum(ones({4096}, Dtype::BFloat16)).item<double>(), 4096);
  EXPECT_EQ(mean(full({70000}, 2, Dtype::Half)).item<double>(), 2);
  EXPECT_ERROR("could not infer output dtype", mean(ones({3}, Dtype::Int64)));
  EXPECT_EQ(sum(full({2}, INT64_MAX)).item<int64_t>(), -2);
}

TEST(Reduce, OfNothingGivesTheNeutralElementOrAnError) {
  const Tensor none = zeros({0, 3});
  EXPECT_EQ(values(sum(none, 0)), Numbers(3, 0));
  EXPECT_EQ(values(prod(none, 0)), Numbers(3, 1));
  EXPECT_EQ(sum(none, 1).numel(), 0);
  EXPECT_TRUE(std::isnan(mean(none).item<double>()));
  EXPECT_TRUE(std::isnan(var(none).item<double>()));
  EXPECT_FALSE(any(none).item<bool>());
  EXPECT_TRUE(all(none).item<bool>());
  EXPECT_EQ(values(logsumexp(none, 0)), Numbers(3, -INFINITY));
  EXPECT_EQ(linalg_vector_norm(none).item<double>(), 0);
  EXPECT_EQ(error_of<IndexError>([&] { amax(none, 0); }),
            "amax: Expected reduction dim 0 to have non-zero size.");
  EXPECT_ERROR("Expected reduction dim to be specified", max(none));
  EXPECT_ERROR("Expected reduction dim to be specified", argmax(none));
  EXPECT_EQ(amax(none, 1).numel(), 0);
  EXPECT_EQ(max(none, 1)[1].numel(), 0);
}

TEST(Max, NaNWinsAndTheFirstOfEqualsIsNamed) {
  for (Dtype d : {Dtype::Float, Dtype::Double, Dtype::Half, Dtype::BFloat16})
    for (int64_t n : {5, 40, 1100, 70000}) {
      Tensor x = zeros({n, 3}, d);
      const Tensor column = select(x, 1, 1);
      for (int64_t at : {n - 1, n / 2, int64_t{2}})
        store_scalar(static_cast<std::byte*>(x.raw()) + (at * 3 + 1) * x.item_size(), d, NAN);
      store_scalar(static_cast<std::byte*>(x.raw()) + (1 * 3 + 2) * x.item_size(), d, 7);
      store_scalar(static_cast<std::byte*>(x.raw()) + ((n - 1) * 3 + 2) * x.item_size(), d, 7);
      const auto [v, i] = max(x, 0);
      EXPECT_EQ(values(i), (Numbers{0, 2, 1}));
      EXPECT_TRUE(std::isnan(values(v)[1]));
      EXPECT_TRUE(std::isnan(amax(column).item<double>()));
      EXPECT_EQ(argmax(column).item<int64_t>(), 2);
      EXPECT_EQ(argmin(column).item<int64_t>(), 2);
      EXPECT_EQ(argmin(contiguous(column)).item<int64_t>(), 2);
      EXPECT_EQ(values(argmin(x, 0)), (Numbers{0, 2, 0}));
    }
}

TEST(Max, WorksOnEveryDtype) {
  for (Dtype d : {Dtype::UInt8, Dtype::Int8, Dtype::Int16, Dtype::Int32, Dtype::Int64, Dtype::Float,
                  Dtype::Double}) {
    const Tensor x = ramp({4, 30}, d);
    EXPECT_EQ(max(x).item<int64_t>(), 119);
    EXPECT_EQ(min(x).dtype(), d);
    EXPECT_EQ(values(amax(x, 1)), (Numbers{29, 59, 89, 119}));
    EXPECT_EQ(values(max(x, 0)[1]), Numbers(30, 3));
    EXPECT_EQ(argmax(t(x)).item<int64_t>(), 119);
    EXPECT_EQ(argmax(t(slice(x, 1, 0, 29))).item<int64_t>(), 28 * 4 + 3);
  }
  EXPECT_TRUE(max(ramp({2}, Dtype::Bool)).item<bool>());
  EXPECT_ERROR("does not support bool", argmax(ramp({2}, Dtype::Bool)));
}

TEST(Argmax, NamesPlacesInLongRowsAndColumns) {
  const Tensor x = noise({3, 200000});
  const auto v = values(x);
  const Numbers places = values(argmax(x, 1)), smallest = values(argmin(t(x), 0));
  for (int64_t r = 0; r < 3; r++) {
    const auto begin = v.begin() + r * 200000;
    EXPECT_EQ(places[r], static_cast<double>(std::max_element(begin, begin + 200000) - begin));
    EXPECT_EQ(smallest[r], static_cast<double>(std::min_element(begin, begin + 200000) - begin));
  }
  EXPECT_EQ(values(argmax(contiguous(t(x)), 0)), places);
}

TEST(Var, IsRightFarFromZero) {
  const Tensor x = noise({50000}, Dtype::Double) + 1e6;
  const double expected = var_of(values(x));
  EXPECT_NEAR(var(x).item<double>() / expected, 1, 1e-9);
  const Tensor tall = reshape(x, {-1, 1}) + zeros({1, 3}, Dtype::Double);
  EXPECT_NEAR(var(tall, 0).data<double>()[1] / expected, 1, 1e-9);
  EXPECT_EQ(var(full({5, 4}, 1e30), 0).data<float>()[0], 0);
  EXPECT_TRUE(std::isnan(var(ones({1})).item<double>()));
  EXPECT_ERROR("not both", var(x, {}, true, false, 1));
}

TEST(Var, TakesCorrectionsAndGivesTheMean) {
  const Tensor x = ramp({3});
  EXPECT_EQ(var(x, {}, false).item<double>(), static_cast<double>(2.0f / 3));
  EXPECT_EQ(std(x).item<double>(), 1);
  EXPECT_NEAR(var(x, {}, {}, false, 0.5).item<double>(), 0.8, 1e-6);
  const auto [v, m] = var_mean(ramp({2, 3}), 1, {}, true);
  EXPECT_EQ(values(v), (Numbers{1, 1}));
  EXPECT_EQ(values(m), (Numbers{1, 4}));
  EXPECT_EQ(shape_of(m), (Shape{2, 1}));
}

TEST(Norm, HandlesEveryOrderAndLargeNumbers) {
  const Tensor x = ramp({2, 3}) - 2;
  EXPECT_EQ(linalg_vector_norm(x, 0).item<double>(), 5);
  EXPECT_EQ(linalg_vector_norm(x, 1).item<double>(), 9);
  EXPECT_EQ(linalg_vector_norm(x, INFINITY).item<double>(), 3);
  EXPECT_EQ(linalg_vector_norm(x, -INFINITY).item<double>(), 0);
  EXPECT_NEAR(linalg_vector_norm(x, 3).item<double>(), std::cbrt(8 + 1 + 1 + 8 + 27), 1e-5);
  EXPECT_EQ(linalg_vector_norm(full({4}, 1e30)).item<double>(), static_cast<double>(2 * 1e30f));
  EXPECT_ERROR("does not have an identity", linalg_vector_norm(zeros({0}), INFINITY));
}

TEST(Logsumexp, NeitherOverflowsNorLosesInfinities) {
  EXPECT_NEAR(logsumexp(full({10}, 1e4), 0).item<double>(), 1e4 + std::log(10.0), 1e-2);
  EXPECT_EQ(logsumexp(full({2}, -INFINITY), 0).item<double>(), -INFINITY);
  EXPECT_EQ(logsumexp(full({2}, INFINITY), 0).item<double>(), INFINITY);
  EXPECT_EQ(shape_of(logsumexp(ramp({2, 3, 4}), {0, 2}, true)), (Shape{1, 3, 1}));
}

TEST(SumTo, UndoesABroadcast) {
  const Tensor x = ramp({2, 3, 4});
  EXPECT_EQ(values(sum_to(x, DimVector{3, 1})), (Numbers{60, 92, 124}));
  EXPECT_EQ(sum_to(x, DimVector{}).item<double>(), 276);
  EXPECT_TRUE(sum_to(x, x.shape()).is(x));
  EXPECT_ERROR("size [5] is not expandable to size [2, 3, 4]", sum_to(x, DimVector{5}));
}

TEST(Prod, GradientIsTheProductOfTheOthersAlsoAtZeros) {
  EXPECT_EQ(values(prod(ramp({2, 3}) + 1, 1)), (Numbers{6, 120}));
  EXPECT_EQ(prod(full({3}, 2, Dtype::Int8)).dtype(), Dtype::Int64);
}

TEST(NaN, IsLeftOutByNansumAndCountedByAny) {
  const Tensor x = tensor_of<float>(std::vector<float>{1, NAN, 3}, 3);
  EXPECT_EQ(nansum(x).item<double>(), 4);
  EXPECT_EQ(nanmean(x).item<double>(), 2);
  EXPECT_TRUE(any(full({1}, NAN)).item<bool>());
  EXPECT_EQ(any(ones({2}, Dtype::UInt8)).dtype(), Dtype::UInt8);
  EXPECT_EQ(count_nonzero(ramp({2, 3}), 0).data<int64_t>()[0], 1);
}

}  // namespace
}  // namespace gotorch
