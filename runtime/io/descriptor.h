#pragma once
// A descriptor of the operating system on which goroutines and native threads wait.
//
// Invariants
//  - Everything below is under `lock`. It is never held over a system call or a wait.
//  - Each direction has at most one operation under way; others wait for their turn. So what one
//    call writes is not torn apart by another, and only the operation under way waits for events.
//  - `ready` is cleared before a try, never after it: an event that comes meanwhile sets it again,
//    so a try that fails afterwards waits for nothing that has already happened.
//  - The number fd is valid while `users` is not 0 or `closed` is false: close() leaves closing to
//    the last operation, so that no operation meets somebody else's new descriptor.
//  - Who waits is claimed under the lock, and takes itself out under the lock: no late wake.
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/chan_core.h"
#include "runtime/fn_ref.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

enum class Direction { Read, Write };

struct alignas(128) Descriptor {
  struct Side {
    bool ready = true;    // perhaps
    bool ended = false;   // for good: end of file or an error, which a try will tell
    bool busy = false;    // an operation is under way
    uint32_t streak = 0;  // operations since the last wait
    int64_t deadline_ns = kForever;
    Goroutine* waiter = nullptr;  // of the operation under way
    WaitQueue turns;

    // For another descriptor; nobody waits.
    void reset() {
      ready = true;
      ended = busy = false;
      streak = 0;
      deadline_ns = kForever;
      waiter = nullptr;
    }
  };

  SpinLock lock;
  bool closed = false;
  // A read that gets less than it asked for leaves nothing behind (TCP without urgent data).
  bool short_is_all = false;
  int fd = -1;
  int users = 0;
  int process = 0;
  int family = 0;  // of a socket, else 0
  Side sides[2];
  std::string name;  // for errors
  Descriptor* next = nullptr;

  Side& side(Direction d) { return sides[static_cast<int>(d)]; }

  // By the poller: appends whom this lets go on.
  Goroutine** happened(uint32_t events, Goroutine** last);

  // Calls attempt(fd), which returns what the system call did, until it does not fail with EAGAIN,
  // and waits in between. `wanted`: how many bytes it asks for.
  // IoError, IoTimeout, IoClosed, Cancelled; then the attempt has done nothing.
  ssize_t operate(Direction direction, const char* op, FnRef<ssize_t(int)> attempt,
                  size_t wanted = 0);
  // Several attempts as one operation: others do not come in between.
  class Operation;

  void set_deadline(Direction direction, int64_t deadline_ns);
  // Ends operations that wait with IoClosed. Does nothing the second time.
  void close();
  // For what the system must do at once and without waiting; IoClosed.
  int64_t with_fd(const char* op, FnRef<int64_t(int)> call);

 private:
  void leave();
  void close_number(int number);
};

// steady_clock counts what now_ns() does.
inline int64_t in_ns(std::chrono::steady_clock::time_point when) {
  return std::chrono::nanoseconds(when.time_since_epoch()).count();
}

using DescriptorRef = std::shared_ptr<Descriptor>;

// Takes over fd, which does not block. Closes it also if it throws.
DescriptorRef new_descriptor(int fd, std::string name, const char* op, int family = 0);

class Descriptor::Operation {
 public:
  Operation(Descriptor& d, Direction direction, const char* op);
  ~Operation();
  Operation(const Operation&) = delete;

  ssize_t run(FnRef<ssize_t(int)> attempt, size_t wanted = 0);
  void wait();  // until an event says that a try may succeed

 private:
  bool late() const;
  void pass_turn(std::unique_lock<SpinLock>& held);
  WakeReason park_unlocking(std::unique_lock<SpinLock>& held, Goroutine& me);
  void be_fair();

  Descriptor& d_;
  Side& side_;
  const char* const op_;
  int fd_;
};

}  // namespace gotorch::runtime
