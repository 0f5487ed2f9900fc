#include "tensor/promote.h"

namespace gotorch {
namespace {

std::atomic<Dtype> the_default{Dtype::Float};

}  // namespace

Dtype default_dtype() { return the_default.load(std::memory_order_relaxed); }

void set_default_dtype(Dtype d) {
  check<TypeError>(is_floating(d),
                   "only floating-point types are supported as the default type, got ", d);
  the_default.store(d, std::memory_order_relaxed);
}

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  if (category(a) != category(b)) return b;
  // Neither float16 nor bfloat16 holds the other; an unsigned byte needs the next larger signed type.
  if (a == Dtype::Half && b == Dtype::BFloat16) return Dtype::Float;
  if (a == Dtype::UInt8 && b == Dtype::Int8) return Dtype::Int16;
  return b;
}

bool can_cast(Dtype from, Dtype to) { return category(from) <= category(to); }

void Promotion::add(Dtype d, int rank) {
  seen_[rank] = static_cast<int>(seen_[rank] < 0 ? d : promote(static_cast<Dtype>(seen_[rank]), d));
}

void Promotion::add(Scalar s) {
  add(s.category() == Category::Bool      ? Dtype::Bool
      : s.category() == Category::Integer ? Dtype::Int64
                                          : default_dtype(),
      2);
}

Dtype Promotion::result() const {
  int out = -1;
  for (int rank = 2; rank >= 0; rank--) {
    if (seen_[rank] < 0) continue;
    const auto higher = static_cast<Dtype>(seen_[rank]);
    // A higher rank of the same or a higher category wins whatever the lower one's width.
    if (out < 0 || category(higher) >= category(static_cast<Dtype>(out))) out = seen_[rank];
  }
  return static_cast<Dtype>(out);
}

}  // namespace gotorch
