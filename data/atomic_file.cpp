#include "data/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace gotorch {
namespace {

// The file that a link leads to, so that the link is not replaced by a file.
std::string behind_links(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (!real) return path;
  std::string out = real;
  std::free(real);
  return out;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw FileError(errno, "open", folder);
  const int failed = ::fsync(fd) ? errno : 0;
  ::close(fd);
  if (failed) throw FileError(failed, "fsync", folder);
}

}  // namespace

FileError::FileError(int code, const std::string& action, const std::string& path)
    : std::runtime_error(action + ": " + std::strerror(code) + ": '" + path + "'"),
      code(code),
      path(path) {}

AtomicFile::AtomicFile(const std::string& path) : path_(behind_links(path)) {
  struct stat old;
  const bool exists = ::stat(path_.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file_ < 0) throw FileError(errno, "open", path_);
    return;
  }
  static std::atomic<unsigned> number{0};
  do {
    temporary_ = path_ + "." + std::to_string(::getpid()) + "." + std::to_string(number++) + ".tmp";
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file_ < 0 && errno == EEXIST);
  if (file_ < 0) throw FileError(errno, "open", temporary_);
  if (exists) (void)!::fchmod(file_, old.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, size_t n) {
  for (const char* at = static_cast<const char*>(bytes); n > 0;) {
    const ssize_t done = ::write(file_, at, std::min<size_t>(n, 1 << 30));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) throw FileError(errno, "write", path_);
    at += done;
    n -= static_cast<size_t>(done);
  }
}

void AtomicFile::commit() {
  if (temporary_.empty()) {
    if (::close(std::exchange(file_, -1))) throw FileError(errno, "close", path_);
    return;
  }
  // A failed fsync is not repeated: the pages it lost would count as written.
  if (::fsync(file_)) throw FileError(errno, "fsync", path_);
  if (::close(std::exchange(file_, -1))) throw FileError(errno, "close", path_);
  if (::rename(temporary_.c_str(), path_.c_str())) throw FileError(errno, "rename", path_);
  temporary_.clear();
  sync_folder(folder_of(path_));
}

}  // namespace gotorch
