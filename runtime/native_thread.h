#pragma once
// Threads that the runtime starts.
#include <thread>

#include "runtime/fn_ref.h"
#include "runtime/goroutine.h"

namespace gotorch::runtime {

// Runs f; the threads it starts get no signals but those that they raise by a fault.
void with_signals_blocked(FnRef<void()> f);

// A std::thread that leaves signals to the program's own threads.
template <class F>
std::thread start_thread(F f) {
  std::thread thread;
  with_signals_blocked([&] { thread = std::thread(std::move(f)); });
  return thread;
}

// Runs a goroutine that has not started yet on a new thread, where it stays: the thread waits when it does, and ends with it.
// std::system_error, and the goroutine is gone, if the system has no thread.
void start_pinned(Goroutine* g);

}  // namespace gotorch::runtime
