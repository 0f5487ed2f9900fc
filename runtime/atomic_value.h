#pragma once
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/spin.h"

namespace gotorch::runtime {

// Go's atomic.Value for one type: a value that is read often and replaced as a whole. Readers hold what they have read for
// as long as they like. Thread-safe, never waits.
//
//   atomic_value<Config> config;
//   config.store(read_config());
//   auto now = config.load();  // null before the first store
template <class T>
class atomic_value {
 public:
  using Pointer = std::shared_ptr<const T>;

  atomic_value() = default;
  explicit atomic_value(T value) : value_(std::make_shared<const T>(std::move(value))) {}
  atomic_value(const atomic_value&) = delete;

  Pointer load() const {
    const std::lock_guard guard(lock_);
    return value_;
  }
  void store(T value) { swap(std::move(value)); }

  // What was there before; null if nothing.
  Pointer swap(T value) {
    auto fresh = std::make_shared<const T>(std::move(value));
    const std::lock_guard guard(lock_);
    return std::exchange(value_, std::move(fresh));
  }

  // Stores `value` if what is there equals `expected`. False: it does not, or nothing is there.
  bool compare_and_swap(const T& expected, T value) {
    auto fresh = std::make_shared<const T>(std::move(value));
    // Compared without the lock: T's comparison may do anything.
    for (Pointer before = load(); before && *before == expected; before = load()) {
      const std::lock_guard guard(lock_);
      if (value_ != before) continue;
      value_.swap(fresh);
      return true;
    }
    return false;
  }

 private:
  mutable SpinLock lock_;
  Pointer value_;
};

}  // namespace gotorch::runtime
