#pragma once
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/io/error.h"

namespace gotorch::runtime {

struct Descriptor;
using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline no_deadline = Deadline::max();

// A stream of bytes to or from somewhere outside: a connection, a pipe. A handle that is copied
// freely; the last one closes it. Thread-safe, for goroutines and native threads alike: calls of
// one direction take turns, in the order in which they came.
//
// What waits throws IoTimeout after the deadline, IoClosed if it is closed here meanwhile, Cancelled
// if the goroutine's context is. Nothing is lost by that: a read that throws has taken no bytes,
// and a write tells how many it has given away.
class stream {
 public:
  stream() = default;
  explicit stream(std::shared_ptr<Descriptor> d) : d_(std::move(d)) {}

  // Waits for at least one byte; the number of bytes read. 0: there will be no more.
  size_t read(std::span<char> room) const;
  // Reads until `room` is full or the stream ends.
  size_t read_full(std::span<char> room) const;
  // Everything up to the end. IoError (EFBIG) after more than `limit` bytes.
  std::string read_all(size_t limit = SIZE_MAX) const;

  // Writes all of it. *written counts on, also if this throws.
  void write(std::string_view data, size_t* written = nullptr) const;

  // No more reads, no more writes. Ends those that wait. Does nothing the second time.
  void close() const;

  // For operations that wait now, and later ones.
  void set_deadline(Deadline when) const;
  void set_read_deadline(Deadline when) const;
  void set_write_deadline(Deadline when) const;

  explicit operator bool() const { return d_ != nullptr; }
  friend bool operator==(const stream&, const stream&) = default;

 protected:
  Descriptor& checked(const char* op) const;  // IoClosed if it is none
  std::shared_ptr<Descriptor> d_;
};

}  // namespace gotorch::runtime
