// That AddressSanitizer sees faults in tensor memory: if it did not, all other tests would pass as well.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

#include "tests/tensor/values.h"

namespace gotorch {
namespace {

// Data inside the storage object, in blocks that the allocator would cache, and in those it would map one by one.
constexpr int64_t kSizes[] = {1, 3, 16, 500, 513, 5000, 100'000, 3'000'000};

bool forbidden(const float* p) { return __asan_address_is_poisoned(p); }

TEST(Overrun, TheElementBehindATensorIsForbidden) {
  for (int64_t n : kSizes) {
    const Tensor x = ramp({n});
    EXPECT_FALSE(forbidden(x.data<float>() + n - 1)) << n;
    EXPECT_TRUE(forbidden(x.data<float>() + n)) << n;
  }
}

TEST(Overrun, TheElementBeforeASeparateBlockIsForbidden) {
  const Tensor x = ramp({5000});
  EXPECT_TRUE(forbidden(x.data<float>() - 1));
}

TEST(Overrun, AllOfADeadTensorIsForbidden) {
  for (int64_t n : kSizes) {
    Tensor x = ramp({n});
    const float* p = x.data<float>();
    x = Tensor();
    EXPECT_TRUE(forbidden(p) && forbidden(p + n - 1)) << n;
  }
}

TEST(OverrunDeathTest, OneElementIsReported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Tensor x = ramp({500});
  EXPECT_DEATH(static_cast<volatile float*>(x.data<float>())[500] = 1, "heap-buffer-overflow");
}

}  // namespace
}  // namespace gotorch
#endif
