#include "tensor/kernels/radix_sort.h"

#include <algorithm>
#include <array>
#include <vector>

#include "runtime/parallel.h"

namespace gotorch::kernels {
namespace {

constexpr int64_t kSmall = 192;  // below, comparing is faster
constexpr int64_t kChunk = 65536;
constexpr int kDigits = 256;

// Counts, then write places, of the digits of one chunk.
using Places = std::array<int64_t, kDigits>;

template <class Item>
int digit_of(Item item, int shift) {
  return static_cast<int>(item >> shift) & (kDigits - 1);
}

// Turns the counts of the chunks into places: by digit, and by chunk within a digit. False if all
// items have the same digit, so that there is nothing to do.
bool assign_places(std::vector<Places>& chunks, int64_t n) {
  int64_t next = 0;
  for (int d = 0; d < kDigits; d++) {
    const int64_t first = next;
    for (Places& chunk : chunks) next += std::exchange(chunk[d], next);
    if (next - first == n) return false;
  }
  return true;
}

}  // namespace

template <class Item>
Item* sort_items(Item* a, Item* scratch, int64_t n, int key_bits, bool parallel) {
  if (n < kSmall) {
    std::sort(a, a + n);
    return a;
  }
  const int64_t chunk = parallel ? kChunk : n;
  std::vector<Places> places((n + chunk - 1) / chunk);
  const auto for_chunks = [&](auto work) {
    runtime::parallel_for(places.size(), 1, [&](int64_t b, int64_t e) {
      for (int64_t c = b; c < e; c++) work(places[c], c * chunk, std::min(n, (c + 1) * chunk));
    });
  };
  for (int shift = kPositionBits<Item>; shift < kPositionBits<Item> + key_bits; shift += 8) {
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

template Narrow* sort_items(Narrow*, Narrow*, int64_t, int, bool);
template Wide* sort_items(Wide*, Wide*, int64_t, int, bool);

}  // namespace gotorch::kernels
