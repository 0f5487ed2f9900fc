#pragma once
// Connections over TCP and Unix sockets, as Go's package net.
//
//   listener l = listen("tcp", "127.0.0.1:0");
//   go([l] {
//     conn c = l.accept();
//     char room[100];
//     while (size_t n = c.read(room)) c.write({room, n});  // an echo
//   });
//   conn c = dial("tcp", l.address());
//   c.write("hello");
//   c.close_write();
//   std::string answer = c.read_all();
//
// A network is "tcp", "tcp4", "tcp6" or "unix". Addresses are "host:port", "[::1]:80", ":80" (all
// addresses to listen on, this host to dial), or the path of a Unix socket; "@name" has no file.
#include "runtime/io/stream.h"

namespace gotorch::runtime {

class conn : public stream {
 public:
  using stream::stream;
  // What is sent from here on is refused. The other side reads to the end, and may still write.
  void close_write() const;
  // What comes from here on is dropped: reads get the end.
  void close_read() const;
  // Whether small writes go out at once; they do unless this is called. TCP only.
  void set_no_delay(bool on) const;

  std::string local_address() const;
  std::string remote_address() const;
};

// Waits for connections. A handle, as conn is.
class listener {
 public:
  listener() = default;
  explicit listener(std::shared_ptr<Descriptor> d) : d_(std::move(d)) {}

  // The next connection. IoError with EMFILE or ENFILE if there are too many open files: it can be
  // called again, and the connection is still there.
  conn accept() const;
  // Ends accept() with IoClosed. Removes a Unix socket's file.
  void close() const;
  void set_deadline(Deadline when) const;
  // Where to dial; with the port that was chosen for ":0".
  std::string address() const;

  explicit operator bool() const { return d_ != nullptr; }

 private:
  std::shared_ptr<Descriptor> d_;
};

// IoError if the address is in use, not ours, or none.
listener listen(const std::string& network, const std::string& address);

// A connection. Names are looked up, and their addresses tried one after the other. IoError if
// nobody listens there; Cancelled, or IoTimeout after the deadline.
conn dial(const std::string& network, const std::string& address, Deadline deadline = no_deadline);

}  // namespace gotorch::runtime
