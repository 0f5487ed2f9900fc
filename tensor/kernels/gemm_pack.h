#pragma once
// Packing: any strided matrix becomes a dense row-major block that the micro-kernels can read.
#include <cstdint>

namespace gotorch::kernels {

// dst[i * ld + j] = src[i * rs + j * cs] for i < rows, j < cols; columns from cols to `width` are
// filled with zeros. cols <= width <= ld. A panel of B is packed with ld = width = nr; rows of A
// with ld >= width = cols. Both unit strides (copy and transpose) are fast.
template <class T>
void pack(T* dst, int64_t ld, int64_t width, int64_t rows, int64_t cols, const T* src, int64_t rs,
          int64_t cs);

// The way back: dst[i * rs + j * cs] = src[i * ld + j].
template <class T>
void unpack(T* dst, int64_t rs, int64_t cs, int64_t rows, int64_t cols, const T* src, int64_t ld);

// A buffer of the calling thread, 64-byte aligned, for at least `count` elements. It keeps its
// address until the next call with the same slot on this thread, so it may be used only where the
// goroutine cannot park: in the body of a parallel_for.
enum class Scratch { A, B, C, Turned, Kept, kCount };
template <class T>
T* scratch(Scratch slot, int64_t count);

}  // namespace gotorch::kernels
