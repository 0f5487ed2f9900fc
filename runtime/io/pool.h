#pragma once
// Threads for calls of the operating system that can only block: Asio's, all signals blocked.
#include <functional>

#include "runtime/fn_ref.h"

namespace gotorch::runtime {

// Calls f() on a thread of the pool for files, while the goroutine waits. f may use what is on our
// stack, so nothing ends this wait before f is done: f must be quick to end.
void on_file_thread(const char* what, FnRef<void()> f);

// Starts f on a thread of the pool for looking up names. It may take long, and must not throw.
void on_lookup_thread(std::function<void()> f);

void forget_pools_after_fork();

}  // namespace gotorch::runtime
