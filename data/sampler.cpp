#include "data/sampler.h"

#include <algorithm>
#include <numeric>

#include "tensor/error.h"
#include "tensor/kernels/random_fill.h"

namespace gotorch {

static std::optional<Generator> shared(const Generator* generator) {
  return generator ? std::optional(*generator) : std::nullopt;
}

uint64_t drawn_seed(Generator& generator) {
  int64_t seed = 0;
  fill_integers(&seed, 1, generator);
  return static_cast<uint64_t>(seed);
}

std::vector<int64_t> random_permutation(int64_t n, const Generator& generator) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  fill_permutation(order.data(), n, generator);
  return order;
}

std::vector<int64_t> SequentialSampler::epoch() {
  std::vector<int64_t> order(static_cast<size_t>(n_));
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

RandomSampler::RandomSampler(int64_t n, const RandomSamplerOptions& options)
    : n_(n),
      samples_(options.num_samples.value_or(n)),
      replacement_(options.replacement),
      generator_(shared(options.generator)) {
  check<ValueError>(n > 0, "RandomSampler: cannot sample from ", n, " items");
  check<ValueError>(samples_ > 0, "num_samples should be a positive integer value, but got ",
                    "num_samples=", samples_);
}

SubsetRandomSampler::SubsetRandomSampler(std::vector<int64_t> indices, const Generator* generator)
    : indices_(std::move(indices)), generator_(shared(generator)) {}

std::vector<int64_t> RandomSampler::epoch() {
  Generator generator = generator_ ? *generator_ : Generator(drawn_seed(default_generator()));
  std::vector<int64_t> order;
  order.reserve(static_cast<size_t>(size()));
  if (replacement_) {
    order.resize(static_cast<size_t>(size()));
    fill_integers(order.data(), size(), 0, static_cast<uint64_t>(n_), generator);
    return order;
  }
  // Whole permutations, then a part of one, which is drawn even if nothing of it is needed.
  for (bool more = true; more;) {
    const std::vector<int64_t> next = random_permutation(n_, generator);
    const int64_t left = size() - static_cast<int64_t>(order.size());
    more = left >= n_;
    order.insert(order.end(), next.begin(), next.begin() + std::min(left, n_));
  }
  return order;
}

std::vector<int64_t> SubsetRandomSampler::epoch() {
  std::vector<int64_t> order =
      random_permutation(size(), generator_ ? *generator_ : default_generator());
  for (int64_t& i : order) i = indices_[static_cast<size_t>(i)];
  return order;
}

BatchIndices::BatchIndices(std::vector<int64_t> indices, int64_t size, bool drop_last)
    : indices_(std::move(indices)), size_(size), drop_last_(drop_last) {
  check<ValueError>(size > 0,
                    "batch_size should be a positive integer value, but got batch_size=", size);
}

std::optional<std::vector<int64_t>> BatchIndices::next() {
  const int64_t left = static_cast<int64_t>(indices_.size()) - done_;
  if (left <= 0 || (drop_last_ && left < size_)) return std::nullopt;
  const auto begin = indices_.begin() + done_;
  done_ += std::min(left, size_);
  return std::vector<int64_t>(begin, indices_.begin() + done_);
}

}  // namespace gotorch
