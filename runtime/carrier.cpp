#include "runtime/carrier.h"

#include <cxxabi.h>

#include <boost/context/detail/exception.hpp>
#include <cstdlib>
#include <exception>

#include "runtime/park.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/trace.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

void run(Goroutine* g) {
  ScopeState* scope = g->scope;
  try {
    g->invoke(*g, true);
  } catch (const boost::context::detail::forced_unwind&) {
    throw;
  } catch (...) {
    scope->fail(std::current_exception());
  }
  this_worker()->counts().ended.add();
  trace::event(trace::Kind::Out, g, "end");
  g->fiber = nullptr;
  g->context.store(nullptr, std::memory_order_relaxed);
  free_goroutine(g);
  scope->finish_one();
}

}  // namespace

// Its address never changes while the thread lives.
ExceptionState* thread_exception_record() {
  return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

void carrier_main(void* argument) {
  Carrier& carrier = *static_cast<Carrier*>(argument);
  carrier.fiber.bottom = __builtin_frame_address(0);
  this_worker()->enter_carrier(carrier);
  for (;;) {
    for (Goroutine* g = std::exchange(carrier.next_task, nullptr); g;) {
      g->fiber = &carrier.fiber;
      this_worker()->set_current(g);
      thread_state().local = {};
      trace::event(trace::Kind::In, g);
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
