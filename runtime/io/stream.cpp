#include "runtime/io/stream.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/futex.h"
#include "runtime/io/descriptor.h"
#include "runtime/thread_state.h"

namespace gotorch::runtime {
namespace {

// Without SIGPIPE. Workers have it blocked, and there it stays pending for ever.
ssize_t write_quietly(int fd, const char* data, size_t size) {
  if (this_worker()) return ::write(fd, data, size);
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t n = ::write(fd, data, size);
  const int error = errno;
  if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
    const timespec at_once{};
    sigtimedwait(&pipe, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

}  // namespace

Descriptor& stream::checked(const char* op) const {
  if (!d_) throw IoClosed(op, "nothing");
  return *d_;
}

size_t stream::read(std::span<char> room) const {
  Descriptor& d = checked("read");
  if (room.empty()) return 0;
  const bool socket = d.family != 0;
  return static_cast<size_t>(d.operate(
      Direction::Read, "read",
      [&](int fd) {
        return socket ? recv(fd, room.data(), room.size(), 0)
                      : ::read(fd, room.data(), room.size());
      },
      room.size()));
}

size_t stream::read_full(std::span<char> room) const {
  size_t n = 0;
  while (n < room.size()) {
    const size_t got = read(room.subspan(n));
    if (got == 0) break;
    n += got;
  }
  return n;
}

std::string stream::read_all(size_t limit) const {
  constexpr size_t kStep = 4096;
  std::string all;
  for (size_t n = 0;;) {
    if (n == all.size())
      all.resize(std::min(std::max(2 * n, kStep), limit < SIZE_MAX ? limit + 1 : SIZE_MAX));
    const size_t got = read({all.data() + n, all.size() - n});
    n += got;
    if (n > limit) throw IoError(EFBIG, "read", d_->name);
    if (got == 0) {
      all.resize(n);
      return all;
    }
  }
}

void stream::write(std::string_view data, size_t* written) const {
  Descriptor& d = checked("write");
  const bool socket = d.family != 0;
  Descriptor::Operation operation(d, Direction::Write, "write");
  while (!data.empty()) {
    const ssize_t n = operation.run([&](int fd) {
      return socket ? send(fd, data.data(), data.size(), MSG_NOSIGNAL)
                    : write_quietly(fd, data.data(), data.size());
    });
    data.remove_prefix(static_cast<size_t>(n));
    if (written) *written += static_cast<size_t>(n);
  }
}

void stream::close() const {
  if (d_) d_->close();
}

void stream::set_deadline(Deadline when) const {
  set_read_deadline(when);
  set_write_deadline(when);
}
void stream::set_read_deadline(Deadline when) const {
  checked("set_deadline").set_deadline(Direction::Read, in_ns(when));
}
void stream::set_write_deadline(Deadline when) const {
  checked("set_deadline").set_deadline(Direction::Write, in_ns(when));
}

}  // namespace gotorch::runtime
