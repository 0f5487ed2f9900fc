// Argument reduction of huge numbers for sin, cos and tan (Payne and Hanek 1983).
#include "tensor/simd/math_trig.h"

namespace gotorch::math::detail {
namespace {

// 2 / pi, 1280 bits after the point.
constexpr uint64_t kTwoOverPi[] = {
    0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
    0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484,
    0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d, 0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
};

// 64 bits of 2 / pi from bit `at` after the point on (0 is the first); zeros before the point.
uint64_t bits_of_two_over_pi(int at) {
  if (at <= -64) return 0;
  if (at < 0) return kTwoOverPi[0] >> -at;
  const int word = at / 64, shift = at % 64;
  if (shift == 0) return kTwoOverPi[word];
  return kTwoOverPi[word] << shift | kTwoOverPi[word + 1] >> (64 - shift);
}

}  // namespace

// |x| = m 2^e with an integer m. The bits of 2/pi that are worth 2^(2 - e) and more add multiples of 4
// to x 2/pi, which is to say full turns. The next 192 leave x 2/pi right to 2^-126 of a quadrant, and
// no double but 0 comes nearer to a multiple of pi/2 than 2^-62.
TrigReduced reduce_trig_large(double x) {
  using Wide = unsigned __int128;
  constexpr int kFraction = Layout<double>::kFraction;
  constexpr uint64_t kHidden = uint64_t{1} << kFraction;
  const uint64_t u = to_bits(abs(x)), m = (u & (kHidden - 1)) | kHidden;
  const int first = static_cast<int>(u >> kFraction) - Layout<double>::kBias - kFraction - 2;
  const Wide low = Wide{m} * bits_of_two_over_pi(first + 128);
  const Wide middle = Wide{m} * bits_of_two_over_pi(first + 64) + static_cast<uint64_t>(low >> 64);
  const uint64_t high = m * bits_of_two_over_pi(first) + static_cast<uint64_t>(middle >> 64);
  // Two bits of quadrant, then the fraction of one; above one half it is reckoned from the next.
  Wide fraction = Wide{high} << 64 | static_cast<uint64_t>(middle);
  uint64_t quadrant = static_cast<uint64_t>(fraction >> 126);
  fraction <<= 2;
  const bool from_next = static_cast<bool>(fraction >> 127);
  if (from_next) fraction = -fraction;
  quadrant += from_next;
  const double f = static_cast<double>(fraction);
  const double f_lo = static_cast<double>(static_cast<__int128>(fraction - static_cast<Wide>(f)));
  const auto p = two_product(f, 0x1.921fb54442d18p+0);
  const auto r =
      fast_two_sum(p.hi, p.lo + (f * 0x1.1a62633145c07p-54 + f_lo * 0x1.921fb54442d18p+0));
  const bool negative = from_next != signbit(x);
  const double unit = negative ? -0x1p-128 : 0x1p-128;
  return {r.hi * unit, r.lo * unit, signbit(x) ? -quadrant : quadrant};
}

}  // namespace gotorch::math::detail
