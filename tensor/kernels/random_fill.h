#pragma once
// Contiguous arrays filled with random numbers: bit for bit those of PyTorch's CPU generator.
//
// PyTorch walks a strided output in memory order (dimensions by falling stride), so a dense
// permuted output is filled as if it were flat. fill_normal is the one fill whose numbers depend
// on more than the count: call fill_normal_scalar where the output tensor is not contiguous.
//
// Arguments are trusted: callers check ranges of probabilities, bounds and scales.
#include <cstdint>

#include "tensor/random.h"

namespace gotorch {

// [lo, hi). T: Half, BFloat16 (computed in float), float (24 random bits), double (53).
template <class T>
void fill_uniform(T* out, int64_t n, double lo, double hi, const Generator& generator);

// Box-Muller over blocks of 16 numbers; below 16 it is fill_normal_scalar.
template <class T>
void fill_normal(T* out, int64_t n, double mean, double std, const Generator& generator);
// Box-Muller pair by pair in double; keeps the second of a split pair for the next call.
template <class T>
void fill_normal_scalar(T* out, int64_t n, double mean, double std, const Generator& generator);
template <class T>
void fill_log_normal(T* out, int64_t n, double mean, double std, const Generator& generator);

// Integers in [from, from + range). Range 0 means all 2^64: random bits, whatever `from`. Any
// dtype.
template <class T>
void fill_integers(T* out, int64_t n, int64_t from, uint64_t range, const Generator& generator);
// Integers from 0 to the largest the dtype counts to without gaps (2^24 for float).
template <class T>
void fill_integers(T* out, int64_t n, const Generator& generator);

// 1 with probability p, else 0. Any dtype.
template <class T>
void fill_bernoulli(T* out, int64_t n, double p, const Generator& generator);
// The same with a probability for each element. P: a floating dtype.
template <class T, class P>
void fill_bernoulli(T* out, const P* p, int64_t n, const Generator& generator);

// Density rate * exp(-rate * x).
template <class T>
void fill_exponential(T* out, int64_t n, double rate, const Generator& generator);
template <class T>
void fill_cauchy(T* out, int64_t n, double median, double scale, const Generator& generator);
// The number of trials up to the first success, each of probability 0 < p < 1. Any dtype but bool.
template <class T>
void fill_geometric(T* out, int64_t n, double p, const Generator& generator);

// Row by row, `samples` indices drawn with replacement with the probabilities p[row] / sum(p[row]).
// p: rows x categories of a floating dtype, none negative, each row's sum positive and finite.
// Without replacement, PyTorch takes the largest p / e for e of fill_exponential(rate 1) in p's dtype.
template <class T>
void fill_categories(int64_t* out, const T* p, int64_t rows, int64_t categories, int64_t samples,
                     const Generator& generator);

// A permutation of 0 .. n-1. T must count to n-1.
template <class T>
void fill_permutation(T* out, int64_t n, const Generator& generator);

// Bounds of random_(from, to) on a floating dtype, moved inwards to numbers that the dtype holds.
// Other dtypes keep theirs.
struct IntegerRange {
  int64_t from, to;
};
template <class T>
IntegerRange representable_range(int64_t from, int64_t to);

}  // namespace gotorch
