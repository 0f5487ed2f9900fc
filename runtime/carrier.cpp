#include "runtime/carrier.h"

#include <cxxabi.h>

#include <boost/context/detail/exception.hpp>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

// Out of line, so that no address is kept across a switch to another thread.
[[gnu::noinline]] void* exception_record() {
  void* p = abi::__cxa_get_globals();
  asm volatile("" : "+rm"(p));
  return p;
}

void run(Goroutine* g) {
  ScopeState* scope = g->scope;
  try {
    g->invoke(*g, true);
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    scope->fail(std::current_exception());
  }
  g->fiber = nullptr;
  g->context.store(nullptr, std::memory_order_relaxed);
  free_goroutine(g);
  scope->finish_one();
}

}  // namespace

ExceptionState save_exceptions() {
  ExceptionState state;
  std::memcpy(state.record, exception_record(), sizeof state.record);
  return state;
}

void restore_exceptions(const ExceptionState& state) {
  std::memcpy(exception_record(), state.record, sizeof state.record);
}

void carrier_main(Carrier& carrier) {
  restore_exceptions({});
  for (;;) {
    for (Goroutine* g = std::exchange(carrier.next_task, nullptr); g;) {
      g->fiber = carrier.fiber;
      this_worker()->set_current(g);
      run(g);
      Worker* worker = this_worker();
      if (!worker) std::_Exit(0);  // a forked child came back from the goroutine that forked
      worker->set_current(nullptr);
      g = worker->next_task_here();
    }
    Worker::switch_out({.idle = &carrier});
  }
}

}  // namespace gotorch::runtime
