#include "data/loader.h"

#include <atomic>

#include "runtime/parallel.h"
#include "runtime/timer.h"
#include "tests/tensor/values.h"

namespace gotorch {
namespace {

using namespace std::chrono_literals;

// Item i is (i, i * i); counts the calls that are going on.
struct Squares {
  int64_t n;
  int64_t fails_at = -1;
  std::shared_ptr<std::atomic<int64_t>> calls = std::make_shared<std::atomic<int64_t>>(0);

  int64_t size() const { return n; }
  std::tuple<float, int64_t> get(int64_t i) const {
    ++*calls;
    if (i == fails_at) throw std::out_of_range("no item " + std::to_string(i));
    if (i % 3 == 0) runtime::yield();
    return {static_cast<float>(i), i * i};
  }
};

template <class L>
Numbers labels_of(L& loader) {
  Numbers all;
  for (auto [x, y] : loader)
    for (double v : values(y)) all.push_back(v);
  return all;
}

class Loader : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Workers, Loader, testing::Values(0, 1, 2, 5));

TEST_P(Loader, BatchesComeInOrder) {
  for (int64_t n : {0, 1, 7, 8, 9, 100}) {
    DataLoader loader(Squares{n}, {.batch_size = 8, .workers = GetParam()});
    EXPECT_EQ(loader.size(), (n + 7) / 8);
    for (int epoch = 0; epoch < 2; epoch++) {
      int64_t i = 0;
      for (auto [x, y] : loader) {
        EXPECT_EQ(x.dtype(), Dtype::Float);
        EXPECT_EQ(x.size(0), std::min<int64_t>(8, n - i));
        for (int64_t k = 0; k < x.size(0); k++, i++) {
          EXPECT_EQ(x.data<float>()[k], i);
          EXPECT_EQ(y.data<int64_t>()[k], i * i);
        }
      }
      EXPECT_EQ(i, n);
    }
  }
}

// What torch's loader gives after torch.manual_seed(3).
TEST_P(Loader, ShufflesAsPyTorchDoes) {
  default_generator().manual_seed(3);
  DataLoader loader(TensorDataset(ramp({10})),
                    {.batch_size = 4, .shuffle = true, .workers = GetParam()});
  Numbers order;
  for (auto [x] : loader)
    for (double v : values(x)) order.push_back(v);
  EXPECT_EQ(order, (Numbers{6, 2, 0, 1, 8, 3, 5, 4, 7, 9}));
}

TEST_P(Loader, DropsTheLastOrTakesAnySampler) {
  DataLoader dropping(Squares{10}, {.batch_size = 4, .drop_last = true, .workers = GetParam()});
  EXPECT_EQ(dropping.size(), 2);
  EXPECT_EQ(labels_of(dropping).size(), 8u);
  DataLoader picking(Squares{10},
                     {.batch_size = 2,
                      .workers = GetParam(),
                      .sampler = std::make_shared<SubsetRandomSampler>(std::vector<int64_t>{4})});
  EXPECT_EQ(labels_of(picking), Numbers{16});
}

TEST_P(Loader, AnErrorComesAfterTheBatchesBeforeIt) {
  DataLoader loader(Squares{40, 17}, {.batch_size = 4, .workers = GetParam()});
  int64_t got = 0;
  EXPECT_THROW(
      {
        for (auto [x, y] : loader) got += x.size(0);
      },
      std::out_of_range);
  EXPECT_EQ(got, 16);
  got = 0;
  for (auto [x, y] : loader)
    if (++got == 2) break;
  EXPECT_EQ(got, 2);
}

TEST_P(Loader, LeavingEarlyEndsItsGoroutines) {
  const Squares data{10'000};
  for (int i = 0; i < 50; i++) {
    DataLoader loader(data, {.batch_size = 4, .workers = GetParam()});
    for (auto [x, y] : loader) break;
    const int64_t calls = *data.calls;
    runtime::yield();
    EXPECT_EQ(*data.calls, calls);
  }
  EXPECT_LT(*data.calls, 50 * 4 * (5 * 2 + 5 + 5 + 10));
}

TEST_P(Loader, IsOneStageOfAPipeline) {
  DataLoader loader(Squares{100}, {.batch_size = 10, .workers = GetParam()});
  runtime::scope s;
  auto sums = runtime::stage(s, loader.stream(s), [](auto batch) {
    return sum(std::get<1>(batch)).template item<int64_t>();
  });
  int64_t total = 0;
  for (int64_t v : sums) total += v;
  s.join();
  EXPECT_EQ(total, 328350);
}

TEST_P(Loader, TakesACollateFunction) {
  const auto join = [](std::vector<std::tuple<float, int64_t>> items) {
    return static_cast<int>(items.size());
  };
  DataLoader loader(Squares{10}, {.batch_size = 4, .workers = GetParam()}, join);
  std::vector<int> sizes;
  for (int n : loader) sizes.push_back(n);
  EXPECT_EQ(sizes, (std::vector<int>{4, 4, 2}));
}

TEST(LoaderOptions, ThatMakeNoSenseAreRefused) {
  const Squares data{3};
  EXPECT_ERROR("batch_size=0", DataLoader(data, {.batch_size = 0}));
  EXPECT_ERROR("workers must be 0 or more, got -1", DataLoader(data, {.workers = -1}));
  EXPECT_ERROR("prefetch", DataLoader(data, {.prefetch = -1}));
  EXPECT_ERROR("exclusive", DataLoader(data, {.shuffle = true,
                                              .sampler = std::make_shared<SequentialSampler>(3)}));
  EXPECT_ERROR("cannot sample from 0", DataLoader(Squares{0}, {.shuffle = true}));
}

}  // namespace
}  // namespace gotorch
