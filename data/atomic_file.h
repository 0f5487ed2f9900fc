#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>

namespace gotorch {

// What the system said about a file: errno, its text and the path.
struct FileError : std::runtime_error {
  FileError(int code, const std::string& action, const std::string& path);
  int code;
  std::string path;
};

// A file that appears under its name whole or not at all, whatever happens meanwhile: it is written
// beside it under a temporary name, synced, and renamed over it; then the directory is synced. The
// file that was there keeps its permissions; a link stays one; a device or a pipe is written to as it is.
//   AtomicFile file("model.safetensors");
//   file.write(bytes, n);
//   file.commit();
// Without commit() nothing changes. Throws FileError. One thread at a time.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t n);
  void commit();

 private:
  std::string path_, temporary_;
  int file_ = -1;
};

}  // namespace gotorch
