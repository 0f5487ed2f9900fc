#pragma once
// The contexts that Python sees, and the one a wait of this thread or task ends with.
#include <pybind11/pybind11.h>

#include "python/src/errors.h"
#include "runtime/park.h"
#include "runtime/scope.h"

namespace gotorch::python {

struct ContextObject {
  runtime::context c;
};

// What gotorch.context.current() is made of: a contextvars.ContextVar, so threads and asyncio tasks have their own.
runtime::context current_context();

// Python's error for a wait that this context has ended: Cancelled or DeadlineExceeded, because of the cause.
[[noreturn]] void raise_cancelled(const runtime::context& c);

// None, or over a century: kForever. Raises ValueError unless `timeout` is a number of seconds >= 0.
int64_t nanoseconds(const pybind11::object& timeout, const char* op);
int64_t deadline_after(const pybind11::object& timeout, const char* op);

// Puts this native thread under its current context while it waits in f.
template <class F>
auto cancellably(F&& f) {
  const runtime::context current = current_context();
  if (!current.state()) return f();
  struct Under {
    explicit Under(const runtime::context& c)
        : scope(runtime::ScopeState::Own{c}),
          me(runtime::self()),
          before(me.scope.exchange(&scope, std::memory_order_relaxed)) {}
    ~Under() { me.scope.store(before, std::memory_order_relaxed); }
    runtime::ScopeState scope;
    runtime::Goroutine& me;
    runtime::ScopeState* const before;
  };
  try {
    const Under under(current);
    return f();
  } catch (const runtime::Cancelled&) {
    raise_cancelled(current);
  }
}

}  // namespace gotorch::python
