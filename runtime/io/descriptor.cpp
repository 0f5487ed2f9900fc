#include "runtime/io/descriptor.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <utility>

#include "runtime/context.h"
#include "runtime/futex.h"
#include "runtime/io/error.h"
#include "runtime/io/poller.h"
#include "runtime/scheduler.h"

namespace gotorch::runtime {
namespace {

// An operation that never has to wait lets others run after so many.
constexpr uint32_t kStreak = 64;

constexpr uint32_t kEnds = EPOLLHUP | EPOLLERR;

Goroutine* take_claimed(Descriptor::Side& side) {
  Goroutine* g = std::exchange(side.waiter, nullptr);
  return g && claim(*g) ? g : nullptr;
}

// Everybody who waits on this side looks again.
void claim_all(Descriptor::Side& side, Goroutine**& last) {
  const auto append = [&](Goroutine* g) {
    g->next = nullptr;
    *last = g;
    last = &g->next;
  };
  if (Goroutine* g = take_claimed(side)) append(g);
  while (ChanWaiter* w = side.turns.pop_claimed()) append(w->g);
}

void release(Descriptor* d) {
  if (d->process != process_number()) {  // the lock may be held by a thread of the parent
    if (d->fd >= 0) close(std::exchange(d->fd, -1));
    return;
  }
  d->close();
  poller().give_back(d);
}

}  // namespace

DescriptorRef new_descriptor(int fd, std::string name, const char* op, int family) {
  Descriptor* d = nullptr;
  try {
    d = poller().take_place();
  } catch (...) {
    close(fd);
    throw;
  }
  d->lock.lock();
  d->closed = false;
  d->short_is_all = family == AF_INET || family == AF_INET6;
  d->fd = fd;
  d->process = process_number();
  d->family = family;
  for (auto& side : d->sides) side.reset();
  d->lock.unlock();
  d->name = std::move(name);
  DescriptorRef ref(d, release);
  poller().opened();
  if (const int error = poller().add(*d, fd)) throw IoError(error, op, d->name);
  return ref;
}

Goroutine** Descriptor::happened(uint32_t events, Goroutine** last) {
  std::lock_guard guard(lock);
  const auto on = [&](Direction direction, uint32_t any, uint32_t end) {
    Side& s = side(direction);
    if (!(events & (any | end))) return;
    s.ready = true;
    s.ended |= (events & end) != 0;
    if (Goroutine* g = take_claimed(s)) {
      g->next = nullptr;
      *last = g;
      last = &g->next;
    }
  };
  if (events & EPOLLPRI) short_is_all = false;  // a read stops at urgent data
  on(Direction::Read, EPOLLIN | EPOLLPRI, EPOLLRDHUP | kEnds);
  on(Direction::Write, EPOLLOUT, kEnds);
  return last;
}

void Descriptor::set_deadline(Direction direction, int64_t deadline_ns) {
  Goroutine* woken = nullptr;
  Goroutine** last = &woken;
  {
    std::lock_guard guard(lock);
    Side& s = side(direction);
    s.deadline_ns = deadline_ns;
    claim_all(s, last);  // who waits goes by the new one
  }
  ready_all(woken);
}

void Descriptor::close() {
  Goroutine* woken = nullptr;
  Goroutine** last = &woken;
  int number = -1;
  {
    std::lock_guard guard(lock);
    if (closed) return;
    closed = true;
    for (Side& s : sides) claim_all(s, last);
    if (users == 0) number = std::exchange(fd, -1);
  }
  close_number(number);
  ready_all(woken);
}

int64_t Descriptor::with_fd(const char* op, FnRef<int64_t(int)> call) {
  int number;
  {
    std::lock_guard guard(lock);
    if (closed) throw IoClosed(op, name);
    users++;
    number = fd;
  }
  const int64_t result = call(number);
  const int error = errno;
  leave();
  if (result < 0) throw IoError(error, op, name);
  return result;
}

void Descriptor::leave() {
  int number = -1;
  {
    std::lock_guard guard(lock);
    if (--users == 0 && closed) number = std::exchange(fd, -1);
  }
  close_number(number);
}

void Descriptor::close_number(int number) {
  if (number < 0) return;
  ::close(number);
  poller().closed();
}

ssize_t Descriptor::operate(Direction direction, const char* op, FnRef<ssize_t(int)> attempt,
                            size_t wanted) {
  return Operation(*this, direction, op).run(attempt, wanted);
}

Descriptor::Operation::Operation(Descriptor& d, Direction direction, const char* op)
    : d_(d), side_(d.side(direction)), op_(op) {
  if (d.process != process_number()) {
    throw std::logic_error(std::string(op) + " " + d.name +
                           ": it was opened before fork(), so the child cannot use it");
  }
  refuse_in_simulation(op);
  std::unique_lock held(d.lock);
  for (;;) {
    if (d.closed || late()) {
      pass_turn(held);  // that may have been given to us
      if (d.closed) throw IoClosed(op, d.name);
      throw IoTimeout(op, d.name);
    }
    if (!side_.busy) break;
    ChanWaiter waiter;
    waiter.g = &self();
    side_.turns.push_back(waiter);
    const WakeReason reason = park_unlocking(held, *waiter.g);
    side_.turns.remove(waiter);
    held.unlock();
    throw_if_stopped(reason);
    held.lock();
  }
  side_.busy = true;
  fd_ = d.fd;
  d.users++;
}

Descriptor::Operation::~Operation() {
  {
    std::unique_lock held(d_.lock);
    side_.busy = false;
    pass_turn(held);
  }
  d_.leave();
}

bool Descriptor::Operation::late() const {
  return side_.deadline_ns != kForever && side_.deadline_ns <= now_ns();
}

// Leaves `held` unlocked.
void Descriptor::Operation::pass_turn(std::unique_lock<SpinLock>& held) {
  ChanWaiter* next = side_.busy ? nullptr : side_.turns.pop_claimed();
  held.unlock();
  if (next) ready(next->g);
}

WakeReason Descriptor::Operation::park_unlocking(std::unique_lock<SpinLock>& held, Goroutine& me) {
  held.release();
  const WakeReason reason = park(me, {.what = op_,
                                      .object = &d_,
                                      .unlock = unlock_spin,
                                      .argument = &d_.lock,
                                      .deadline_ns = side_.deadline_ns});
  held = std::unique_lock(d_.lock);
  return reason;
}

ssize_t Descriptor::Operation::run(FnRef<ssize_t(int)> attempt, size_t wanted) {
  be_fair();
  for (;;) {
    {
      std::unique_lock held(d_.lock);
      if (!side_.ready && !side_.ended) {
        held.unlock();
        wait();
        continue;
      }
      side_.ready = false;
    }
    const ssize_t n = attempt(fd_);
    const int error = n < 0 ? errno : 0;
    if (error == EAGAIN) continue;
    std::unique_lock held(d_.lock);
    if (error || n == 0 || !d_.short_is_all || static_cast<size_t>(n) >= wanted) side_.ready = true;
    held.unlock();
    if (error == 0) return n;
    if (error != EINTR) throw IoError(error, op_, d_.name);
  }
}

void Descriptor::Operation::wait() {
  Goroutine& me = self();
  std::unique_lock held(d_.lock);
  while (!side_.ready && !side_.ended) {
    if (d_.closed || late()) {
      held.unlock();
      if (d_.closed) throw IoClosed(op_, d_.name);
      throw IoTimeout(op_, d_.name);
    }
    side_.streak = 0;
    side_.waiter = &me;
    const WakeReason reason = park_unlocking(held, me);
    side_.waiter = nullptr;
    if (reason == WakeReason::Signal || reason == WakeReason::Timeout) continue;
    held.unlock();
    throw_if_stopped(reason);
  }
}

void Descriptor::Operation::be_fair() {
  if (++side_.streak % kStreak != 0) return;
  const context here = this_context();
  if (here.cancelled()) throw Cancelled();
  yield();
}

}  // namespace gotorch::runtime
