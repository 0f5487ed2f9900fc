#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gotorch {

// Every 16-bit pattern survives the way to float and back; NaN stays NaN.
template <class T>
void round_trip() {
  for (int i = 0; i < 65536; i++) {
    T x;
    x.bits = static_cast<uint16_t>(i);
    const float f = x;
    if (std::isnan(f)) EXPECT_TRUE(std::isnan(static_cast<float>(T(f))));
    else EXPECT_EQ(T(f).bits, x.bits);
  }
}

TEST(Half, EveryValueRoundTrips) { round_trip<Half>(); }
TEST(BFloat16, EveryValueRoundTrips) { round_trip<BFloat16>(); }

// The midpoint between two neighbours goes to the even one, just above it goes up.
template <class T>
void ties_to_even(int last_finite) {
  for (int i = 0; i < last_finite; i++) {
    T lo, hi;
    lo.bits = static_cast<uint16_t>(i);
    hi.bits = static_cast<uint16_t>(i + 1);
    const float mid = (static_cast<float>(lo) + static_cast<float>(hi)) / 2;
    EXPECT_EQ(T(mid).bits, i % 2 ? hi.bits : lo.bits);
    EXPECT_EQ(T(std::nextafter(mid, INFINITY)).bits, hi.bits);
  }
}

TEST(Half, TiesGoToEven) { ties_to_even<Half>(0x7bff); }
TEST(BFloat16, TiesGoToEven) { ties_to_even<BFloat16>(0x7f00); }

TEST(Half, OverflowIsInfinity) {
  EXPECT_EQ(static_cast<float>(Half(65519.9f)), 65504.0f);
  EXPECT_EQ(static_cast<float>(Half(65520.0f)), INFINITY);
  EXPECT_EQ(static_cast<float>(Half(-1e30f)), -INFINITY);
}

}  // namespace gotorch
