#pragma once
// Normalisations, forward and backward. T is float or double. Pointers marked optional may be null.
// Outputs may not overlap inputs. Variances are exact to rounding at any mean (see moments.h), sums
// over the batch are combined in an order that follows from the shape alone.
#include <cstdint>

namespace gotorch::kernels {

// x is [rows, n]; y = (x - mean) * rstd * weight + bias with weight and bias [n], both optional,
// and rstd = 1 / sqrt(variance + eps). rms_norm: y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) +
// eps).
template <class T>
struct RowNorm {
  int64_t rows, n;
  const T* weight = nullptr;
  const T* bias = nullptr;
  double eps = 1e-5;
  T* mean = nullptr;  // [rows], saved for backward; not used by rms_norm
  T* rstd = nullptr;  // [rows], saved for backward
};
template <class T>
void layer_norm(const RowNorm<T>& p, const T* x, T* y);
template <class T>
void rms_norm(const RowNorm<T>& p, const T* x, T* y);

// gx is [rows, n]; g_weight and g_bias are [n]; each may be null.
template <class T>
void layer_norm_backward(const RowNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight,
                         T* g_bias);
template <class T>
void rms_norm_backward(const RowNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight);

// x is [n, c, s], c a multiple of groups; each group of c / groups channels of a sample is
// normalised together. weight and bias are [c], optional.
template <class T>
struct GroupNorm {
  int64_t n, c, s, groups;
  const T* weight = nullptr;
  const T* bias = nullptr;
  double eps = 1e-5;
  T* mean;  // [n, groups], saved for backward
  T* rstd;  // [n, groups], saved for backward
};
template <class T>
void group_norm(const GroupNorm<T>& p, const T* x, T* y);
template <class T>
void group_norm_backward(const GroupNorm<T>& p, const T* g, const T* x, T* gx, T* g_weight,
                         T* g_bias);

// x is [n, c, s]; each channel is normalised over batch and space.
template <class T>
struct BatchNorm {
  int64_t n, c, s;
  const T* weight = nullptr;
  const T* bias = nullptr;
  double eps = 1e-5;
  T* mean;  // [c], saved for backward
  T* rstd;  // [c], saved for backward
};
// Normalises with the statistics of the batch, n * s > 0 values per channel. The running statistics
// (optional) move by `momentum` towards the mean and the unbiased variance.
template <class T>
void batch_norm_train(const BatchNorm<T>& p, const T* x, T* y, T* running_mean, T* running_var,
                      double momentum);
// Normalises with the running statistics.
template <class T>
void batch_norm_eval(const BatchNorm<T>& p, const T* x, T* y, const T* running_mean,
                     const T* running_var);
// `training` says which of the two forwards it belongs to.
template <class T>
void batch_norm_backward(const BatchNorm<T>& p, bool training, const T* g, const T* x, T* gx,
                         T* g_weight, T* g_bias);

}  // namespace gotorch::kernels
