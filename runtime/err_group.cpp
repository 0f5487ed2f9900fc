#include "runtime/err_group.h"

#include <mutex>
#include <stdexcept>
#include <string>

namespace gotorch::runtime {

void err_group::set_limit(int64_t n) {
  if (const int64_t running = running_.load(std::memory_order_acquire)) {
    throw std::logic_error("err_group: set_limit(" + std::to_string(n) + ") while " +
                           std::to_string(running) + " functions run");
  }
  limit_ = n < 0 ? nullptr : std::make_unique<semaphore>(n);
}

void err_group::leave() {
  if (limit_) limit_->release();
  running_.fetch_sub(1,
                     std::memory_order_release);  // release: set_limit() replaces what we have used
}

void err_group::fail(std::exception_ptr error) {
  if (ctx().cancelled()) {  // who ends because it was told to says why
    try {
      std::rethrow_exception(error);
    } catch (const Cancelled&) {
      error = ctx().cause();
    } catch (...) {
    }
  }
  {
    const std::lock_guard guard(error_lock_);
    if (error_) return;
    error_ = error;
  }
  if (cancels_) scope_.cancel(error);
}

void err_group::wait() {
  std::exception_ptr error;
  try {
    scope_.join();
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::lock_guard guard(error_lock_);
    if (error_) error = std::exchange(error_, nullptr);
  }
  if (cancels_) scope_.cancel(error);
  if (error) std::rethrow_exception(error);
}

}  // namespace gotorch::runtime
