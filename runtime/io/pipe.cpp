#include "runtime/io/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "runtime/io/descriptor.h"

namespace gotorch::runtime {

pipe_ends make_pipe() {
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) throw IoError(errno, "pipe", "");
  stream out;
  try {
    out = stream(new_descriptor(fds[0], "pipe", "pipe"));
  } catch (...) {
    close(fds[1]);
    throw;
  }
  return {out, stream(new_descriptor(fds[1], "pipe", "pipe"))};
}

stream adopt_stream(int fd, const std::string& name) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throw IoError(errno, "adopt", name);
  return stream(new_descriptor(fd, name, "adopt"));
}

}  // namespace gotorch::runtime
