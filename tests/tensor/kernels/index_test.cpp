#include "tensor/kernels/index.h"

#include "tensor/kernels/mask.h"
#include "tensor/kernels/scatter.h"
#include "tests/tensor/kernels/testing.h"

namespace gotorch::kernels {
namespace {

const std::vector<Axis> kAxes = {{1, 5, 1},  {3, 7, 1},     {2, 9, 3},
                                 {4, 6, 17}, {1, 300, 513}, {200, 40, 1}};

// Elements that tell where they come from.
template <class T>
std::vector<T> numbered(int64_t n) {
  std::vector<T> x(n);
  for (int64_t i = 0; i < n; i++) x[i] = static_cast<T>(i * 7 + 1);
  return x;
}

template <class T>
class Index : public ::testing::Test {};
using Elements = ::testing::Types<uint8_t, uint16_t, float, double>;
TYPED_TEST_SUITE(Index, Elements);

TYPED_TEST(Index, SelectAndCopyMoveWholeSlices) {
  using T = TypeParam;
  for (Axis a : kAxes) {
    for (int64_t m : {0, 1, 4, 90}) {
      const auto x = numbered<T>(a.size());
      const auto index = random_indices(m, a.n);
      std::vector<T> y(a.outer * m * a.inner), back(a.size()), want_back(a.size());
      ASSERT_FALSE(index_select(x.data(), a, index.data(), m, y.data(), sizeof(T)));
      ASSERT_FALSE(index_copy(back.data(), a, index.data(), m, y.data(), sizeof(T)));
      for (int64_t o = 0; o < a.outer; o++)
        for (int64_t j = 0; j < m; j++)
          for (int64_t i = 0; i < a.inner; i++) {
            const int64_t at = (o * a.n + index[j]) * a.inner + i;
            ASSERT_EQ(y[(o * m + j) * a.inner + i], x[at]);
            want_back[at] = x[at];
          }
      ASSERT_EQ(back, want_back);
    }
  }
}

TYPED_TEST(Index, GatherAndScatterMoveSingleElements) {
  using T = TypeParam;
  for (Axis a : kAxes) {
    for (int64_t m : {0, 1, 4, 90}) {
      const auto x = numbered<T>(a.size()), source = numbered<T>(a.outer * m * a.inner);
      const auto index = random_indices(a.outer * m * a.inner, a.n);
      std::vector<T> y(index.size()), z(a.size()), want(a.size()), ones(a.size()),
          want_ones(a.size());
      const T one = 1;
      ASSERT_FALSE(gather(x.data(), a, index.data(), m, y.data(), sizeof(T)));
      ASSERT_FALSE(scatter(z.data(), a, index.data(), m, source.data(), false, sizeof(T)));
      ASSERT_FALSE(scatter(ones.data(), a, index.data(), m, &one, true, sizeof(T)));
      for (int64_t o = 0; o < a.outer; o++)
        for (int64_t j = 0; j < m; j++)
          for (int64_t i = 0; i < a.inner; i++) {
            const int64_t from = (o * m + j) * a.inner + i,
                          at = (o * a.n + index[from]) * a.inner + i;
            ASSERT_EQ(y[from], x[at]);
            want[at] = source[from];
            want_ones[at] = 1;
          }
      ASSERT_EQ(z, want);
      ASSERT_EQ(ones, want_ones);
    }
  }
}

TEST(Index, ABadIndexIsReturnedBeforeAnythingIsWritten) {
  const Axis a{2, 5, 3};
  for (int64_t value : {int64_t{5}, int64_t{-1}, INT64_MIN, INT64_MAX}) {
    std::vector<int64_t> index(2 * 4 * 3, 2), list(4, 2);
    index[13] = index[20] = value;
    list[3] = value;
    std::vector<float> x(30, 1), y(30, 7), source(24, 2), table(15, 7);
    const auto all = [&](const std::optional<BadIndex>& bad, int64_t position) {
      ASSERT_TRUE(bad);
      EXPECT_EQ(bad->position, position);
      EXPECT_EQ(bad->value, value);
      EXPECT_EQ(bad->bound, 5);
      EXPECT_EQ(y, std::vector<float>(30, 7));
      EXPECT_EQ(table, std::vector<float>(15, 7));
    };
    all(gather(x.data(), a, index.data(), 4, y.data(), 4), 13);
    all(scatter(y.data(), a, index.data(), 4, source.data(), false, 4), 13);
    all(scatter_reduce(ScatterOp::Sum, false, y.data(), a, index.data(), 4, source.data()), 13);
    all(index_select(x.data(), a, list.data(), 4, y.data(), 4), 3);
    all(index_copy(y.data(), a, list.data(), 4, source.data(), 4), 3);
    all(index_add(y.data(), a, list.data(), 4, source.data(), 1.0f), 3);
    all(embedding_backward(source.data(), list.data(), 4, 5, 3, -1, false, table.data()), 3);
  }
  const int64_t zero = 0;
  float x = 0;
  EXPECT_EQ(index_select(&x, {1, 0, 1}, &zero, 1, &x, 4)->bound, 0);
}

template <class T>
T apply(ScatterOp op, T a, T b) {
  switch (op) {
    case ScatterOp::Prod: return static_cast<T>(a * b);
    case ScatterOp::Max: return std::max(a, b);
    case ScatterOp::Min: return std::min(a, b);
    default: return static_cast<T>(a + b);
  }
}

template <class T>
class Scatter : public ::testing::Test {};
using Numbers = ::testing::Types<uint8_t, int8_t, int16_t, int32_t, int64_t, float, double>;
TYPED_TEST_SUITE(Scatter, Numbers);

TYPED_TEST(Scatter, ReductionsMeetValuesInOrder) {
  using T = TypeParam;
  for (ScatterOp op :
       {ScatterOp::Sum, ScatterOp::Prod, ScatterOp::Mean, ScatterOp::Max, ScatterOp::Min})
    for (bool self : {false, true})
      for (Axis a : kAxes) {
        const int64_t m = 5;
        const auto index = random_indices(a.outer * m * a.inner, a.n);
        const auto source = uniform<T>(index.size(), std::is_unsigned_v<T> ? 0 : -5, 5);
        auto y = uniform<T>(a.size(), 0, 3, 8);
        std::vector<std::vector<T>> met(a.size());
        for (int64_t at = 0; at < a.size() && self; at++) met[at] = {y[at]};
        std::vector<bool> touched(a.size());
        for (int64_t k = 0; k < static_cast<int64_t>(index.size()); k++) {
          const int64_t at = (k / (m * a.inner) * a.n + index[k]) * a.inner + k % a.inner;
          met[at].push_back(source[k]);
          touched[at] = true;
        }
        auto want = y;
        for (int64_t at = 0; at < a.size(); at++) {
          if (!touched[at]) continue;
          T v = met[at][0];
          for (size_t k = 1; k < met[at].size(); k++) v = apply(op, v, met[at][k]);
          if (op == ScatterOp::Mean)
            v = std::is_integral_v<T>
                    ? static_cast<T>(std::floor(static_cast<double>(v) / met[at].size()))
                    : v / static_cast<T>(met[at].size());
          want[at] = v;
        }
        ASSERT_FALSE(scatter_reduce(op, self, y.data(), a, index.data(), m, source.data()));
        ASSERT_EQ(y, want);
      }
}

TYPED_TEST(Scatter, IndexAddAddsScaledSlices) {
  using T = TypeParam;
  for (Axis a : kAxes) {
    const int64_t m = 9;
    const auto index = random_indices(m, a.n);
    const auto source = uniform<T>(a.outer * m * a.inner, 0, 4);
    auto y = uniform<T>(a.size(), 0, 3, 8), want = y;
    for (int64_t o = 0; o < a.outer; o++)
      for (int64_t j = 0; j < m; j++)
        for (int64_t i = 0; i < a.inner; i++) {
          T& to = want[(o * a.n + index[j]) * a.inner + i];
          const T term = static_cast<T>(2 * source[(o * m + j) * a.inner + i]);
          to = static_cast<T>(to + term);
        }
    ASSERT_FALSE(index_add(y.data(), a, index.data(), m, source.data(), T(2)));
    ASSERT_EQ(y, want);
  }
}

TEST(Scatter, MaxAndMinKeepNan) {
  for (ScatterOp op : {ScatterOp::Max, ScatterOp::Min}) {
    std::vector<float> y = {1, 2}, source = {3, NAN, 5, 0};
    const std::vector<int64_t> index = {0, 0, 0, 1};
    ASSERT_FALSE(scatter_reduce(op, true, y.data(), {1, 2, 1}, index.data(), 4, source.data()));
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], op == ScatterOp::Max ? 2 : 0);
  }
}

TEST(Embedding, BackwardSumsRowsInOrder) {
  for (auto [rows, n, m] :
       {std::array<int64_t, 3>{1, 4, 7}, {5, 1, 0}, {10, 33, 200}, {3000, 17, 5000}}) {
    for (bool by_frequency : {false, true}) {
      const auto index = random_indices(m, rows);
      const auto g = uniform<float>(m * n);
      std::vector<float> table(rows * n, 7), want(rows * n);
      std::vector<float> uses(rows);
      const int64_t padding = rows > 2 ? 2 : -1;
      for (int64_t j = 0; j < m; j++) {
        uses[index[j]]++;
        for (int64_t i = 0; i < n && index[j] != padding; i++)
          want[index[j] * n + i] += g[j * n + i];
      }
      for (int64_t k = 0; k < rows * n && by_frequency; k++) want[k] /= std::max(1.0f, uses[k / n]);
      ASSERT_FALSE(embedding_backward(g.data(), index.data(), m, rows, n, padding, by_frequency,
                                      table.data()));
      ASSERT_EQ(table, want);
    }
  }
}

TYPED_TEST(Index, MasksSelectScatterAndLocateInOrder) {
  using T = TypeParam;
  for (int64_t n : {0, 1, 7, 100, 32768, 100003}) {
    const auto x = numbered<T>(n);
    const auto random = random_indices(n, 3);
    std::vector<uint8_t> mask(n);
    std::vector<T> want;
    std::vector<int64_t> where;
    for (int64_t i = 0; i < n; i++) {
      mask[i] = random[i] == 0;
      if (mask[i]) want.push_back(x[i]), where.push_back(i);
    }
    const auto offsets = mask_offsets(mask.data(), n);
    ASSERT_EQ(offsets.total(), static_cast<int64_t>(want.size()));
    std::vector<T> y(want.size()), z(n), want_z(n);
    masked_select(x.data(), mask.data(), n, offsets, y.data(), sizeof(T));
    ASSERT_EQ(y, want);
    masked_scatter(z.data(), mask.data(), n, offsets, y.data(), sizeof(T));
    for (int64_t i : where) want_z[i] = x[i];
    ASSERT_EQ(z, want_z);
    std::vector<int64_t> at(where.size());
    nonzero(mask.data(), &n, 1, offsets, at.data());
    ASSERT_EQ(at, where);
  }
}

TEST(Index, NonzeroGivesCoordinates) {
  const std::vector<uint8_t> mask = {0, 1, 0, 0, 0, 1, 1, 0};
  const std::vector<int64_t> sizes = {2, 1, 4};
  const auto offsets = mask_offsets(mask.data(), 8);
  std::vector<int64_t> at(9);
  nonzero(mask.data(), sizes.data(), 3, offsets, at.data());
  EXPECT_EQ(at, (std::vector<int64_t>{0, 0, 1, 1, 0, 1, 1, 0, 2}));
}

TEST(Index, BitsDependOnTheInputOnly) {
  expect_same_bits_everywhere([] {
    const Axis a{3, 200, 700};
    const int64_t m = 150;
    const auto source = uniform<float>(a.outer * m * a.inner);
    const auto index = random_indices(source.size(), a.n);
    std::string all;
    for (ScatterOp op : {ScatterOp::Sum, ScatterOp::Mean}) {
      std::vector<float> y(a.size());
      EXPECT_FALSE(scatter_reduce(op, true, y.data(), a, index.data(), m, source.data()));
      EXPECT_FALSE(index_add(y.data(), a, index.data(), m, source.data(), 0.3f));
      all += bytes(y);
    }
    std::vector<float> table(2000 * 70);
    EXPECT_FALSE(embedding_backward(source.data(), random_indices(4500, 2000).data(), 4500, 2000,
                                    70, -1, false, table.data()));
    return all + bytes(table);
  });
}

}  // namespace
}  // namespace gotorch::kernels
