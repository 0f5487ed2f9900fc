#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/io/error.h"

namespace gotorch::runtime {

enum class OpenMode {
  Read,       // what is there
  Write,      // emptied first, made if missing
  ReadWrite,  // made if missing
};

// A file, read and written at positions; calls at different positions go on at once. A handle that
// is copied freely; the last one closes it. Thread-safe. What is not in the page cache is done by a
// small pool of threads meanwhile the goroutine waits; a cancelled context does not end that.
//
//   file f = open_file("data.bin");
//   std::string head(16, 0);
//   head.resize(f.read_at(head, 0));
class file {
 public:
  file() = default;

  // Less than the room only at the end of the file.
  size_t read_at(std::span<char> room, int64_t offset) const;
  // Writes all of it. IoError (ENOSPC, EDQUOT, EFBIG) if there is no room; then *written bytes are
  // there.
  void write_at(std::string_view data, int64_t offset, size_t* written = nullptr) const;
  int64_t size() const;
  void resize(int64_t size) const;
  void sync() const;  // returns when it is on the disk
  // Once those who read and write are done. Throws what closing says of earlier writes.
  void close() const;
  const std::string& path() const;

  explicit operator bool() const { return state_ != nullptr; }

  struct State;
  explicit file(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

file open_file(const std::string& path, OpenMode mode = OpenMode::Read);

// The whole of it.
std::string read_file(const std::string& path);
// Replaces what was there; it is not atomic.
void write_file(const std::string& path, std::string_view data);

}  // namespace gotorch::runtime
