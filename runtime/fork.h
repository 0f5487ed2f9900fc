#pragma once
#include <atomic>

namespace gotorch::runtime {

// Counts the forks between the first process and this one.
inline std::atomic<int> forks{0};
inline int process_number() { return forks.load(std::memory_order_relaxed); }

}  // namespace gotorch::runtime
