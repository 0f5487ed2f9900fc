#pragma once
#include "tensor/random.h"
#include "tensor/value.h"

namespace gotorch::ops {

// The generator given as argument i, or the default one.
inline const Generator& generator_of(const Args& a, size_t i) {
  return a.generator(i) ? *a.generator(i) : default_generator();
}

}  // namespace gotorch::ops
