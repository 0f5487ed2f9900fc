#include "tensor/kernels/gemm_pack.h"

#include <cstddef>
#include <cstring>
#include <memory>

#include "tensor/buffer.h"
#include "tensor/kernels/gemm_vec.h"

namespace gotorch::kernels {
namespace {

// Transposes 4 x 4 blocks in registers: dst[i][j] = src[j][i].
template <class T>
struct Block4 : VecOf<T, 4> {
  using typename VecOf<T, 4>::Type;
  using VecOf<T, 4>::load;
  using VecOf<T, 4>::store;

  static void transpose(T* dst, int64_t ld, const T* src, int64_t cs) {
    const Type a = load(src), b = load(src + cs), c = load(src + 2 * cs), d = load(src + 3 * cs);
    const Type ab_lo = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const Type ab_hi = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const Type cd_lo = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const Type cd_hi = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    store(dst, __builtin_shufflevector(ab_lo, cd_lo, 0, 1, 4, 5));
    store(dst + ld, __builtin_shufflevector(ab_lo, cd_lo, 2, 3, 6, 7));
    store(dst + 2 * ld, __builtin_shufflevector(ab_hi, cd_hi, 0, 1, 4, 5));
    store(dst + 3 * ld, __builtin_shufflevector(ab_hi, cd_hi, 2, 3, 6, 7));
  }
};

template <class T>
void pack_strided(T* dst, int64_t ld, int64_t rows, int64_t cols, const T* src, int64_t rs,
                  int64_t cs) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < cols; j++) dst[i * ld + j] = src[i * rs + j * cs];
  }
}

// src has unit row stride: its columns are contiguous.
template <class T>
void pack_transposed(T* __restrict dst, int64_t ld, int64_t rows, int64_t cols,
                     const T* __restrict src, int64_t cs) {
  const int64_t rows4 = rows & ~int64_t{3}, cols4 = cols & ~int64_t{3};
  // The inner loop runs along what is contiguous in the wider direction of the destination.
  if (cols <= 32) {
    for (int64_t i = 0; i < rows4; i += 4) {
      for (int64_t j = 0; j < cols4; j += 4) {
        Block4<T>::transpose(dst + i * ld + j, ld, src + j * cs + i, cs);
      }
    }
  } else {
    for (int64_t j = 0; j < cols4; j += 4) {
      for (int64_t i = 0; i < rows4; i += 4) {
        Block4<T>::transpose(dst + i * ld + j, ld, src + j * cs + i, cs);
      }
    }
  }
  pack_strided(dst + rows4 * ld, ld, rows - rows4, cols, src + rows4, 1, cs);
  pack_strided(dst + cols4, ld, rows4, cols - cols4, src + cols4 * cs, 1, cs);
}

template <class T, int W>
void copy_panel(T* __restrict dst, int64_t rows, const T* __restrict src, int64_t rs) {
  for (int64_t i = 0; i < rows; i++) {
    for (int j = 0; j < W; j++) dst[i * W + j] = src[i * rs + j];
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
template void pack(double*, int64_t, int64_t, int64_t, int64_t, const double*, int64_t, int64_t);
template void unpack(float*, int64_t, int64_t, int64_t, int64_t, const float*, int64_t);
template float* scratch(Scratch, int64_t);
template void unpack(double*, int64_t, int64_t, int64_t, int64_t, const double*, int64_t);
template double* scratch(Scratch, int64_t);
template int32_t* scratch(Scratch, int64_t);
template int64_t* scratch(Scratch, int64_t);

}  // namespace gotorch::kernels
