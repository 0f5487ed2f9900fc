#pragma once
// Every test of the runtime runs with 1, 2, 3 and 8 workers.
#include <gtest/gtest.h>

#include "runtime/parallel.h"

namespace gotorch::runtime {

// How many goroutines wait at once in tests of that. ThreadSanitizer has room for 8,000 stacks in all.
#if defined(__SANITIZE_THREAD__)
inline constexpr int kManyStacks = 1000;
#else
inline constexpr int kManyStacks = 10000;
#endif

class OnWorkers : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_num_workers(GetParam()); }
};

#define RUN_ON_WORKERS(Suite) INSTANTIATE_TEST_SUITE_P(Workers, Suite, testing::Values(1, 2, 3, 8))

}  // namespace gotorch::runtime
