#pragma once
// Instruction sets. A function written once, as plain portable C++, is compiled for x86-64-v2, v3
// and v4; the variant the processor can run is chosen when the library is loaded.
//
//   void scale(float* y, int64_t n, float a) { for (int64_t i = 0; i < n; i++) y[i] *= a; }
//   static const auto scale_kernel = best_variant<&scale>();
//   scale_kernel(y, n, 2.0f);
//
// How it works: each variant inlines the whole body (`flatten`) into a function with other target
// flags, so vector code is generated for that target and no inline function of a header is ever
// compiled with flags the processor may lack. Everything the body calls must be visible and inlinable.
// The environment variable GOTORCH_ISA=v2|v3|v4 forces a level (never above what the processor has).
namespace gotorch {

enum class Isa : int { V2, V3, V4 };

// The level in use, fixed at first call. Thread-safe.
Isa active_isa();
const char* name(Isa isa);

#define GOTORCH_TARGET_V2 __attribute__((target("sse4.2,popcnt"), flatten))
#define GOTORCH_TARGET_V3 __attribute__((target("avx2,fma,f16c,bmi,bmi2,lzcnt"), flatten))
#define GOTORCH_TARGET_V4                                                                     \
  __attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2," \
                        "lzcnt,prefer-vector-width=512"),                                     \
                 flatten))

template <auto F>
struct Variants;

template <class R, class... A, R (*F)(A...)>
struct Variants<F> {
  GOTORCH_TARGET_V2 static R v2(A... a) { return F(a...); }
  GOTORCH_TARGET_V3 static R v3(A... a) { return F(a...); }
  GOTORCH_TARGET_V4 static R v4(A... a) { return F(a...); }
  using Pointer = R (*)(A...);
#ifdef GOTORCH_ONE_ISA
  // For quick development builds on a machine with AVX2: a third of the code.
  static constexpr Pointer table[] = {&v3, &v3, &v3};
#else
  static constexpr Pointer table[] = {&v2, &v3, &v4};
#endif
};

template <auto F>
auto best_variant() {
  return Variants<F>::table[static_cast<int>(active_isa())];
}

}  // namespace gotorch
