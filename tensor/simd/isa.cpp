#include "tensor/simd/isa.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace gotorch {
namespace {

Isa detect() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return Isa::V4;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2"))
    return Isa::V3;
  return Isa::V2;
}

Isa choose() {
  const Isa best = detect();
  const char* wanted = std::getenv("GOTORCH_ISA");
  for (Isa isa : {Isa::V2, Isa::V3, Isa::V4})
    if (wanted && std::strcmp(wanted, name(isa)) == 0) return isa < best ? isa : best;
  return best;
}

}  // namespace

const char* name(Isa isa) { return isa == Isa::V4 ? "v4" : isa == Isa::V3 ? "v3" : "v2"; }

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace gotorch
