#pragma once
// Scaled-dot-product attention, one matrix of queries at a time:
//   y = softmax(scale * q k^T + mask) v
// in tiles that stay in the caches: the scores are never all in memory (Dao et al. 2022, "FlashAttention"). T is float or double.
//
// Thread-safe. Sums are cut by sizes alone, so the bits are the same for any number of workers. A query that may look at no
// key gets zeros; NaN among what it looks at, or an infinite score, gives NaN.
#include <cstdint>

namespace gotorch::kernels {

// Element (i, j) of matrix z is data[start[z] + i * rs + j * cs]; any strides.
template <class T>
struct Matrices {
  T* data = nullptr;
  const int64_t* start = nullptr;
  int64_t rs = 0, cs = 0;
  explicit operator bool() const { return data != nullptr; }
  T* operator()(int64_t z, int64_t i = 0) const { return data + start[z] + i * rs; }
};

template <class T>
struct Attention {
  int64_t batch, queries, keys, width, out_width;  // q is [queries, width], v is [keys, out_width]
  Matrices<const T> q, k, v;
  Matrices<const T> mask;     // [queries, keys], added to the scores; or none
  Matrices<const bool> keep;  // [queries, keys], which weights dropout leaves; or none
  T scale;
  T keep_scale = 1;     // what it multiplies them by
  bool causal = false;  // query i looks at keys up to i only
  Matrices<T> y;        // written by forward, read by backward
  T* log_sum;           // [batch, queries], likewise: log(sum(exp(scores))), +inf for no keys
};

template <class T>
void attention(const Attention<T>& p);

// From the gradient of y those of q, k and v.
template <class T>
struct AttentionGradient {
  Matrices<const T> g;
  Matrices<T> q, k, v;
};
template <class T>
void attention_backward(const Attention<T>& p, const AttentionGradient<T>& d);

}  // namespace gotorch::kernels
