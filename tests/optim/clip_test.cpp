#include "optim/clip.h"

#include <cmath>
#include <limits>

#include "grad/autograd.h"
#include "tensor/ops.h"
#include "tests/runtime/workers.h"

namespace gotorch {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor values(int64_t n, float scale = 1) {
  Tensor x = empty(n, Dtype::Float);
  for (int64_t i = 0; i < n; i++) x.data<float>()[i] = scale * static_cast<float>(i % 7 - 3);
  return x;
}
Tensor with_grad(const Tensor& g) {
  const Tensor p = requires_grad(zeros(g.shape()));
  set_grad(p, g);
  return p;
}

class Clip : public runtime::OnWorkers {
 protected:
  void TearDown() override { runtime::set_num_workers(2); }
};

TEST_P(Clip, NormsAreThoseOfOneLongVector) {
  for (int64_t n : {0, 1, 7, 8, 9, 31, 33, 1023, 1025, 32767, 32769, 100001}) {
    const std::vector<Tensor> tensors{values(n), zeros(3), values(5, 2)};
    double two = 0, one = 0, cube = 0, largest = 0;
    for (const Tensor& t : tensors)
      for (int64_t i = 0; i < t.numel(); i++) {
        const double v = std::abs(t.data<float>()[i]);
        two += v * v, one += v, cube += v * v * v, largest = std::max(largest, v);
      }
    EXPECT_NEAR(total_norm(tensors, 2).item<double>(), std::sqrt(two), 1e-6 * std::sqrt(two)) << n;
    EXPECT_NEAR(total_norm(tensors, 1).item<double>(), one, 1e-6 * one) << n;
    EXPECT_NEAR(total_norm(tensors, 3).item<double>(), std::cbrt(cube), 1e-6 * std::cbrt(cube));
    EXPECT_EQ(total_norm(tensors, kInf).item<double>(), largest) << n;
    EXPECT_EQ(total_norm(tensors, -kInf).item<double>(), 0) << n;
    EXPECT_EQ(total_norm(tensors, 0).item<double>(), n > 0 ? 2 : 1) << n;
  }
}

TEST_P(Clip, ReadsStridedHalfAndPendingTensors) {
  const Tensor x = values(20000);
  const std::vector<Tensor> contiguous{x};
  const double expected = total_norm(contiguous).item<double>();
  const std::vector<Tensor> half{_to_dtype(x, Dtype::BFloat16)};
  EXPECT_NEAR(total_norm(half).item<double>(), expected, expected / 128);
  const std::vector<Tensor> pending{x * 2};
  EXPECT_NEAR(total_norm(pending).item<double>(), 2 * expected, 1e-4 * expected);
  const std::vector<Tensor> strided{transpose(reshape(x, {100, 200}), 0, 1)};
  EXPECT_NEAR(total_norm(strided).item<double>(), expected, 1e-6 * expected);
}

TEST_P(Clip, ScalesAllGradientsTogether) {
  const std::vector<Tensor> parameters{with_grad(tensor_of<float>(std::vector<float>{3}, 1)),
                                       with_grad(tensor_of<float>(std::vector<float>{4}, 1)),
                                       requires_grad(zeros(2))};
  EXPECT_EQ(clip_grad_norm_(parameters, 1).item<float>(), 5);
  EXPECT_NEAR(grad_of(parameters[0]).item<float>(), 0.6f, 1e-6f);
  EXPECT_NEAR(grad_of(parameters[1]).item<float>(), 0.8f, 1e-6f);
  clip_grad_norm_(parameters, 10);  // below the limit: unchanged
  EXPECT_NEAR(grad_of(parameters[1]).item<float>(), 0.8f, 1e-6f);
  EXPECT_EQ(clip_grad_norm_({}, 1).item<float>(), 0);
}

TEST_P(Clip, LargeValuesDoNotOverflowAndInfinitiesAreReported) {
  const std::vector<Tensor> large{values(100, 1e30f)};
  EXPECT_TRUE(std::isfinite(total_norm(large).item<double>()));
  Tensor x = values(10);
  x.data<float>()[3] = NAN;
  const std::vector<Tensor> wrong{x};
  EXPECT_TRUE(std::isnan(total_norm(wrong).item<float>()));
  EXPECT_TRUE(std::isnan(total_norm(wrong, kInf).item<float>()));
  EXPECT_THROW(total_norm(wrong, 2, true), Error);
}

TEST_P(Clip, ValuesAreLimitedOneByOne) {
  const std::vector<Tensor> parameters{with_grad(values(7))};
  clip_grad_value_(parameters, 2);
  const float expected[] = {-2, -2, -1, 0, 1, 2, 2};
  for (int i = 0; i < 7; i++) EXPECT_EQ(grad_of(parameters[0]).data<float>()[i], expected[i]);
}

INSTANTIATE_TEST_SUITE_P(Workers, Clip, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace gotorch
