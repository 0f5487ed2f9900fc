// Invariants
//  - The handler only sets a bit and writes to an eventfd. A goroutine of the runtime waits for that
//    and sends to the channels.
//  - A handler is installed exactly while a channel asks for its signal, by who holds the lock.
//  - Asio's signal_set is not used: to fork safely it wants all of its threads to stand still.
#include "runtime/io/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/io/descriptor.h"
#include "runtime/io/error.h"
#include "runtime/scope.h"

namespace gotorch::runtime {
namespace {

constexpr int kSignals = 65;

std::atomic<bool> came[kSignals];
std::atomic<int> bell{-1};  // the eventfd, for the handler

struct Watch {
  chan<int> c;
  int signal;
};

struct Table {
  std::mutex lock;  // guards all of it
  std::vector<Watch> watches;
  struct sigaction before[kSignals];
  bool handled[kSignals] = {};
  DescriptorRef events;  // null: not started
};
std::atomic<Table*>& table_instance() {
  static std::atomic<Table*> table{new Table};
  return table;
}
Table& table() { return *table_instance().load(std::memory_order_acquire); }

void note_signal(int signal) {
  const int error = errno;
  came[signal].store(true, std::memory_order_release);
  const uint64_t one = 1;
  (void)!write(bell.load(std::memory_order_acquire), &one, sizeof one);
  errno = error;
}

void deliver() {
  Table& t = table();
  for (int signal = 1; signal < kSignals; signal++) {
    if (!came[signal].exchange(false, std::memory_order_acq_rel)) continue;
    std::vector<Watch> watches;
    {
      std::lock_guard guard(t.lock);
      watches = t.watches;
    }
    for (const Watch& w : watches) {
      if (w.signal != signal) continue;
      try {
        w.c.try_send(int{signal});
      } catch (const ChanError&) {  // closed: nobody wants it
      }
    }
  }
}

void deliver_all(const DescriptorRef& events) {
  for (;;) {
    uint64_t count;
    events->operate(Direction::Read, "wait for signals",
                    [&](int fd) { return read(fd, &count, sizeof count); });
    deliver();
  }
}

void start_delivery(Table& t) {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw IoError(errno, "notify_signals", "");
  t.events = new_descriptor(fd, "signals", "notify_signals");
  bell.store(fd, std::memory_order_release);
  start(system_scope().make_goroutine([events = t.events] { deliver_all(events); }));
}

void restore(Table& t, int signal) {
  if (std::exchange(t.handled[signal], false)) sigaction(signal, &t.before[signal], nullptr);
}

}  // namespace

void notify_signals(const chan<int>& c, std::initializer_list<int> signals) {
  if (!c) throw ChanError("notify_signals: to a nil channel");
  for (const int signal : signals) {
    sigset_t probe;
    sigemptyset(&probe);
    if (signal < 1 || signal >= kSignals || signal == SIGKILL || signal == SIGSTOP ||
        sigaddset(&probe, signal) != 0) {
      throw std::invalid_argument("notify_signals: signal " + std::to_string(signal) +
                                  " cannot be caught");
    }
  }
  Table& t = table();
  std::lock_guard guard(t.lock);
  if (!t.events) start_delivery(t);
  for (const int signal : signals) {
    t.watches.push_back({c, signal});
    if (t.handled[signal]) continue;
    struct sigaction action = {};
    action.sa_handler = note_signal;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, &t.before[signal]);
    t.handled[signal] = true;
  }
}

void stop_signals(const chan<int>& c) {
  Table& t = table();
  std::lock_guard guard(t.lock);
  std::erase_if(t.watches, [&](const Watch& w) { return w.c == c; });
  for (int signal = 1; signal < kSignals; signal++) {
    bool wanted = false;
    for (const Watch& w : t.watches) wanted |= w.signal == signal;
    if (!wanted) restore(t, signal);
  }
}

void forget_signals_after_fork() {
  Table* parents = table_instance().exchange(new Table, std::memory_order_acq_rel);
  bell.store(-1, std::memory_order_relaxed);
  for (int signal = 1; signal < kSignals; signal++) {
    restore(*parents, signal);
    came[signal].store(false, std::memory_order_relaxed);
  }
  parents->events.reset();  // closes our copy; the rest stays, its lock may be held
}

}  // namespace gotorch::runtime
