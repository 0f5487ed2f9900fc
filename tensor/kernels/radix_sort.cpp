#include "tensor/kernels/radix_sort.h"

#include <algorithm>
#include <array>

#include "runtime/parallel.h"
#include "tensor/buffer.h"
#include "tensor/kernels/instantiate.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kSmall = 160;  // below, comparing is faster
constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;

// Counts, then write places, of the digits of one chunk.
using Places = std::array<uint32_t, kDigits>;

int digit_of(Narrow item, int shift) { return static_cast<int>(item >> shift) & (kDigits - 1); }

// Turns the counts of the chunks into places: by digit, and by chunk within a digit. False if all
// items have the same digit, so that there is nothing to do.
bool assign_places(Buffer<Places>& chunks, int64_t n) {
  uint32_t next = 0;
  for (int d = 0; d < kDigits; d++) {
    const uint32_t first = next;
    for (Places& chunk : chunks) {
      const uint32_t count = chunk[d];
      chunk[d] = next;
      next += count;
    }
    if (next - first == n) return false;
  }
  return true;
}

template <class T>
struct Span {
  Key<T> low, high;
};

template <class T>
Span<T> span_of(const Row<T>& row) {
  const auto map = [&](int64_t b, int64_t e) {
    Span<T> s{row.key(b), row.key(b)};
    for (int64_t i = b; i < e; i++) {
      const Key<T> k = row.key(i);
      s.low = std::min(s.low, k);
      s.high = std::max(s.high, k);
    }
    return s;
  };
  return runtime::parallel_reduce(
      row.n, row.n < kParallelRow ? row.n : kSortChunk, map, [](Span<T> a, Span<T> b) {
        return Span<T>{std::min(a.low, b.low), std::max(a.high, b.high)};
      });
}

}  // namespace

Narrow* radix_sort(Narrow* a, Narrow* scratch, int64_t n, int key_bits, bool parallel) {
  if (n < kSmall) {
    std::sort(a, a + n);
    return a;
  }
  const int64_t chunk = parallel ? kSortChunk : n;
  Buffer<Places> places((n + chunk - 1) / chunk);
  const auto for_chunks = [&](auto work) {
    runtime::parallel_for(places.size(), 1, [&](int64_t b, int64_t e) {
      for (int64_t c = b; c < e; c++) work(places[c], c * chunk, std::min(n, (c + 1) * chunk));
    });
  };
  const int first = kPositionBits<Narrow>;
  for (int shift = first; shift < first + key_bits; shift += kDigitBits) {
    for_chunks([&](Places& count, int64_t b, int64_t e) {
      count.fill(0);
      for (int64_t i = b; i < e; i++) count[digit_of(a[i], shift)]++;
    });
    if (!assign_places(places, n)) continue;
    for_chunks([&](Places& place, int64_t b, int64_t e) {
      for (int64_t i = b; i < e; i++) scratch[place[digit_of(a[i], shift)]++] = a[i];
    });
    std::swap(a, scratch);
  }
  return a;
}

template <class T>
Narrow* sort_row(const Row<T>& row, Narrow* a, Narrow* scratch, Key<T>* base, bool* exact) {
  const bool parallel = row.n >= kParallelRow;
  const Span<T> span = row.n > 0 ? span_of(row) : Span<T>{0, 0};
  const int bits = std::bit_width(Key<T>(span.high - span.low)), cut = std::max(0, bits - 32);
  *base = span.low;
  *exact = cut == 0;
  runtime::parallel_for(row.n, parallel ? kSortChunk : row.n, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; i++)
      a[i] = make_item<Narrow>(Key<T>(row.key(i) - span.low) >> cut, i);
  });
  a = radix_sort(a, scratch, row.n, bits - cut, parallel);
  if (cut == 0) return a;
  // Elements that share the 32 bits are compared in full.
  for (int64_t i = 0, end; i < row.n; i = end) {
    for (end = i + 1; end < row.n && key_in(a[end]) == key_in(a[i]);) end++;
    if (end - i < 2) continue;
    std::sort(a + i, a + end, [&](Narrow u, Narrow v) {
      const int64_t p = position_of(u), q = position_of(v);
      const Key<T> k = row.key(p), l = row.key(q);
      return k != l ? k < l : p < q;
    });
  }
  return a;
}

#define GOTORCH_INSTANTIATE(T) \
  template Narrow* sort_row(const Row<T>&, Narrow*, Narrow*, Key<T>*, bool*);
GOTORCH_FOR_NUMBERS(GOTORCH_INSTANTIATE)

}  // namespace gotorch::kernels
