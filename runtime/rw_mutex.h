#pragma once
#include <atomic>
#include <cstdint>

#include "runtime/mutex.h"

namespace gotorch::runtime {

// Go's RWMutex: many readers or one writer. A writer that waits lets no new reader in, and when it unlocks, the readers
// that came meanwhile are let in before the next writer. So a reader must not lock it again. Works with std::unique_lock and
// std::shared_lock; waits are not ended by a cancelled context.
//
//   std::shared_lock reading(m);
//
// Invariants (the algorithm is that of Go)
//  - word_ is readers << 1 | kWriter. kWriter: the one writer, which holds writers_, is waiting or has the lock; readers are
//    then those it waits for, and those that came since, which wait for it.
//  - reader_wait_ counts the first kind down; each of them comes to lock_ when it leaves, perhaps before the writer has added them.
//  - When kWriter goes, all readers that are counted have the lock: each takes one of grants_, or is woken instead.
//  - Who is interrupted stays counted: the one that it waited for unlocks in its place.
class rw_mutex {
 public:
  rw_mutex() = default;
  rw_mutex(const rw_mutex&) = delete;

  void lock();
  bool try_lock();
  void unlock();  // std::logic_error if it is not locked

  void lock_shared() {
    at_edge(Edge::Operation);
    // acquire: pairs with the release in unlock.
    if (word_.fetch_add(kReader, std::memory_order_acquire) & kWriter) lock_shared_slowly();
  }
  bool try_lock_shared() {
    int64_t word = word_.load(std::memory_order_relaxed);
    while (!(word & kWriter)) {
      if (word_.compare_exchange_weak(word, word + kReader, std::memory_order_acquire)) return true;
    }
    return false;
  }
  // std::logic_error if no reader has it.
  void unlock_shared() {
    // release: a writer that comes later writes after what we have read.
    const int64_t before = word_.fetch_sub(kReader, std::memory_order_release);
    if (before < kReader || before & kWriter) unlock_shared_slowly(before);
  }

 private:
  static constexpr int64_t kWriter = 1, kReader = 2;
  void lock_shared_slowly();
  void unlock_shared_slowly(int64_t before);
  void wait_for_readers(int64_t readers);
  void release_writer();

  std::atomic<int64_t> word_{0};
  std::atomic<bool> held_{false};  // by a writer
  mutex writers_;
  SpinLock lock_;  // guards the rest
  int64_t reader_wait_ = 0;
  SyncWaiter* writer_ = nullptr;
  bool writer_gave_up_ = false;
  int64_t grants_ = 0, readers_gave_up_ = 0;
  SyncQueue readers_;
};

}  // namespace gotorch::runtime
