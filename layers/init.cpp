#include "layers/init.h"

#include <cmath>

#include "grad/mode.h"
#include "tensor/copy.h"
#include "tensor/ops.h"

namespace gotorch::init {

void uniform(const Tensor& t, double low, double high) {
  NoGrad guard;
  const Value args[] = {t, low, high, Value()};
  call_inplace(ops::uniform, args);
}

void normal(const Tensor& t, double mean, double std) {
  NoGrad guard;
  const Value args[] = {t, mean, std, Value()};
  call_inplace(ops::normal_fill, args);
}

void constant(const Tensor& t, double value) {
  if (!t.defined()) return;
  NoGrad guard;
  t.before_write();
  fill_elements(t, value);
}

Fan fan_of(const Tensor& weight) {
  check<ValueError>(
      weight.dim() >= 2,
      "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
  const auto field = static_cast<double>(numel_of(weight.shape().subspan(2)));
  return {static_cast<double>(weight.size(1)) * field, static_cast<double>(weight.size(0)) * field};
}

void kaiming_uniform(const Tensor& weight, double a) {
  if (weight.numel() == 0) return;
  // In this order of operations the bound has PyTorch's bits.
  const double gain = std::sqrt(2.0 / (1 + a * a));
  const double std = gain / std::sqrt(fan_of(weight).in);
  const double bound = std::sqrt(3.0) * std;
  init::uniform(weight, -bound, bound);
}

void linear(const Tensor& weight, const Tensor& bias) {
  kaiming_uniform(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  const double fan_in = fan_of(weight).in;
  const double bound = fan_in > 0 ? 1 / std::sqrt(fan_in) : 0;
  init::uniform(bias, -bound, bound);
}

}  // namespace gotorch::init
