#pragma once
// Whether calls on this thread are recorded.
//   { NoGrad guard; evaluate(model); }
#include "tensor/op.h"

namespace gotorch {

class GradModeGuard {
 public:
  explicit GradModeGuard(bool enabled) : before_(grad_mode()) { grad_mode().enabled = enabled; }
  ~GradModeGuard() { grad_mode() = before_; }
  GradModeGuard(const GradModeGuard&) = delete;
  GradModeGuard& operator=(const GradModeGuard&) = delete;

 private:
  GradMode before_;
};

struct NoGrad : GradModeGuard {
  NoGrad() : GradModeGuard(false) {}
};
struct EnableGrad : GradModeGuard {
  EnableGrad() : GradModeGuard(true) {}
};

}  // namespace gotorch
