#pragma once
// Remainders by a divisor that is fixed for a whole loop, by multiplication (Granlund and
// Montgomery, "Division by invariant integers using multiplication", 1994, figure 4.1).
#include <bit>
#include <cstdint>
#include <type_traits>

namespace gotorch {

// U: uint32_t or uint64_t. A divisor of 0 stands for 2^bits: the remainder is then the number.
template <class U>
class Divisor {
  using Wide = std::conditional_t<sizeof(U) == 4, uint64_t, unsigned __int128>;
  static constexpr int kBits = 8 * sizeof(U);

 public:
  explicit Divisor(U d) : d_(d) {
    if (d == 0) return;  // a factor of 0 and d 0: the quotient counts for nothing
    const int log = d == 1 ? 0 : kBits - std::countl_zero(static_cast<U>(d - 1));
    const Wide power = Wide{1} << log;
    factor_ = static_cast<U>(((power - d) << kBits) / d + 1);
    shift1_ = log > 0;
    shift2_ = log > 0 ? log - 1 : 0;
  }

  U quotient(U x) const {
    const U t = static_cast<U>((static_cast<Wide>(x) * factor_) >> kBits);
    return (t + ((x - t) >> shift1_)) >> shift2_;
  }
  U remainder(U x) const { return x - quotient(x) * d_; }

 private:
  U d_, factor_ = 0;
  int shift1_ = 0, shift2_ = 0;
};

}  // namespace gotorch
