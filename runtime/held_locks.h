#pragma once
// A goroutine must not wait while it holds a native lock such as a std::mutex: it may go on on another thread, which does not
// hold that, and meanwhile whoever wants the lock blocks a worker. In a process with libgotorch_locks.so in LD_PRELOAD, which counts the
// locks of each thread, such a wait throws std::logic_error before it begins.
namespace gotorch::runtime {

// How many the calling thread holds; null: nobody counts.
inline int (*held_native_locks)() = nullptr;

[[noreturn]] void refuse_to_wait_with_locks(int held);

}  // namespace gotorch::runtime
