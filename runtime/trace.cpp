#include "runtime/trace.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <deque>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>

#include "runtime/futex.h"
#include "runtime/goroutine.h"
#include "runtime/thread_state.h"
#include "runtime/ticks.h"
#include "runtime/trace_ring.h"
#include "runtime/worker.h"

namespace gotorch::runtime::trace {
namespace {

constexpr int kMostRings = 256;

struct State {
  std::mutex lock;  // guards all of it; never taken by who records to a ring it has
  std::deque<Ring> rings;
  std::set<std::string, std::less<>> names;
  std::atomic<uint64_t> size{0};
  Calibration clock{};
};
State& state() {
  static auto* s = new State;  // never destroyed: threads may outlive static destructors
  return *s;
}

std::string thread_name() {
  if (const Worker* worker = this_worker()) return "worker " + std::to_string(worker->index());
  char name[32] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  return (gettid() == getpid() ? "main thread" : "native thread " + std::to_string(gettid())) +
         " (" + name + ")";
}

// Null if there are too many.
Ring* take_ring() {
  State& s = state();
  std::lock_guard guard(s.lock);
  for (Ring& ring : s.rings) {
    if (ring.size() != s.size || ring.taken.exchange(true, std::memory_order_acquire)) continue;
    ring.owner = thread_name();
    return &ring;
  }
  if (std::ssize(s.rings) >= kMostRings) return nullptr;
  s.rings.emplace_back(static_cast<int>(s.rings.size()), s.size).owner = thread_name();
  return &s.rings.back();
}

struct Mine {
  Ring* ring = nullptr;
  bool refused = false;
  ~Mine() {
    if (ring) ring->taken.store(false, std::memory_order_release);
  }
};

// A goroutine must not keep the address: see ThreadState.
[[gnu::noinline]] Ring* my_ring() {
  thread_local Mine mine;
  if (mine.refused) return nullptr;
  if (!mine.ring || mine.ring->size() != state().size.load(std::memory_order_acquire)) {
    if (mine.ring) mine.ring->taken.store(false, std::memory_order_release);
    mine.ring = take_ring();
    mine.refused = !mine.ring;
  }
  return mine.ring;
}

void write_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".part" + std::to_string(getpid());
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const auto fail = [&] {
    const int code = errno;
    if (file >= 0) {
      close(file);
      unlink(temporary.c_str());
    }
    throw std::system_error(code, std::generic_category(), "trace: cannot write " + path);
  };
  if (file < 0) fail();
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = write(file, text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR) fail();
    if (n > 0) at += static_cast<size_t>(n);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) fail();
  close(file);
}

}  // namespace

void record(Kind kind, uint64_t a, uint64_t b) {
  if (kind == Kind::In) {
    static_assert(sizeof(std::source_location) == sizeof(uint64_t));
    b = std::bit_cast<uint64_t>(
        reinterpret_cast<const Goroutine*>(a)->site.load(std::memory_order_relaxed));
  }
  if (kind == Kind::Out && b == 0) {
    b = word(reinterpret_cast<const Goroutine*>(a)->waits_for.load(std::memory_order_relaxed));
  }
  if (Ring* ring = my_ring()) ring->write(ticks(), kind, a, b);
}

const char* keep(const std::string& name) {
  State& s = state();
  std::lock_guard guard(s.lock);
  return s.names.insert(name).first->c_str();
}

void start(Options options) {
  if (options.events < 16 || options.events > int64_t{1} << 24) {
    throw std::invalid_argument("trace: events must be between 16 and 2^24, got " +
                                std::to_string(options.events));
  }
  State& s = state();
  std::lock_guard guard(s.lock);
  if (on()) throw std::logic_error("trace: it is on already");
  s.size = std::bit_ceil(static_cast<uint64_t>(options.events));
  for (Ring& ring : s.rings) ring.clear();
  s.clock.ticks0 = ticks();
  s.clock.ns0 = now_ns();
  // release: who sees it sees the size.
  switched_on.store(true, std::memory_order_release);
}

void stop(const std::string& path) {
  State& s = state();
  std::vector<Event> events;
  std::vector<std::string> owners;
  Calibration clock{};
  {
    std::lock_guard guard(s.lock);
    if (!on()) throw std::logic_error("trace: it is not on");
    switched_on.store(false, std::memory_order_relaxed);
    s.clock.ticks1 = ticks();
    s.clock.ns1 = now_ns();
    for (const Ring& ring : s.rings) {
      owners.push_back(ring.owner);
      if (ring.size() == s.size) ring.read(events);
    }
    clock = s.clock;
  }
  write_file(path, to_json(std::move(events), owners, clock));
}

}  // namespace gotorch::runtime::trace
