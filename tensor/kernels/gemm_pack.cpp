#include "tensor/kernels/gemm_pack.h"

#include <cstddef>
#include <cstring>
#include <memory>

#include "tensor/buffer.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

// dst[i][j] = src[j][i] for i < 4, j < 8, in registers: row j and row j + 4 of the source are halves of one vector,
// so that shuffles stay within the halves.
template <class T>
struct Block {
  using Half = VecOf<T, 4>;
  using V = VecOf<T, 8>;
  using Type = typename V::Type;

  static Type join(const T* low, const T* high) {
    return __builtin_shufflevector(Half::load(low), Half::load(high), 0, 1, 2, 3, 4, 5, 6, 7);
  }
  static Type low(Type a, Type b) {
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
  }
  static Type high(Type a, Type b) {
    return __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
  static Type even(Type a, Type b) {
    return __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
  }
  static Type odd(Type a, Type b) {
    return __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  }
  static void transpose(T* dst, int64_t ld, const T* src, int64_t cs) {
    const Type a = join(src, src + 4 * cs), b = join(src + cs, src + 5 * cs);
    const Type c = join(src + 2 * cs, src + 6 * cs), d = join(src + 3 * cs, src + 7 * cs);
    const Type ab_low = low(a, b), ab_high = high(a, b), cd_low = low(c, d), cd_high = high(c, d);
    V::store(dst, even(ab_low, cd_low));
    V::store(dst + ld, odd(ab_low, cd_low));
    V::store(dst + 2 * ld, even(ab_high, cd_high));
    V::store(dst + 3 * ld, odd(ab_high, cd_high));
  }
};

template <class T>
void pack_strided(T* dst, int64_t ld, int64_t rows, int64_t cols, const T* src, int64_t rs,
                  int64_t cs) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < cols; j++) dst[i * ld + j] = src[i * rs + j * cs];
  }
}

// src has unit row stride: its columns are contiguous. Lines of the source are read whole, eight columns at a
// time, as columns that lie a power of two apart share few places of a cache. The order in which they come is
// nothing that hardware foresees, so they are asked for ahead.
template <class T>
void pack_transposed(T* __restrict dst, int64_t ld, int64_t rows, int64_t cols,
                     const T* __restrict src, int64_t cs) {
  constexpr int64_t kLine = 64 / sizeof(T);
  const int64_t rows4 = rows & ~int64_t{3}, cols8 = cols & ~int64_t{7};
  const int64_t ahead = cols <= 32 ? kLine : 16 * cs;
  for (int64_t i = 0; i < rows4; i += kLine) {
    const int64_t end = i + kLine < rows4 ? i + kLine : rows4;
    for (int64_t j = 0; j < cols8; j += 8) {
      const T* from = src + j * cs;
      for (int64_t c = 0; c < 8; c++) __builtin_prefetch(from + c * cs + i + ahead);
      for (int64_t r = i; r < end; r += 4) Block<T>::transpose(dst + r * ld + j, ld, from + r, cs);
    }
  }
  pack_strided(dst + rows4 * ld, ld, rows - rows4, cols, src + rows4, 1, cs);
  pack_strided(dst + cols8, ld, rows4, cols - cols8, src + cols8 * cs, 1, cs);
}

// Rows are too far apart for the hardware to see a stream: those to come are asked for.
template <class T, int W>
void copy_panel(T* __restrict dst, int64_t rows, const T* __restrict src, int64_t rs) {
  using V = VecOf < T, W<16 ? W : 16>;
  constexpr int kVector = W < 16 ? W : 16;
  constexpr int64_t kAhead = 12, kLine = 64 / sizeof(T);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < W; j += kLine) __builtin_prefetch(src + (i + kAhead) * rs + j);
    for (int j = 0; j < W; j += kVector) V::store(dst + i * W + j, V::load(src + i * rs + j));
  }
}

template <class T>
void pack_rows(T* dst, int64_t ld, int64_t rows, int64_t cols, const T* src, int64_t rs) {
  if (cols == ld && cols == 8) return copy_panel<T, 8>(dst, rows, src, rs);
  if (cols == ld && cols == 16) return copy_panel<T, 16>(dst, rows, src, rs);
  if (cols == ld && cols == 32) return copy_panel<T, 32>(dst, rows, src, rs);
  if (cols == 0) return;  // src may be null
  for (int64_t i = 0; i < rows; i++) std::memcpy(dst + i * ld, src + i * rs, cols * sizeof(T));
}

template <class T>
void pack_any(T* dst, int64_t ld, int64_t width, int64_t rows, int64_t cols, const T* src,
              int64_t rs, int64_t cs) {
  if (cs == 1) {
    pack_rows(dst, ld, rows, cols, src, rs);
  } else if (rs == 1) {
    pack_transposed(dst, ld, rows, cols, src, cs);
  } else {
    pack_strided(dst, ld, rows, cols, src, rs, cs);
  }
  for (int64_t i = 0; cols < width && i < rows; i++) {
    for (int64_t j = cols; j < width; j++) dst[i * ld + j] = T(0);
  }
}

struct AlignedBuffer {
  struct Free {
    void operator()(std::byte* p) const { free_working(p); }
  };
  std::unique_ptr<std::byte, Free> data;
  size_t size = 0;

  void* reserve(size_t bytes) {
    if (bytes > size) {
      data.reset();
      size = 0;
      data.reset(static_cast<std::byte*>(allocate_working(bytes)));
      size = bytes;
    }
    return data.get();
  }
};

}  // namespace

template <class T>
void pack(T* dst, int64_t ld, int64_t width, int64_t rows, int64_t cols, const T* src, int64_t rs,
          int64_t cs) {
  static const auto kernel = best_variant<&pack_any<T>>();
  kernel(dst, ld, width, rows, cols, src, rs, cs);
}

template <class T>
void unpack(T* dst, int64_t rs, int64_t cs, int64_t rows, int64_t cols, const T* src, int64_t ld) {
  if (rs == 1) return pack(dst, cs, rows, cols, rows, src, 1, ld);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < cols; j++) dst[i * rs + j * cs] = src[i * ld + j];
  }
}

template <class T>
T* scratch(Scratch slot, int64_t count) {
  thread_local AlignedBuffer buffers[static_cast<int>(Scratch::kCount)];
  return static_cast<T*>(buffers[static_cast<int>(slot)].reserve(count * sizeof(T)));
}

template void pack(float*, int64_t, int64_t, int64_t, int64_t, const float*, int64_t, int64_t);
template void pack(int32_t*, int64_t, int64_t, int64_t, int64_t, const int32_t*, int64_t, int64_t);
template void pack(double*, int64_t, int64_t, int64_t, int64_t, const double*, int64_t, int64_t);
template void unpack(float*, int64_t, int64_t, int64_t, int64_t, const float*, int64_t);
template void unpack(int32_t*, int64_t, int64_t, int64_t, int64_t, const int32_t*, int64_t);
template float* scratch(Scratch, int64_t);
template void unpack(double*, int64_t, int64_t, int64_t, int64_t, const double*, int64_t);
template double* scratch(Scratch, int64_t);
template int32_t* scratch(Scratch, int64_t);
template int64_t* scratch(Scratch, int64_t);

}  // namespace gotorch::kernels
