#pragma once
#include "runtime/io/stream.h"

namespace gotorch::runtime {

// What is written to `in` can be read from `out`, by another process too. Writing when nobody can
// read any more throws IoError (EPIPE); there is no SIGPIPE.
struct pipe_ends {
  stream out, in;
};
pipe_ends make_pipe();

// A pipe, terminal or socket that is open already, such as 0, standard input. It becomes
// non-blocking, and is closed with the stream. IoError (EPERM) for a file: see file.h.
stream adopt_stream(int fd, const std::string& name);

}  // namespace gotorch::runtime
