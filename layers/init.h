#pragma once
// Initial values of parameters: PyTorch's distributions, and its numbers for the same seed. All write in place.
#include "tensor/tensor.h"

namespace gotorch::init {

void uniform(const Tensor& t, double low, double high);
void normal(const Tensor& t, double mean, double std);
void constant(const Tensor& t, double value);
// Inputs and outputs of a weight [out, in, kernel...].
struct Fan {
  double in, out;
};
Fan fan_of(const Tensor& weight);
// Uniform in +-sqrt(6 / ((1 + a^2) fan_in)): He et al. 2015.
void kaiming_uniform(const Tensor& weight, double a);
// The default of linear and convolution layers: both uniform in +-1 / sqrt(fan_in). bias may be undefined.
void linear(const Tensor& weight, const Tensor& bias);

}  // namespace gotorch::init
