#include "tensor/kernels/sort.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "tensor/dtype.h"
#include "tensor/kernels/unique.h"
#include "tests/tensor/kernels/testing.h"

namespace gotorch::kernels {
namespace {

// Few distinct values, so that there are ties, and the special ones for floating types.
template <class T>
std::vector<T> with_ties(int64_t n) {
  const auto random = random_indices(n, 40);
  std::vector<T> x(n);
  for (int64_t i = 0; i < n; i++) {
    const int v = static_cast<int>(random[i]) - (std::is_unsigned_v<T> ? 0 : 20);
    if constexpr (std::is_integral_v<T>) x[i] = static_cast<T>(v);
    else
      x[i] = v == 19   ? static_cast<T>(NAN)
             : v == 18 ? static_cast<T>(INFINITY)
             : v == 17 ? static_cast<T>(-INFINITY)
             : v == 16 ? static_cast<T>(-0.0f)
                       : static_cast<T>(v * 0.5f);
  }
  return x;
}

template <class T>
std::vector<T> spread(int64_t n) {
  std::mt19937_64 random(5);
  std::vector<T> x(n);
  for (T& v : x) v = static_cast<T>(static_cast<int64_t>(random()) >> 3);
  return x;
}

template <class T>
bool is_nan(T x) {
  return static_cast<Compute<T>>(x) != static_cast<Compute<T>>(x);
}
// NaN is the largest.
template <class T>
bool less(T x, T y) {
  const Compute<T> a = x, b = y;
  return is_nan(y) ? !is_nan(x) : a < b;
}
template <class T>
bool same(T x, T y) {
  return std::memcmp(&x, &y, sizeof(T)) == 0;
}

// The positions of a row in stable order.
template <class T>
std::vector<int64_t> order_of(const std::vector<T>& x, int64_t n, int64_t at, int64_t stride,
                              bool descending) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    const T a = x[at + i * stride], b = x[at + j * stride];
    return descending ? less(b, a) : less(a, b);
  });
  return order;
}

template <class T>
void check(Axis a, const std::vector<T>& x, bool descending, int64_t k) {
  std::vector<T> values(a.size()), top(a.rows() * k), kth(a.rows());
  std::vector<int64_t> indices(a.size()), top_at(a.rows() * k), kth_at(a.rows());
  sort(x.data(), a, descending, values.data(), indices.data());
  topk(x.data(), a, k, descending, top.data(), top_at.data());
  if (k > 0 && !descending) kth_value(x.data(), a, k, kth.data(), kth_at.data());
  for (int64_t r = 0; r < a.rows(); r++) {
    const int64_t at = r / a.inner * a.n * a.inner + r % a.inner;
    const int64_t top_row = r / a.inner * k * a.inner + r % a.inner;
    const auto want = order_of(x, a.n, at, a.inner, descending);
    for (int64_t j = 0; j < a.n; j++) {
      ASSERT_EQ(indices[at + j * a.inner], want[j]);
      ASSERT_TRUE(same(values[at + j * a.inner], x[at + want[j] * a.inner]));
      if (j < k) {
        ASSERT_EQ(top_at[top_row + j * a.inner], want[j]);
        ASSERT_TRUE(same(top[top_row + j * a.inner], x[at + want[j] * a.inner]));
      }
    }
    if (k > 0 && !descending) {
      const int64_t i = want[k - 1];
      ASSERT_EQ(kth_at[r], i);
      ASSERT_TRUE(same(kth[r], x[at + i * a.inner]));
    }
  }
}

template <class T>
class Sort : public ::testing::Test {};
using Types =
    ::testing::Types<uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat16, float, double>;
TYPED_TEST_SUITE(Sort, Types);

TYPED_TEST(Sort, SortTopkAndKthValueFollowTheStableOrder) {
  using T = TypeParam;
  for (bool descending : {false, true}) {
    for (int64_t n : kSizes)
      for (int64_t k : {int64_t{0}, std::min<int64_t>(n, 3), n}) {
        check({3, n, 1}, with_ties<T>(3 * n), descending, k);
        check({2, n, 5}, with_ties<T>(10 * n), descending, k);
      }
    check({1, 5000, 1}, with_ties<T>(5000), descending, 100);
    check({1, 140000, 1}, spread<T>(140000), descending, 100);
  }
}

TYPED_TEST(Sort, OutputsMayBeLeftOut) {
  using T = TypeParam;
  const auto x = with_ties<T>(50);
  std::vector<T> values(50);
  std::vector<int64_t> indices(50);
  sort<T>(x.data(), {1, 50, 1}, false, values.data(), nullptr);
  sort<T>(x.data(), {1, 50, 1}, false, nullptr, indices.data());
  for (int i = 0; i < 50; i++) EXPECT_TRUE(same(values[i], x[indices[i]]));
}

TYPED_TEST(Sort, MedianIsTheLowerMiddle) {
  using T = TypeParam;
  for (int64_t n : kSizes) {
    if (n == 0) continue;
    const auto x = with_ties<T>(n);
    const auto order = order_of(x, n, 0, 1, false);
    const int64_t numbers = std::count_if(x.begin(), x.end(), [](T v) { return !is_nan(v); });
    T value;
    int64_t index;
    median<T>(x.data(), {1, n, 1}, false, &value, &index);
    EXPECT_EQ(index, numbers < n ? order[numbers] : order[(n - 1) / 2]);
    median<T>(x.data(), {1, n, 1}, true, &value, &index);
    EXPECT_EQ(index, numbers == 0 ? 0 : order[(numbers - 1) / 2]);
    EXPECT_TRUE(same(value, x[index]));
  }
}

TYPED_TEST(Sort, UniqueCountsRuns) {
  using T = TypeParam;
  for (int64_t n : {0, 1, 17, 1000, 140000}) {
    const auto x = with_ties<T>(n);
    for (bool sorted : {true, false}) {
      std::vector<int64_t> order = order_of(x, n, 0, 1, false);
      if (!sorted) std::iota(order.begin(), order.end(), 0);
      Runs want;
      want.inverse.resize(n);
      for (int64_t j = 0; j < n; j++) {
        const Compute<T> v = x[order[j]], before = x[order[j > 0 ? j - 1 : 0]];
        if (j == 0 || v != before) want.first.push_back(order[j]), want.count.push_back(0);
        want.count.back()++;
        want.inverse[order[j]] = want.first.size() - 1;
      }
      const Runs got = unique(x.data(), n, sorted, true);
      ASSERT_EQ(got.first, want.first);
      ASSERT_EQ(got.count, want.count);
      ASSERT_EQ(got.inverse, want.inverse);
      ASSERT_TRUE(unique(x.data(), n, sorted, false).inverse.empty());
    }
  }
}

TYPED_TEST(Sort, SearchsortedCountsSmallerElements) {
  using T = TypeParam;
  for (int64_t n : kSizes) {
    auto rows = with_ties<T>(2 * n);
    const auto value = with_ties<T>(2 * 30);
    std::replace_if(rows.begin(), rows.end(), is_nan<T>, T(1));
    for (int r = 0; r < 2; r++)
      std::sort(rows.begin() + r * n, rows.begin() + (r + 1) * n, less<T>);
    for (bool shared : {true, false})
      for (bool right : {true, false}) {
        std::vector<int64_t> y(60);
        searchsorted(rows.data(), shared, 2, n, value.data(), 30, right, y.data());
        for (int64_t i = 0; i < 60; i++) {
          const T* row = rows.data() + (shared ? 0 : i / 30 * n);
          const int64_t want = std::count_if(row, row + n, [&](T v) {
            const Compute<T> a = v, b = value[i];
            return is_nan(value[i]) || (right ? a <= b : a < b);
          });
          ASSERT_EQ(y[i], want);
        }
      }
  }
}

}  // namespace
}  // namespace gotorch::kernels
