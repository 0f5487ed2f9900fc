#include "tensor/kernels/index.h"

#include <cstring>

#include "runtime/parallel.h"
#include "tensor/kernels/element.h"
#include "tensor/kernels/places.h"

namespace gotorch::kernels {

std::optional<BadIndex> index_select(const void* x, Axis a, const int64_t* index, int64_t m,
                                     void* y, int64_t size) {
  if (const auto bad = find_bad_index(index, m, 0, a.n)) return bad;
  if (a.inner == 1) {
    with_element(size, [&]<class U>(U*) {
      for_pieces(a.outer, m, kRandomAccess, [&](int64_t o, int64_t b, int64_t e) {
        const U* from = static_cast<const U*>(x) + o * a.n;
        U* to = static_cast<U*>(y) + o * m;
        for (int64_t j = b; j < e; j++) to[j] = from[index[j]];
      });
    });
    return std::nullopt;
  }
  const int64_t bytes = a.inner * size;
  for_pieces(a.outer, m, bytes / 4 + 16, [&](int64_t o, int64_t b, int64_t e) {
    const char* from = static_cast<const char*>(x) + o * a.n * bytes;
    char* to = static_cast<char*>(y) + o * m * bytes;
    for (int64_t j = b; j < e; j++) std::memcpy(to + j * bytes, from + index[j] * bytes, bytes);
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
    for_pieces(a.outer, m, a.inner * kRandomAccess, [&](int64_t o, int64_t b, int64_t e) {
      const U* from = static_cast<const U*>(x) + o * a.n * a.inner;
      const int64_t* at = index + o * m * a.inner;
      U* to = static_cast<U*>(y) + o * m * a.inner;
      if (a.inner == 1)
        for (int64_t j = b; j < e; j++) to[j] = from[at[j]];
      else
        for (int64_t j = b; j < e; j++)
          for (int64_t i = j * a.inner, k = 0; k < a.inner; i++, k++)
            to[i] = from[at[i] * a.inner + k];
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
      for_places(t, a, index, m, [&](int64_t at, int64_t source_at) {
        static_cast<U*>(y)[at] = from[one_value ? 0 : source_at];
      });
    });
  });
  return std::nullopt;
}

std::optional<BadIndex> take(const void* x, int64_t n, const int64_t* index, int64_t m, void* y,
                             int64_t size) {
  if (const auto bad = find_bad_index(index, m, -n, n)) return bad;
  with_element(size, [&]<class U>(U*) {
    runtime::parallel_for(m, grain_of(kRandomAccess), [&](int64_t b, int64_t e) {
      for (int64_t j = b; j < e; j++)
        static_cast<U*>(y)[j] = static_cast<const U*>(x)[index[j] + (index[j] < 0 ? n : 0)];
    });
  });
  return std::nullopt;
}

}  // namespace gotorch::kernels
