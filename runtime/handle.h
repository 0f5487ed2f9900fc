#pragma once
#include <exception>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "runtime/chan.h"

namespace gotorch::runtime {

// The result of a goroutine; go() of a function that returns one gives it. Dropping it costs nothing: the goroutine runs, and
// belongs to its scope, all the same. Thread-safe, except that it is joined once.
//
// A goroutine that fails fails its scope, as any other; join() rethrows the same error to who asks for the result, even if
// the scope's cancellation has reached that one, too. Who can go on without the result starts it in a scope of its own.
template <class T>
class handle {
 public:
  handle() : result_(1) {}
  handle(handle&&) = default;
  handle& operator=(handle&&) = default;

  // Waits for the goroutine. std::logic_error if it gave its result to an earlier join(); an error stays.
  T join() {
    std::optional<T> value = result_.receive();
    if (!value) throw std::logic_error("join: the goroutine's result was taken before");
    return *std::move(value);
  }

  // For select: one value; closed after it, with the error if the goroutine failed.
  const chan<T>& result() const { return result_; }

 private:
  template <class F, class... Options>
  friend auto go_in(class ScopeState& scope, F&& f, std::source_location site,
                    const Options&... options);

  // What the goroutine runs.
  template <class F>
  auto fill(F&& f) const {
    return [f = std::forward<F>(f), out = result_]() mutable {
      try {
        out.send(f());  // there is room
      } catch (...) {
        out.close(std::current_exception());
        throw;
      }
      out.close();
    };
  }

  chan<T> result_;
};

}  // namespace gotorch::runtime
