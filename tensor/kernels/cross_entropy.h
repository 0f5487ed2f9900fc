#pragma once
// Losses with class indices as targets: x is a contiguous [n, c, s] array of logits (cross_entropy)
// or log-probabilities (nll_loss), target is [n, s]. T is float or double.
#include <cstdint>
#include <optional>

#include "tensor/kernels/bad_index.h"

namespace gotorch::kernels {

enum class Reduction { None, Mean, Sum };

template <class T>
struct ClassLoss {
  const T* x;
  const int64_t* target;
  const T* weight = nullptr;  // [c], or null for ones
  int64_t n, c, s = 1;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
  double smoothing = 0;  // cross_entropy only

  // What forward leaves for backward. Mean divides by total_weight, the sum of weight[target] over
  // targets that are not ignored; it is NaN when there are none.
  T* total_weight;   // 1 element
  T* max = nullptr;  // [n, s], cross_entropy only
  T* sum = nullptr;  // [n, s], of exp(x - max); cross_entropy only
};

// loss is [n, s] for Reduction::None (0 where ignored), else 1 element. With label smoothing e:
//   (1 - e) * weight[t] * -log p[t] + e / c * sum over classes of weight * -log p
// A target that is neither a class nor ignore_index is returned, and nothing is written.
template <class T>
[[nodiscard]] std::optional<BadIndex> cross_entropy(const ClassLoss<T>& p, T* loss);
template <class T>
[[nodiscard]] std::optional<BadIndex> nll_loss(const ClassLoss<T>& p, T* loss);

// g is shaped as loss; gx is [n, c, s], zero where the target is ignored.
template <class T>
[[nodiscard]] std::optional<BadIndex> cross_entropy_backward(const ClassLoss<T>& p, const T* g,
                                                             T* gx);
template <class T>
[[nodiscard]] std::optional<BadIndex> nll_loss_backward(const ClassLoss<T>& p, const T* g, T* gx);

}  // namespace gotorch::kernels
