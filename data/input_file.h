#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace gotorch {

// A file that is read from front to back. Throws FileError (data/atomic_file.h). One thread at a time.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const;
  // Up to n bytes; 0: the end.
  size_t read_some(void* to, size_t n);
  // All n bytes. Error if the file ends before.
  void read(void* to, size_t n);

 private:
  std::string path_;
  int file_;
};

}  // namespace gotorch
