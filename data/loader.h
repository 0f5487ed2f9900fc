#pragma once
// Batches of a dataset, made ahead of the loop by goroutines.
//
//   DataLoader loader(TensorDataset(images, labels), {.batch_size = 64, .shuffle = true, .workers = 2});
//   for (int epoch = 0; epoch < 10; epoch++)
//     for (auto [x, y] : loader) train(x, y);
//
// Invariants
//  - An epoch is a scope: indices -> stage of workers -> bounded channel -> loop. Batches come in the
//    order of the sampler, whatever the workers' timing.
//  - The iterator owns the scope. Leaving the loop early cancels and joins its goroutines; workers
//    look at their context between items.
//  - What a dataset or a collate function throws comes out of the loop after the batches before it.
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "data/collate.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "runtime/stage.h"

namespace gotorch {

struct LoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;
  bool drop_last = false;
  int workers = 1;       // goroutines that make batches at once; 0: the loop makes them itself
  int64_t prefetch = 2;  // batches that each worker may be ahead of the loop
  std::shared_ptr<Sampler> sampler{};  // instead of shuffle
  Generator* generator = nullptr;      // that shuffles; its state is shared
};

// The sampler that the options ask for over n items. ValueError if they contradict each other.
std::shared_ptr<Sampler> make_sampler(int64_t n, const LoaderOptions& options);

// One loop at a time; several loaders may run at once.
template <Dataset D, class Collate = DefaultCollate>
class DataLoader {
  // Shared with the goroutines, which may outlive a loader that is moved.
  struct Work {
    D dataset;
    Collate collate;

    auto batch(const std::vector<int64_t>& indices) const {
      if constexpr (BatchDataset<D> && std::is_same_v<Collate, DefaultCollate>) {
        return dataset.get_batch(indices);
      } else {
        std::vector<decltype(dataset.get(0))> items;
        items.reserve(indices.size());
        const runtime::context context = runtime::this_context();
        for (int64_t i : indices) {
          context.check();
          items.push_back(dataset.get(i));
        }
        return collate(std::move(items));
      }
    }
  };

 public:
  using Batch = decltype(std::declval<const Work&>().batch({}));

  explicit DataLoader(D dataset, const LoaderOptions& options = {}, Collate collate = {})
      : work_(std::make_shared<const Work>(Work{std::move(dataset), std::move(collate)})),
        options_(options),
        generator_(options.generator ? *options.generator : default_generator()),
        sampler_(make_sampler(work_->dataset.size(), options_)) {}

  // Batches in an epoch.
  int64_t size() const {
    const int64_t n = sampler_->size(), b = options_.batch_size;
    return options_.drop_last ? n / b : (n + b - 1) / b;
  }
  const D& dataset() const { return work_->dataset; }

  // The next epoch as the beginning of a pipeline.
  runtime::chan<Batch> stream(runtime::scope& s) {
    auto left = std::make_shared<BatchIndices>(next_epoch());
    auto indices = runtime::source(s, [left] { return left->next(); });
    const int workers = std::max(options_.workers, 1);
    return runtime::stage(
        s, indices,
        [work = work_](const std::vector<int64_t>& batch) { return work->batch(batch); },
        {.workers = workers, .capacity = workers * options_.prefetch});
  }

  class iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    explicit iterator(DataLoader& loader) : epoch_(std::make_unique<Epoch>(loader)) { ++*this; }
    Batch& operator*() const { return *epoch_->current; }
    iterator& operator++() {
      epoch_->current = epoch_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !epoch_->current; }

   private:
    std::unique_ptr<typename DataLoader::Epoch> epoch_;
  };
  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  struct Epoch {
    explicit Epoch(DataLoader& loader) : work(loader.work_) {
      if (loader.options_.workers > 0) batches = loader.stream(scope);
      else indices.emplace(loader.next_epoch());
    }
    std::optional<Batch> next() {
      if (batches) return batches.receive();
      const auto batch = indices->next();
      return batch ? std::optional<Batch>(work->batch(*batch)) : std::nullopt;
    }

    std::shared_ptr<const Work> work;
    std::optional<BatchIndices> indices;
    runtime::chan<Batch> batches;
    std::optional<Batch> current;
    runtime::scope scope;
  };

  // PyTorch draws a seed for its workers first; the order of a shuffle depends on it.
  BatchIndices next_epoch() {
    drawn_seed(generator_);
    return {sampler_->epoch(), options_.batch_size, options_.drop_last};
  }

  std::shared_ptr<const Work> work_;
  LoaderOptions options_;
  Generator generator_;
  std::shared_ptr<Sampler> sampler_;
};

}  // namespace gotorch
