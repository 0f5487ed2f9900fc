#include "runtime/parallel.h"

#include <algorithm>

namespace gotorch::runtime {

int num_workers() { return 1; }
void set_num_workers(int) {}

void parallel_for(int64_t n, int64_t grain, RangeFn body) {
  for (int64_t b = 0; b < n; b += grain) body(b, std::min(n, b + grain));
}

}  // namespace gotorch::runtime
