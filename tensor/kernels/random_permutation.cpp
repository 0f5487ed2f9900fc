#include <algorithm>
#include <cstdint>
#include <utility>

#include "tensor/half.h"
#include "tensor/kernels/random_fill.h"
#include "tensor/simd/isa.h"

namespace gotorch {
namespace {

constexpr int kBatch = 512;

// From this size on two words are drawn for a number: remainders of one would differ in probability
// by a twentieth and more.
constexpr int64_t kWide = 0xffffffff / 20;

template <class T>
T number(int64_t i) {
  if constexpr (std::is_arithmetic_v<T>) return static_cast<T>(i);
  else return T(static_cast<float>(i));
}

// steps[i] = words[i] % (left - i). The quotient is below 2^32 and at least 1/left away from the
// integer above it, so rounding it to double cannot reach that integer.
void remainders(const uint32_t* __restrict words, uint32_t* __restrict steps, int n,
                uint32_t left) {
  for (int i = 0; i < n; i++) {
    const uint32_t d = left - static_cast<uint32_t>(i);
    const uint32_t q =
        static_cast<uint32_t>(static_cast<double>(words[i]) / static_cast<double>(d));
    steps[i] = words[i] - q * d;
  }
}

// Fisher-Yates from the front: place i takes one of the numbers that are left.
template <class T>
void shuffle(T* out, int64_t n, RandomStream& stream) {
  static const auto kernel = best_variant<&remainders>();
  for (int64_t i = 0; i < n; i++) out[i] = number<T>(i);
  uint32_t words[kBatch], steps[kBatch];
  for (int64_t begin = 0; begin < n - 1; begin += kBatch) {
    const int count = static_cast<int>(std::min<int64_t>(kBatch, n - 1 - begin));
    stream.words(words, count);
    kernel(words, steps, count, static_cast<uint32_t>(n - begin));
    T* front = out + begin;
    for (int i = 0; i < count; i++) __builtin_prefetch(front + i + steps[i], 1);
    for (int i = 0; i < count; i++) std::swap(front[i], front[i + steps[i]]);
  }
}

// Fisher-Yates from the inside out: number i goes to one of the places up to i.
template <class T>
void build_inside_out(T* out, int64_t n, RandomStream& stream) {
  uint32_t words[2 * kBatch];
  int64_t places[kBatch];
  for (int64_t begin = 0; begin < n; begin += kBatch) {
    const int count = static_cast<int>(std::min<int64_t>(kBatch, n - begin));
    stream.words(words, 2 * count);
    for (int i = 0; i < count; i++) {
      const uint64_t w = static_cast<uint64_t>(words[2 * i]) << 32 | words[2 * i + 1];
      places[i] = static_cast<int64_t>(w % static_cast<uint64_t>(begin + i + 1));
      __builtin_prefetch(out + places[i], 1);
    }
    for (int i = 0; i < count; i++) {
      out[begin + i] = out[places[i]];
      out[places[i]] = number<T>(begin + i);
    }
  }
}

}  // namespace

template <class T>
void fill_permutation(T* out, int64_t n, const Generator& generator) {
  RandomStream stream(generator);
  if (n < kWide) shuffle(out, n, stream);
  else build_inside_out(out, n, stream);
}

template void fill_permutation(uint8_t*, int64_t, const Generator&);
template void fill_permutation(int8_t*, int64_t, const Generator&);
template void fill_permutation(int16_t*, int64_t, const Generator&);
template void fill_permutation(int32_t*, int64_t, const Generator&);
template void fill_permutation(int64_t*, int64_t, const Generator&);
template void fill_permutation(Half*, int64_t, const Generator&);
template void fill_permutation(BFloat16*, int64_t, const Generator&);
template void fill_permutation(float*, int64_t, const Generator&);
template void fill_permutation(double*, int64_t, const Generator&);

}  // namespace gotorch
