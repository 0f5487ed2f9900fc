#pragma once
// Vectors of L elements in the compiler's own notation: it maps them to the registers of the
// instruction set that a function is compiled for (see tensor/simd/isa.h).
#include "tensor/simd/isa.h"

namespace gotorch::kernels {

template <class T, int L>
struct VecOf {
  typedef T Type __attribute__((vector_size(L * sizeof(T))));
  typedef T Unaligned __attribute__((vector_size(L * sizeof(T)), aligned(alignof(T)), may_alias));
  static Type load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static void store(T* p, Type v) { *reinterpret_cast<Unaligned*>(p) = v; }
};

}  // namespace gotorch::kernels
