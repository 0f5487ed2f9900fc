#include "tensor/kernels/cross_entropy.h"

#include "tests/tensor/kernels/testing.h"

namespace gotorch::kernels {
namespace {

struct Case {
  int64_t n, c, s;
  bool weighted;
  double smoothing;
  Reduction reduction;
};

template <class T>
struct Run {
  std::vector<T> x, weight, max, sum, loss, g, gx;
  std::vector<int64_t> target;
  T total_weight = 0;
  ClassLoss<T> p;

  explicit Run(Case k)
      : x(uniform<T>(k.n * k.c * k.s, -5, 5)),
        weight(uniform<T>(k.c, 0.1, 2, 7)),
        max(k.n * k.s),
        sum(k.n * k.s),
        loss(k.reduction == Reduction::None ? k.n * k.s : 1),
        g(uniform<T>(loss.size(), 0.5, 1, 9)),
        gx(x.size()),
        target(random_indices(k.n * k.s, k.c)) {
    for (size_t i = 2; i < target.size(); i += 5) target[i] = -100;
    p = {.x = x.data(),
         .target = target.data(),
         .weight = k.weighted ? weight.data() : nullptr,
         .n = k.n,
         .c = k.c,
         .s = k.s,
         .reduction = k.reduction,
         .smoothing = k.smoothing,
         .total_weight = &total_weight,
         .max = max.data(),
         .sum = sum.data()};
  }
};

// The definition in long double, with its gradient; log_p is x itself for nll_loss.
template <class T>
struct Reference {
  std::vector<long double> loss, gx;
  Reference(const Run<T>& r, bool logits) : gx(r.x.size()) {
    const auto& p = r.p;
    const auto w = [&](int64_t c) {
      return p.weight ? static_cast<long double>(p.weight[c]) : 1.0L;
    };
    long double total = 0, weights = 0;
    for (int64_t i = 0; i < p.n * p.s; i++)
      if (p.target[i] != p.ignore_index) weights += w(p.target[i]);
    for (int64_t i = 0; i < p.n * p.s; i++) {
      const auto at = [&](int64_t c) { return (i / p.s * p.c + c) * p.s + i % p.s; };
      const int64_t t = p.target[i];
      if (t == p.ignore_index) {
        loss.push_back(0);
        continue;
      }
      long double lse = 0, each = 0, g = r.g[p.reduction == Reduction::None ? i : 0];
      if (p.reduction == Reduction::Mean) g /= weights;
      for (int64_t c = 0; c < p.c && logits; c++)
        lse += std::exp(static_cast<long double>(r.x[at(c)]));
      lse = logits ? std::log(lse) : 0;
      std::vector<long double> share(p.c);  // of every class in the loss
      for (int64_t c = 0; c < p.c; c++)
        share[c] = (c == t ? (1 - p.smoothing) * w(t) : 0) + p.smoothing / p.c * w(c);
      long double shares = 0;
      for (int64_t c = 0; c < p.c; c++) each += share[c] * (lse - r.x[at(c)]), shares += share[c];
      for (int64_t c = 0; c < p.c; c++)
        gx[at(c)] = g * ((logits ? shares * std::exp(r.x[at(c)] - lse) : 0) - share[c]);
      loss.push_back(each);
      total += each;
    }
    if (p.reduction == Reduction::Sum) loss = {total};
    if (p.reduction == Reduction::Mean) loss = {total / weights};
  }
};

template <class T>
void is_close(Case k, bool logits) {
  Run<T> r(k);
  ASSERT_FALSE(logits ? cross_entropy(r.p, r.loss.data()) : nll_loss(r.p, r.loss.data()));
  ASSERT_FALSE(logits ? cross_entropy_backward(r.p, r.g.data(), r.gx.data())
                      : nll_loss_backward(r.p, r.g.data(), r.gx.data()));
  const Reference<T> want(r, logits);
  for (size_t i = 0; i < r.loss.size(); i++)
    ASSERT_TRUE(near(r.loss[i], want.loss[i],
                     eps<T> * static_cast<double>(64 + 32 * std::abs(want.loss[i]))));
  for (size_t i = 0; i < r.gx.size(); i++) ASSERT_TRUE(near(r.gx[i], want.gx[i], 64 * eps<T>));
}

template <class T>
class CrossEntropy : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CrossEntropy, Types);

TYPED_TEST(CrossEntropy, LossAndGradientAreCloseToTheDefinition) {
  for (Reduction reduction : {Reduction::None, Reduction::Mean, Reduction::Sum})
    for (bool weighted : {false, true})
      for (double smoothing : {0.0, 0.1})
        for (auto [n, c, s] : {std::array<int64_t, 3>{9, 1, 1},
                               {9, 10, 1},
                               {3, 17, 1},
                               {4, 1000, 1},
                               {2, 3, 300},
                               {3, 21, 17},
                               {70, 2, 5}})
          is_close<TypeParam>({n, c, s, weighted, smoothing, reduction}, true);
}

TYPED_TEST(CrossEntropy, NllLossIsCloseToTheDefinition) {
  for (Reduction reduction : {Reduction::None, Reduction::Mean, Reduction::Sum})
    for (bool weighted : {false, true})
      for (int64_t s : {1, 13}) is_close<TypeParam>({9, 10, s, weighted, 0, reduction}, false);
}

TYPED_TEST(CrossEntropy, NothingToAverageIsNan) {
  Run<TypeParam> empty({0, 5, 1, false, 0, Reduction::Mean});
  ASSERT_FALSE(cross_entropy(empty.p, empty.loss.data()));
  EXPECT_TRUE(std::isnan(empty.loss[0]));
  for (int64_t s : {1, 4}) {
    Run<TypeParam> r({3, 5, s, false, 0, Reduction::Mean});
    std::fill(r.target.begin(), r.target.end(), -100);
    ASSERT_FALSE(cross_entropy(r.p, r.loss.data()));
    EXPECT_TRUE(std::isnan(r.loss[0]));
    ASSERT_FALSE(cross_entropy_backward(r.p, r.g.data(), r.gx.data()));
    EXPECT_EQ(r.gx, std::vector<TypeParam>(r.gx.size(), 0));
  }
}

TYPED_TEST(CrossEntropy, ConfidentLogitsLoseNoDigits) {
  Run<TypeParam> r({1, 2, 1, false, 0, Reduction::Sum});
  r.x = {1000, 0};
  r.target = {1};
  ASSERT_FALSE(cross_entropy(r.p, r.loss.data()));
  EXPECT_EQ(r.loss[0], 1000);
}

TYPED_TEST(CrossEntropy, TheFirstInvalidTargetIsReturnedAndNothingWritten) {
  for (int64_t s : {1, 3}) {
    for (int64_t value : {int64_t{10}, int64_t{-1}, INT64_MIN, INT64_MAX}) {
      Run<TypeParam> r({8, 10, s, true, 0.1, Reduction::None});
      r.target[5] = value;
      r.target[6] = 11;
      const auto loss = r.loss, gx = r.gx;
      for (const auto& bad : {cross_entropy(r.p, r.loss.data()), nll_loss(r.p, r.loss.data()),
                              cross_entropy_backward(r.p, r.g.data(), r.gx.data()),
                              nll_loss_backward(r.p, r.g.data(), r.gx.data())}) {
        ASSERT_TRUE(bad);
        EXPECT_EQ(bad->position, 5);
        EXPECT_EQ(bad->value, value);
        EXPECT_EQ(bad->bound, 10);
      }
      EXPECT_EQ(r.loss, loss);
      EXPECT_EQ(r.gx, gx);
    }
  }
}

TYPED_TEST(CrossEntropy, BitsDependOnTheInputOnly) {
  expect_same_bits_everywhere([] {
    std::string all;
    for (Case k : {Case{700, 130, 1, true, 0.1, Reduction::Mean},
                   Case{3, 21, 2000, false, 0, Reduction::Mean}}) {
      Run<TypeParam> r(k);
      EXPECT_FALSE(cross_entropy(r.p, r.loss.data()));
      EXPECT_FALSE(cross_entropy_backward(r.p, r.g.data(), r.gx.data()));
      all += bytes(r.loss, r.gx, r.max, r.sum);
    }
    return all;
  });
}

}  // namespace
}  // namespace gotorch::kernels
