#include "runtime/io/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <utility>

#include "runtime/futex.h"
#include "runtime/io/descriptor.h"
#include "runtime/io/error.h"
#include "runtime/scheduler.h"

namespace gotorch::runtime {
namespace {

constexpr int kEvents = 128;
constexpr int kPlaces = 32;

int made(int fd, const char* op) {
  if (fd < 0) throw IoError(errno, op, "");
  return fd;
}

// With the precision of timers where the kernel can (Linux 5.11), else rounded up to milliseconds.
int wait_for_events(int epoll, epoll_event* events, int64_t timeout_ns) {
  if (timeout_ns == 0) return epoll_wait(epoll, events, kEvents, 0);
  if (timeout_ns == kForever) return epoll_wait(epoll, events, kEvents, -1);
#ifdef SYS_epoll_pwait2
  static std::atomic<bool> missing{false};
  if (!missing.load(std::memory_order_relaxed)) {
    timespec t{timeout_ns / 1000000000, timeout_ns % 1000000000};
    const long n = syscall(SYS_epoll_pwait2, epoll, events, kEvents, &t, nullptr, 0);
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(n);
    missing.store(true, std::memory_order_relaxed);
  }
#endif
  const int64_t ms = (timeout_ns + 999'999) / 1'000'000;
  return epoll_wait(epoll, events, kEvents, static_cast<int>(ms < 60'000 ? ms : 60'000));
}

}  // namespace

Poller::Poller()
    : epoll_(made(epoll_create1(EPOLL_CLOEXEC), "epoll_create")),
      event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  epoll_event event{EPOLLIN, {nullptr}};
  if (event_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event) != 0) {
    const int error = errno;
    close(epoll_);
    if (event_ >= 0) close(event_);
    throw IoError(error, "eventfd", "");
  }
}

Poller::~Poller() {
  close(epoll_);
  close(event_);
}

Descriptor* Poller::take_place() {
  std::lock_guard guard(lock_);
  if (!free_) {
    auto* places = new Descriptor[kPlaces];  // never deleted, see Invariants
    for (int i = 0; i < kPlaces; i++) places[i].next = std::exchange(free_, &places[i]);
  }
  return std::exchange(free_, free_->next);
}

void Poller::give_back(Descriptor* place) {
  std::lock_guard guard(lock_);
  place->next = std::exchange(free_, place);
}

int Poller::add(Descriptor& descriptor, int fd) {
  epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, {&descriptor}};
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void Poller::opened() {
  // The workers that sleep do not poll yet. wake() fences, so that one that is about to sleep does.
  if (open_.fetch_add(1, std::memory_order_relaxed) == 0) scheduler().wake(1);
}

void Poller::closed() { open_.fetch_sub(1, std::memory_order_relaxed); }

Goroutine* Poller::poll(int64_t timeout_ns) {
  epoll_event events[kEvents];
  const int n = wait_for_events(epoll_, events, timeout_ns);
  Goroutine* first = nullptr;
  Goroutine** last = &first;
  for (int i = 0; i < n; i++) {
    auto* descriptor = static_cast<Descriptor*>(events[i].data.ptr);
    if (descriptor) {
      last = descriptor->happened(events[i].events, last);
    } else if (timeout_ns != 0) {
      uint64_t count;
      (void)!read(event_, &count, sizeof count);
    }
  }
  return first;
}

void Poller::interrupt() {
  const uint64_t one = 1;
  (void)!write(event_, &one, sizeof one);  // fails only if it is signalled already
}

Poller& poller() {
  if (Poller* p = poller_instance.load(std::memory_order_acquire)) return *p;
  scheduler();               // sees to it that a fork forgets us
  auto* fresh = new Poller;  // never deleted, like the scheduler
  Poller* none = nullptr;
  if (poller_instance.compare_exchange_strong(none, fresh, std::memory_order_acq_rel))
    return *fresh;
  delete fresh;
  return *none;
}

void forget_poller_after_fork() {
  delete poller_instance.exchange(nullptr, std::memory_order_relaxed);
}

}  // namespace gotorch::runtime
