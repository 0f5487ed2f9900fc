#pragma once
// A timeline of what ran where, for ui.perfetto.dev: goroutines on their workers by the place that started them, with arrows from who
// woke them; steals, channel operations with what the channel then held, chunks of loops, nodes of backward, Python's ops.
//
//   trace::start();
//   train(model, batch);
//   trace::stop("step.json");
//
// Switched off it costs one load of a word that hardly ever changes at each place. Switched on, each thread writes to a ring of its own,
// without locks; when that is full, the oldest events go.
#include <atomic>
#include <cstdint>
#include <string>
#include <type_traits>

namespace gotorch::runtime {
struct Goroutine;
}

namespace gotorch::runtime::trace {

struct Options {
  int64_t events = 65536;  // that each thread keeps, at 32 bytes; rounded up to a power of two
};

// std::logic_error if it is on already, std::invalid_argument for fewer than 16 or more than 2^24 events.
void start(Options options = {});
// Writes Chrome's trace event format in JSON, to a temporary file that then takes the place of `path`. std::logic_error if
// it is off; std::system_error with the system's number of the error if the file cannot be written: it is off then, too.
void stop(const std::string& path);

enum class Kind : uint8_t {
  Spawn,    // a goroutine
  In,       // a goroutine; record() adds its site
  Out,      // a goroutine, why; null: record() adds what it waits for
  Ready,    // a goroutine
  Steal,    // a goroutine
  Hog,      // a goroutine that computes on
  Send,     // a channel, how many it holds
  Receive,  // likewise
  Begin,    // a name, a number
  End,
};

inline std::atomic<bool> switched_on{false};
inline bool on() {
  // relaxed: a thread may learn of it late.
  return switched_on.load(std::memory_order_relaxed);
}

void record(Kind kind, uint64_t a, uint64_t b);

template <class T>
uint64_t word(T value) {
  if constexpr (std::is_pointer_v<T>) return reinterpret_cast<uint64_t>(value);
  else return static_cast<uint64_t>(value);
}

template <class A = uint64_t, class B = uint64_t>
void event(Kind kind, A a = {}, B b = {}) {
  if (on()) [[unlikely]]
    record(kind, word(a), word(b));
}

// A name that will be there when the trace is written.
const char* keep(const std::string& name);

// A slice of the timeline, as long as it lives. It follows its goroutine from worker to worker. The name must outlive the trace.
//   trace::Span span("load batch");
class Span {
 public:
  explicit Span(const char* name, int64_t number = -1) : on_(on()) {
    if (on_) [[unlikely]]
      record(Kind::Begin, word(name), static_cast<uint64_t>(number));
  }
  ~Span() {
    if (on_) [[unlikely]]
      record(Kind::End, 0, 0);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  const bool on_;
};

}  // namespace gotorch::runtime::trace
