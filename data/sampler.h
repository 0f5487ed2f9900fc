#pragma once
// Orders in which the items of a dataset are visited: PyTorch's for the same seed.
#include <cstdint>
#include <optional>
#include <vector>

#include "tensor/random.h"

namespace gotorch {

// A sampler that is given a generator shares its state.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // How many indices an epoch has.
  virtual int64_t size() const = 0;
  // The indices of the next epoch.
  virtual std::vector<int64_t> epoch() = 0;
};

// 0, 1, 2, ...
class SequentialSampler : public Sampler {
 public:
  explicit SequentialSampler(int64_t n) : n_(n) {}
  int64_t size() const override { return n_; }
  std::vector<int64_t> epoch() override;

 private:
  int64_t n_;
};

struct RandomSamplerOptions {
  bool replacement = false;              // independent draws; else a permutation
  std::optional<int64_t> num_samples;    // as many as there are items
  const Generator* generator = nullptr;  // none: seeded anew each epoch from the default generator
};

class RandomSampler : public Sampler {
 public:
  // ValueError unless n and the number of samples are positive.
  explicit RandomSampler(int64_t n, const RandomSamplerOptions& options = {});
  int64_t size() const override { return samples_; }
  std::vector<int64_t> epoch() override;

 private:
  int64_t n_, samples_;
  bool replacement_;
  std::optional<Generator> generator_;
};

// Given indices in random order.
class SubsetRandomSampler : public Sampler {
 public:
  explicit SubsetRandomSampler(std::vector<int64_t> indices, const Generator* generator = nullptr);
  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  std::vector<int64_t> epoch() override;

 private:
  std::vector<int64_t> indices_;
  std::optional<Generator> generator_;
};

// 0 .. n-1 in random order.
std::vector<int64_t> random_permutation(int64_t n, const Generator& generator);
// What seeds a generator of its own: 63 bits, two words of `generator`.
uint64_t drawn_seed(Generator& generator);

// An epoch's indices in groups of `size`, the last smaller or dropped.
class BatchIndices {
 public:
  // ValueError unless size is positive.
  BatchIndices(std::vector<int64_t> indices, int64_t size, bool drop_last);
  std::optional<std::vector<int64_t>> next();

 private:
  std::vector<int64_t> indices_;
  int64_t size_;
  bool drop_last_;
  int64_t done_ = 0;
};

}  // namespace gotorch
