#pragma once
// How a fill turns random words into numbers. Drawing is serial.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "runtime/parallel.h"
#include "tensor/random.h"

namespace gotorch {

// A fill draws `per_item` words for each of `items` items, in order. transform(words, begin, count) is called for slices
// that cover [0, items) once; `words` are those of item `begin` and after.

// Where the transform takes about as long as the drawing: another core would read the words later than they are used here.
template <class Transform>
void for_random_words(RandomStream& stream, int64_t items, int per_item, Transform&& transform) {
  constexpr int64_t kWords = 2048;
  runtime::serial_for(items, kWords / per_item, [&](int64_t begin, int64_t end) {
    uint32_t words[kWords];
    stream.words(words, (end - begin) * per_item);
    transform(words, begin, end - begin);
  });
}

// Where it takes much longer: slices are transformed at the same time, while the next ones are drawn.
template <class Transform>
void for_random_words_in_parallel(RandomStream& stream, int64_t items, int per_item,
                                  Transform&& transform) {
  constexpr int64_t kSmall = 1024, kBlock = 65536, kSlice = 16384;  // words
  if (items * per_item <= kSmall) return for_random_words(stream, items, per_item, transform);
  const int64_t block = kBlock / per_item, slice = kSlice / per_item;
  const auto drawn = [&](int64_t begin) { return std::clamp<int64_t>(items - begin, 0, block); };
  const auto buffer = std::make_unique_for_overwrite<uint32_t[]>(
      static_cast<size_t>(std::min(items, 2 * block) * per_item));
  uint32_t* current = buffer.get();
  uint32_t* next = items > block ? current + block * per_item : current;
  stream.words(current, drawn(0) * per_item);
  for (int64_t begin = 0; begin < items; begin += block) {
    const int64_t count = drawn(begin), slices = (count + slice - 1) / slice;
    const auto task = [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; t++) {
        if (t == 0) {
          stream.words(next, drawn(begin + block) * per_item);
        } else {
          const int64_t b = (t - 1) * slice;
          transform(current + b * per_item, begin + b, std::min(slice, count - b));
        }
      }
    };
    runtime::parallel_for(1 + slices, 1, task);
    std::swap(current, next);
  }
}

}  // namespace gotorch
