#pragma once
#include <cstdint>

#include "runtime/sync_queue.h"

namespace gotorch::runtime {

// A weighted semaphore, as golang.org/x/sync/semaphore: at most `size` units are out at a time. First come, first served: who
// asks for much is not overtaken by who asks for little. Thread-safe.
//
//   semaphore connections(8);
//   connections.acquire();
//   ...
//   connections.release();
//
// std::invalid_argument for negative numbers, and for more than there will ever be; std::logic_error for a release of more
// than is out. A cancelled context ends acquire() with Cancelled; then nothing was taken.
class semaphore {
 public:
  explicit semaphore(int64_t size);
  semaphore(const semaphore&) = delete;

  void acquire(int64_t n = 1);
  bool try_acquire(int64_t n = 1);
  void release(int64_t n = 1);
  int64_t size() const { return size_; }

 private:
  void check(const char* op, int64_t n) const;
  bool take(int64_t n);
  void serve(WokenList& woken);

  const int64_t size_;
  SpinLock lock_;
  int64_t free_;
  SyncQueue waiters_;
};

}  // namespace gotorch::runtime
