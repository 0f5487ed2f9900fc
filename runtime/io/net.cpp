#include "runtime/io/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/futex.h"
#include "runtime/io/address.h"
#include "runtime/io/descriptor.h"

namespace gotorch::runtime {
namespace {

int new_socket(int family, const char* op, const std::string& target) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw IoError(errno, op, target);
  const int on = 1;  // accepted connections inherit it
  if (family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

DescriptorRef new_connection(int fd, const SocketAddress& peer, const char* op) {
  return new_descriptor(fd, address_text(peer.storage, peer.size), op, peer.family());
}

[[noreturn]] void fail_closing(int fd, const char* op, const std::string& target) {
  const int error = errno;
  close(fd);
  throw IoError(error, op, target);
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);
std::string name_of(Descriptor& d, const char* op, NameOf name) {
  SocketAddress a;
  a.size = sizeof a.storage;
  d.with_fd(op, [&](int fd) -> int64_t {
    return name(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.size);
  });
  return address_text(a.storage, a.size);
}

// The attempt to connect is over: whether it succeeded.
ssize_t connected(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  if (error == 0 && getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size) != 0) {
    error = errno == ENOTCONN ? EAGAIN : errno;
  }
  errno = error;
  return error ? -1 : 0;
}

conn dial_one(const SocketAddress& address, Deadline deadline) {
  const std::string target = address_text(address.storage, address.size);
  const int fd = new_socket(address.family(), "dial", target);
  int error = connect(fd, address.get(), address.size) == 0 ? 0 : errno;
  if (error && error != EINPROGRESS && error != EINTR) fail_closing(fd, "dial", target);
  DescriptorRef d = new_connection(fd, address, "dial");
  conn c(d);
  if (error == 0) return c;
  if (deadline != no_deadline) c.set_write_deadline(deadline);
  d->operate(Direction::Write, "dial", [](int fd) { return connected(fd); });
  c.set_write_deadline(no_deadline);
  return c;
}

}  // namespace

listener listen(const std::string& network, const std::string& address) {
  const SocketAddress a = resolve(network, address, "listen", kForever).front();
  const int fd = new_socket(a.family(), "listen", address);
  const int on = 1;
  if (a.family() != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, a.get(), a.size) != 0 || ::listen(fd, SOMAXCONN) != 0) {
    fail_closing(fd, "listen", address);
  }
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  return listener(
      new_descriptor(fd, address_text(bound.storage, bound.size), "listen", a.family()));
}

conn listener::accept() const {
  if (!d_) throw IoClosed("accept", "nothing");
  SocketAddress peer;
  const ssize_t fd = d_->operate(Direction::Read, "accept", [&](int listening) -> ssize_t {
    for (;;) {
      peer.size = sizeof peer.storage;
      const int fd = accept4(listening, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0 || errno != ECONNABORTED) return fd;  // it was given up before we came
    }
  });
  return conn(new_connection(static_cast<int>(fd), peer, "accept"));
}

void listener::close() const {
  if (d_) d_->close();
  if (d_ && d_->family == AF_UNIX && d_->name[0] != '@') unlink(d_->name.c_str());
}

void listener::set_deadline(Deadline when) const { stream(d_).set_read_deadline(when); }

std::string listener::address() const {
  if (!d_) throw IoClosed("address", "nothing");
  return d_->name;
}

conn dial(const std::string& network, const std::string& address, Deadline deadline) {
  const std::vector<SocketAddress> addresses = resolve(network, address, "dial", in_ns(deadline));
  for (size_t i = 0;; i++) {
    try {
      return dial_one(addresses[i], deadline);
    } catch (const IoTimeout&) {
      throw;
    } catch (const IoError&) {
      if (i + 1 == addresses.size()) throw;
    }
  }
}

void conn::close_write() const {
  checked("close_write").with_fd("close_write", [](int fd) -> int64_t {
    return shutdown(fd, SHUT_WR);
  });
}

void conn::close_read() const {
  checked("close_read").with_fd("close_read", [](int fd) -> int64_t {
    return shutdown(fd, SHUT_RD);
  });
}

void conn::set_no_delay(bool on) const {
  checked("set_no_delay").with_fd("set_no_delay", [on = int{on}](int fd) -> int64_t {
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  });
}

std::string conn::local_address() const {
  return name_of(checked("local_address"), "local_address", getsockname);
}
std::string conn::remote_address() const {
  return name_of(checked("remote_address"), "remote_address", getpeername);
}

}  // namespace gotorch::runtime
