#include "runtime/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "runtime/io/pool.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

// Invariant: fd is valid while `users` is not 0 or `closed` is false; whoever leaves last closes it.
struct file::State {
  std::string path;
  SpinLock lock;
  int fd = -1;
  int users = 0;
  bool closed = false;

  ~State() {
    if (fd >= 0) ::close(fd);
  }
};

namespace {

// fd for the time of one call.
class Use {
 public:
  Use(const std::shared_ptr<file::State>& state, const char* op) : state_(state.get()), op_(op) {
    if (!state_) throw IoClosed(op, "no file");
    state_->lock.lock();
    const bool closed = state_->closed;
    if (!closed) state_->users++;
    state_->lock.unlock();
    if (closed) throw IoClosed(op, state_->path);
  }
  ~Use() {
    state_->lock.lock();
    const bool last = --state_->users == 0 && state_->closed;
    const int fd = last ? std::exchange(state_->fd, -1) : -1;
    state_->lock.unlock();
    if (fd >= 0) ::close(fd);
  }
  Use(const Use&) = delete;
  int fd() const { return state_->fd; }

  // Calls until it does not fail with EINTR, where it may block.
  int64_t call(FnRef<int64_t(int)> f) const {
    int64_t result = -1;
    int error = 0;
    on_file_thread(op_, [&] {
      do {
        result = f(fd());
        error = result < 0 ? errno : 0;
      } while (error == EINTR);
    });
    if (error) fail(error);
    return result;
  }
  [[noreturn]] void fail(int error) const { throw IoError(error, op_, state_->path); }

 private:
  file::State* const state_;
  const char* const op_;
};

// What is in the page cache, without waiting for the disk. -1: ask where it may block.
ssize_t read_cached(int fd, std::span<char> room, int64_t offset) {
  const iovec v{room.data(), room.size()};
  return preadv2(fd, &v, 1, offset, RWF_NOWAIT);
}

}  // namespace

file open_file(const std::string& path, OpenMode mode) {
  if (path.find('\0') != std::string::npos) throw IoError(EINVAL, "open", path.c_str());
  const int flags = mode == OpenMode::Read    ? O_RDONLY
                    : mode == OpenMode::Write ? O_WRONLY | O_CREAT | O_TRUNC
                                              : O_RDWR | O_CREAT;
  auto state = std::make_shared<file::State>();
  state->path = path;
  int error = 0;
  on_file_thread("open", [&] {
    do state->fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    while (state->fd < 0 && errno == EINTR);
    error = state->fd < 0 ? errno : 0;
  });
  if (error) throw IoError(error, "open", path);
  return file(std::move(state));
}

size_t file::read_at(std::span<char> room, int64_t offset) const {
  const Use use(state_, "read");
  size_t n = 0;
  while (n < room.size()) {
    const auto rest = room.subspan(n);
    const int64_t at = offset + static_cast<int64_t>(n);
    ssize_t got = read_cached(use.fd(), rest, at);
    if (got < 0) got = use.call([&](int fd) { return pread(fd, rest.data(), rest.size(), at); });
    if (got == 0) break;
    n += static_cast<size_t>(got);
  }
  return n;
}

void file::write_at(std::string_view data, int64_t offset, size_t* written) const {
  const Use use(state_, "write");
  while (!data.empty()) {
    const auto n = static_cast<size_t>(
        use.call([&](int fd) { return pwrite(fd, data.data(), data.size(), offset); }));
    if (n == 0) use.fail(EIO);
    data.remove_prefix(n);
    offset += static_cast<int64_t>(n);
    if (written) *written += n;
  }
}

int64_t file::size() const {
  const Use use(state_, "size");
  struct stat s;
  use.call([&](int fd) -> int64_t { return fstat(fd, &s); });
  return s.st_size;
}

void file::resize(int64_t size) const {
  Use(state_, "resize").call([=](int fd) -> int64_t { return ftruncate(fd, size); });
}

void file::sync() const {
  Use(state_, "sync").call([](int fd) -> int64_t { return fsync(fd); });
}

void file::close() const {
  if (!state_) return;
  state_->lock.lock();
  const bool first = !std::exchange(state_->closed, true);
  const int fd = first && state_->users == 0 ? std::exchange(state_->fd, -1) : -1;
  state_->lock.unlock();
  if (fd < 0) return;
  int error = 0;
  on_file_thread("close", [&] { error = ::close(fd) == 0 || errno == EINTR ? 0 : errno; });
  if (error) throw IoError(error, "close", state_->path);
}

const std::string& file::path() const {
  static const std::string none;
  return state_ ? state_->path : none;
}

std::string read_file(const std::string& path) {
  constexpr size_t kStep = 64 << 10;
  const file f = open_file(path);
  std::string all(static_cast<size_t>(std::max<int64_t>(0, f.size())) + 1, '\0');
  for (size_t n = 0;;) {
    const size_t got = f.read_at({all.data() + n, all.size() - n}, static_cast<int64_t>(n));
    n += got;
    if (n < all.size()) {
      all.resize(n);
      return all;
    }
    all.resize(n + std::max(n, kStep));
  }
}

void write_file(const std::string& path, std::string_view data) {
  const file f = open_file(path, OpenMode::Write);
  f.write_at(data, 0);
  f.close();
}

}  // namespace gotorch::runtime
