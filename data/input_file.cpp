#include "data/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "data/atomic_file.h"
#include "tensor/error.h"

namespace gotorch {

InputFile::InputFile(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ < 0) throw FileError(errno, "open", path_);
}

InputFile::~InputFile() { ::close(file_); }

uint64_t InputFile::size() const {
  struct stat s;
  if (::fstat(file_, &s)) throw FileError(errno, "stat", path_);
  if (S_ISDIR(s.st_mode)) throw FileError(EISDIR, "read", path_);
  return static_cast<uint64_t>(s.st_size);
}

size_t InputFile::read_some(void* to, size_t n) {
  for (;;) {
    const ssize_t got = ::read(file_, to, std::min<size_t>(n, 1 << 30));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) throw FileError(errno, "read", path_);
  }
}

void InputFile::read(void* to, size_t n) {
  for (char* at = static_cast<char*>(to); n > 0;) {
    const size_t got = read_some(at, n);
    check(got > 0, path_, ": the file ends ", n, " bytes too early");
    at += got;
    n -= got;
  }
}

}  // namespace gotorch
