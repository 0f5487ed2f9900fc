#include "runtime/actor.h"

#include <string>

namespace gotorch::runtime {
namespace {

std::string describe(const std::exception_ptr& cause) {
  if (!cause) return "";
  try {
    std::rethrow_exception(cause);
  } catch (const std::exception& e) {
    return std::string("; cause: ") + e.what();
  } catch (...) {
    return "; cause: an exception that is no std::exception";
  }
}

void expect_option(bool good, const char* text, int64_t value) {
  if (!good) throw std::invalid_argument(text + std::to_string(value));
}

}  // namespace

ActorStopped::ActorStopped(std::exception_ptr cause)
    : std::runtime_error("actor: has ended or is about to" + describe(cause)),
      cause(std::move(cause)) {}

ActorLife::ActorLife(const ActorOptions& options, context own)
    : options_(options), own_(std::move(own)) {
  expect_option(options.mailbox >= 0, "actor: mailbox must be at least 0, got ", options.mailbox);
  expect_option(options.restarts >= 0, "actor: restarts must be at least 0, got ",
                options.restarts);
  expect_option(options.within.count() >= 0, "actor: within must be at least 0 ns, got ",
                options.within.count());
}

// From the making of a state until all is handled: true; or until it is cancelled. Throws what a handler threw, or a child.
bool ActorLife::live() {
  struct Destroy {  // after all that may use it has ended
    ActorLife& actor;
    ~Destroy() { actor.destroy_state(); }
  } destroy{*this};
  bool all = false;
  scope life(own_);
  life.go([&] {
    const context c = life.ctx();
    if (c.cancelled()) return;
    make_state();
    all = handle_all(c);
    c.cancel();
  });
  life.join();
  return all;
}

bool ActorLife::may_restart() {
  if (options_.on_failure != OnFailure::Restart || own_.cancelled()) return false;
  const int64_t now = now_ns();
  while (!restarts_ns_.empty() && now - restarts_ns_.front() > options_.within.count()) {
    restarts_ns_.pop_front();
  }
  if (std::ssize(restarts_ns_) >= options_.restarts) return false;
  restarts_ns_.push_back(now);
  return true;
}

void ActorLife::run() {
  for (;;) {
    try {
      const bool all = live();
      return end(all ? nullptr : own_.cause(), nullptr);
    } catch (...) {
      if (may_restart()) continue;
      const std::exception_ptr error = std::current_exception();
      end(error, error);
      if (options_.on_failure == OnFailure::Stop) return;
      std::rethrow_exception(error);
    }
  }
}

void ActorLife::end(const std::exception_ptr& cause, const std::exception_ptr& error) {
  cause_ = cause;
  cause_known_.store(true, std::memory_order_release);  // release: the cause
  close_mailbox();
  refuse_all(stopped());
  ended_.close(error);
}

void ActorLife::stop() { close_mailbox(); }

void ActorLife::kill() {
  close_mailbox();
  own_.cancel();
}

std::exception_ptr ActorLife::stopped() const {
  const bool known = cause_known_.load(std::memory_order_acquire);  // acquire: the cause
  return std::make_exception_ptr(ActorStopped(known ? cause_ : nullptr));
}

}  // namespace gotorch::runtime
