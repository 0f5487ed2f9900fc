#include "runtime/fiber.h"

#include <boost/version.hpp>
#include <utility>

// Can be set by hand to compare the two.
#ifndef GOTORCH_SWITCH_BY_CONTEXT
#define GOTORCH_SWITCH_BY_CONTEXT (BOOST_VERSION >= 108800 || GOTORCH_SANITIZED)
#endif

#if GOTORCH_SWITCH_BY_CONTEXT

#include <boost/context/detail/fcontext.hpp>

namespace gotorch::runtime {

namespace context = boost::context::detail;

struct Arrival {
  FiberThread& thread;
  Fiber& from;
  Fiber& to;
  // Runs on the stack arrived at; the one left holds *this, so it is read before that is let go.
  static context::transfer_t complete(context::transfer_t t) {
    const auto& [thread, from, to] = *static_cast<Arrival*>(t.data);
    to.mark.arrived(from.mark);
    from.saved = t.fctx;
    thread.switched_out_(thread.owner_, from);
    return {nullptr, nullptr};
  }
};

namespace {

struct Beginning {
  void (*entry)(void*);
  void* argument;
  // Sanitizers do not hear of this first visit to the new stack, so it must not look instrumented.
  [[gnu::no_sanitize("address", "thread")]] static void run(context::transfer_t t) {
    const Beginning b = *static_cast<Beginning*>(t.data);
    context::jump_fcontext(t.fctx, nullptr);  // back to make(); the first switch_to comes here
    b.entry(b.argument);
  }
};

}  // namespace

void FiberThread::adopt() { main_.mark.adopt(); }

void FiberThread::switch_to(Fiber& from, Fiber& to) {
  Arrival a{*this, from, to};
  const context::fcontext_t next = std::exchange(to.saved, nullptr);
  from.mark.leaving(to.mark);
  context::ontop_fcontext(next, &a, Arrival::complete);
}

void FiberThread::make(Fiber& fiber, char* low, char* top, void (*entry)(void*), void* argument) {
  const auto size = static_cast<size_t>(top - low);
  fiber.mark = {top, size};
  Beginning b{entry, argument};
  fiber.saved = context::jump_fcontext(context::make_fcontext(top, size, Beginning::run), &b).fctx;
}

}  // namespace gotorch::runtime

#else

#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <boost/fiber/scheduler.hpp>
#include <boost/fiber/type.hpp>

namespace gotorch::runtime {

using boost::fibers::context;

// The stack of a fiber, as Boost asks for it.
struct Given {
  char *low, *top;
  boost::context::stack_context allocate() const {
    boost::context::stack_context given;
    given.size = static_cast<size_t>(top - low);
    given.sp = top;
    return given;
  }
  void deallocate(boost::context::stack_context&) const noexcept {}
};

// What Boost.Fiber asks on each switch. Its dispatcher only runs when the thread ends. A fiber that
// is not running is detached: it belongs to no scheduler and any may attach it.
class BoostAlgorithm final : public boost::fibers::algo::algorithm {
 public:
  explicit BoostAlgorithm(FiberThread* thread) : thread_(*thread) { thread_.backend_ = this; }

  void awakened(context* c) noexcept override {
    if (c->is_context(boost::fibers::type::dispatcher_context)) {
      dispatcher_ = c;
      return;
    }
    if (!c->is_context(boost::fibers::type::main_context)) c->detach();
    if (Fiber* left = std::exchange(from_, nullptr)) {
      thread_.switched_out_(thread_.owner_, *left);
    } else if (made_) {
      std::exchange(made_, nullptr)->saved = c;
    }
  }
  context* pick_next() noexcept override {
    context* next = std::exchange(next_, nullptr);
    return next ? next : dispatcher_;
  }
  bool has_ready_fibers() const noexcept override { return false; }
  void suspend_until(const std::chrono::steady_clock::time_point&) noexcept override {}
  void notify() noexcept override {}

  // What context::yield() does, without asking which context is active.
  void switch_to(Fiber& from, Fiber& to) {
    auto* here = static_cast<context*>(from.saved);
    next_ = static_cast<context*>(to.saved);
    if (next_->is_context(boost::fibers::type::worker_context)) here->attach(next_);
    from_ = &from;
    here->get_scheduler()->yield(here);
  }

  void make(Fiber& fiber, char* low, char* top, void (*entry)(void*), void* argument) {
    made_ = &fiber;
    struct Reset {
      Fiber*& made;
      ~Reset() { made = nullptr; }
    } reset{made_};
    boost::fibers::fiber(boost::fibers::launch::post, std::allocator_arg, Given{low, top},
                         [entry, argument] { entry(argument); })
        .detach();
  }

 private:
  FiberThread& thread_;
  context* dispatcher_ = nullptr;
  context* next_ = nullptr;
  Fiber* from_ = nullptr;  // what is being left
  Fiber* made_ = nullptr;  // what is being made
};

void FiberThread::adopt() {
  boost::fibers::use_scheduling_algorithm<BoostAlgorithm>(this);
  main_.saved = context::active();
}

void FiberThread::switch_to(Fiber& from, Fiber& to) {
  static_cast<BoostAlgorithm*>(backend_)->switch_to(from, to);
}

void FiberThread::make(Fiber& fiber, char* low, char* top, void (*entry)(void*), void* argument) {
  static_cast<BoostAlgorithm*>(backend_)->make(fiber, low, top, entry, argument);
}

}  // namespace gotorch::runtime

#endif
