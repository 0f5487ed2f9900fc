#include "tensor/kernels/index.h"

#include <cstring>

#include "runtime/parallel.h"
#include "tensor/kernels/element.h"
#include "tensor/kernels/tiles.h"

namespace gotorch::kernels {
namespace {

// What reading or writing at a place that the cache did not foresee costs, in element operations.
constexpr int64_t kRandomAccess = 4;

}  // namespace

std::optional<BadIndex> index_select(const void* x, Axis a, const int64_t* index, int64_t m,
                                     void* y, int64_t size) {
  if (const auto bad = find_bad_index(index, m, 0, a.n)) return bad;
  if (a.inner == 1) {
    with_element(size, [&]<class U>(U*) {
      runtime::parallel_for(a.outer * m, grain_of(kRandomAccess), [&](int64_t b, int64_t e) {
        for (int64_t r = b; r < e; r++)
          static_cast<U*>(y)[r] = static_cast<const U*>(x)[r / m * a.n + index[r % m]];
      });
    });
    return std::nullopt;
  }
  const int64_t bytes = a.inner * size;
  runtime::parallel_for(a.outer * m, grain_of(bytes / 4 + 16), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; r++)
      std::memcpy(static_cast<char*>(y) + r * bytes,
                  static_cast<const char*>(x) + (r / m * a.n + index[r % m]) * bytes, bytes);
  });
  return std::nullopt;
}

std::optional<BadIndex> index_copy(void* y, Axis a, const int64_t* index, int64_t m,
                                   const void* source, int64_t size) {
  if (const auto bad = find_bad_index(index, m, 0, a.n)) return bad;
  const int64_t bytes = a.inner * size;
  runtime::parallel_for(a.outer, grain_of(m * (bytes / 4 + 4)), [&](int64_t b, int64_t e) {
    for (int64_t o = b; o < e; o++)
      for (int64_t j = 0; j < m; j++)
        std::memcpy(static_cast<char*>(y) + (o * a.n + index[j]) * bytes,
                    static_cast<const char*>(source) + (o * m + j) * bytes, bytes);
  });
  return std::nullopt;
}

std::optional<BadIndex> gather(const void* x, Axis a, const int64_t* index, int64_t m, void* y,
                               int64_t size) {
  if (const auto bad = find_bad_index(index, a.outer * m * a.inner, 0, a.n)) return bad;
  with_element(size, [&]<class U>(U*) {
    runtime::parallel_for(a.outer * m, grain_of(a.inner * kRandomAccess),
                          [&](int64_t b, int64_t e) {
                            for (int64_t r = b; r < e; r++) {
                              const U* from = static_cast<const U*>(x) + r / m * a.n * a.inner;
                              const int64_t* at = index + r * a.inner;
                              U* to = static_cast<U*>(y) + r * a.inner;
                              for (int64_t i = 0; i < a.inner; i++)
                                to[i] = from[at[i] * a.inner + i];
                            }
                          });
  });
  return std::nullopt;
}

std::optional<BadIndex> scatter(void* y, Axis a, const int64_t* index, int64_t m,
                                const void* source, bool one_value, int64_t size) {
  if (const auto bad = find_bad_index(index, a.outer * m * a.inner, 0, a.n)) return bad;
  with_element(size, [&]<class U>(U*) {
    const U* from = static_cast<const U*>(source);
    // Parallel over columns and walked in order along the axis, so the last value wins.
    Tiles({a.outer, m, a.inner}).for_each(kRandomAccess, [&](Tile t) {
      U* to = static_cast<U*>(y) + t.outer * a.n * a.inner;
      for (int64_t j = 0; j < m; j++) {
        const int64_t row = (t.outer * m + j) * a.inner;
        for (int64_t i = t.first; i < t.first + t.width; i++)
          to[index[row + i] * a.inner + i] = from[one_value ? 0 : row + i];
      }
    });
  });
  return std::nullopt;
}

}  // namespace gotorch::kernels
