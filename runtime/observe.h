#pragma once
// Seeing what runs: a list of all goroutines, on request and on a signal.
#include <cstdint>
#include <source_location>
#include <string>
#include <vector>

namespace gotorch::runtime {

// What was seen of one goroutine, or of a native thread that waits in the runtime.
struct GoroutineInfo {
  enum State { Ready, Running, Waiting };
  int64_t number = 0;
  bool native = false;  // a native thread, no goroutine
  uint32_t thread =
      0;  // its number for the system, or of the one a pinned goroutine waits on; else 0
  State state = Ready;
  int worker = -1;                  // Running: on which
  const char* waits_for = nullptr;  // Waiting: "channel receive"
  const void* waits_on = nullptr;   // a channel, a mutex; what has the same address is the same
  int64_t waited_ms = 0;
  const void* scope = nullptr;  // that it belongs to
  std::source_location site;    // of the go() that started it
  std::vector<const void*>
      callers;        // where it waits, innermost first, from what the program itself is made of
  uint64_t wait = 0;  // tells this wait from others of the same goroutine
};

// All there are, in the order of their numbers. Each is seen at a moment of its own. Any thread may ask.
std::vector<GoroutineInfo> goroutines();

// The same as text, at most `most` of them.
//   std::cerr << dump_goroutines();
std::string dump_goroutines(int64_t most = 1000);
std::string describe(const std::vector<GoroutineInfo>& list, int64_t most);

// From now on this signal makes a thread of the runtime write dump_goroutines() to stderr. std::invalid_argument for a signal
// that cannot be caught. A forked child has to ask anew.
//   dump_on(SIGUSR1);
void dump_on(int signal);

}  // namespace gotorch::runtime
