#pragma once
// What several tests of connections need.
#include <string>
#include <string_view>

#include "runtime/go.h"

namespace gotorch::runtime {

inline constexpr size_t kMoreThanFits = 32 << 20;  // into the buffers of a connection

inline Deadline in(std::chrono::nanoseconds time) {
  return std::chrono::steady_clock::now() + time;
}

inline void echo(const conn& c) {
  char room[4096];
  while (const size_t n = c.read(room)) c.write({room, n});
}

// Echoes until it is cancelled.
inline void serve(scope& s, const listener& l) {
  s.go([&s, l] {
    for (;;) s.go([c = l.accept()] { echo(c); });
  });
}

inline std::string ask(const conn& c, std::string_view question) {
  c.write(question);
  std::string answer(question.size(), ' ');
  answer.resize(c.read_full(answer));
  return answer;
}

}  // namespace gotorch::runtime
