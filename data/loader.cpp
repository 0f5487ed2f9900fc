#include "data/loader.h"

namespace gotorch {

std::shared_ptr<Sampler> make_sampler(int64_t n, const LoaderOptions& options) {
  check<ValueError>(
      options.batch_size > 0,
      "batch_size should be a positive integer value, but got batch_size=", options.batch_size);
  check<ValueError>(options.workers >= 0, "DataLoader: workers must be 0 or more, got ",
                    options.workers);
  check<ValueError>(options.prefetch >= 0, "DataLoader: prefetch must be 0 or more, got ",
                    options.prefetch);
  check<ValueError>(!options.sampler || !options.shuffle,
                    "sampler option is mutually exclusive with shuffle");
  if (options.sampler) return options.sampler;
  if (!options.shuffle) return std::make_shared<SequentialSampler>(n);
  return std::make_shared<RandomSampler>(n, RandomSamplerOptions{.generator = options.generator});
}

}  // namespace gotorch
