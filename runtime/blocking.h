#pragma once
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/fn_ref.h"

namespace gotorch::runtime {

void run_blocking(FnRef<void()> f);

// Runs f() where it may block the thread it is on, in a call that knows nothing of goroutines, and returns its result. The
// goroutine waits meanwhile and its worker runs others: f runs on one of up to 512 threads kept for that; when all of them
// are in use it waits for one. In f, go() and waits are as outside. The wait for f is not ended by a cancelled context, as f
// may use what belongs to the caller. On a thread that is not a worker's f just runs.
//   addrinfo* found = blocking([&] { return lookup(name); });
template <class F>
auto blocking(F&& f) {
  using R = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<R>) {
    run_blocking(f);
  } else {
    static_assert(!std::is_reference_v<R>, "return a pointer");
    std::optional<R> result;
    run_blocking([&] { result.emplace(f()); });
    return *std::move(result);
  }
}

// Those threads do not exist in a forked child.
void forget_blocking_threads_after_fork();

}  // namespace gotorch::runtime
