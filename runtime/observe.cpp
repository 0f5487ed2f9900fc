#include "runtime/observe.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include "runtime/coarse_clock.h"
#include "runtime/fiber.h"
#include "runtime/futex.h"
#include "runtime/goroutine.h"
#include "runtime/native_thread.h"
#include "runtime/process_threads.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"
#include "runtime/worker.h"

// Invariants
//  - Goroutines go on while they are looked at. What is not atomic is read by peek(), and counts only if the goroutine's wait
//    word is afterwards what it was before: then it has been waiting all the time, and nobody wrote.
//  - Memory of goroutines and of stacks is never unmapped, so a look at what has ended meanwhile does no harm.
namespace gotorch::runtime {
namespace {

constexpr size_t kMostFrames = 64, kMostCallers = 6;

template <class T>
[[gnu::no_sanitize("thread", "address"), gnu::noinline]] T peek(const T* place) {
  return *const_cast<const volatile T*>(place);
}

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  return status == 0 ? name.get() : symbol;
}

// Its carrier may be made anew in the same place meanwhile; who looks then finds that the wait is another one.
[[gnu::no_sanitize("thread", "address"), gnu::noinline]] bool was_left(const Fiber& fiber) {
  static_assert(sizeof fiber.resumable == sizeof(bool));
  // acquire: the stack is seen as it was left.
  return __atomic_load_n(reinterpret_cast<const bool*>(&fiber.resumable), __ATOMIC_ACQUIRE);
}

std::string function_at(const void* address) {
  Dl_info info;
  if (!dladdr(address, &info) || !info.dli_fname) return "?";
  const char* slash = std::strrchr(info.dli_fname, '/');
  char offset[32];
  std::snprintf(offset, sizeof offset, "+0x%zx",
                static_cast<size_t>(static_cast<const char*>(address) -
                                    static_cast<const char*>(info.dli_fbase)));
  const std::string place = (slash ? slash + 1 : info.dli_fname) + std::string(offset);
  return info.dli_sname ? demangled(info.dli_sname) + " (" + place + ")" : place;
}

bool is_ours(const void* address) {
  static const void* base = [] {
    Dl_info info;
    return dladdr(reinterpret_cast<const void*>(&dump_goroutines), &info) ? info.dli_fbase
                                                                          : nullptr;
  }();
  Dl_info info;
  return dladdr(address, &info) && info.dli_fbase == base;
}

// Follows the frame pointers that were saved on the stack of one that waits. Code that keeps none ends the walk, or leaves
// frames out; the call into this library is always found, as the library keeps them.
std::vector<const void*> callers(const Fiber& fiber) {
  std::vector<const void*> found;
  if (!was_left(fiber)) return found;
  auto* frame = static_cast<const void* const*>(peek(&fiber.frame));
  const auto* bottom = static_cast<const void* const*>(peek(&fiber.bottom));
  for (size_t i = 0; frame && i < kMostFrames && found.size() < kMostCallers; i++) {
    const void* caller = peek(frame + 1);
    const auto* outer = static_cast<const void* const*>(peek(frame));
    if (!is_ours(caller)) found.push_back(caller);
    if (outer <= frame || outer >= bottom ||
        reinterpret_cast<uintptr_t>(outer) % sizeof(void*) != 0)
      break;
    frame = outer;
  }
  return found;
}

GoroutineInfo look(Goroutine& g, int64_t number, const std::map<const Goroutine*, int>& running) {
  GoroutineInfo info{.number = number, .site = g.site.load(std::memory_order_relaxed)};
  const bool on_own_thread = g.native.load(std::memory_order_relaxed);
  info.native = on_own_thread && info.site.line() == 0;
  if (on_own_thread) info.thread = g.thread.load(std::memory_order_relaxed);
  if (!info.native) info.scope = g.scope.load(std::memory_order_relaxed);
  info.wait = g.wait.load(std::memory_order_acquire);
  if ((info.wait & Goroutine::kStateMask) != Goroutine::kWaiting) {
    const auto found = running.find(&g);
    if (on_own_thread || found != running.end()) info.state = GoroutineInfo::Running;
    if (found != running.end()) info.worker = found->second;
    return info;
  }
  info.waits_for = g.waits_for.load(std::memory_order_relaxed);
  info.waits_on = g.waits_on.load(std::memory_order_relaxed);
  // Signed: the coarse clock may be a little behind.
  info.waited_ms =
      std::max(0, static_cast<int32_t>(coarse_ms() - g.since_ms.load(std::memory_order_relaxed)));
  const Fiber* fiber = on_own_thread ? nullptr : peek(&g.fiber);
  if (fiber) info.callers = callers(*fiber);
  const bool same = info.waits_for && g.wait.load(std::memory_order_acquire) == info.wait;
  info.state = same ? GoroutineInfo::Waiting : GoroutineInfo::Ready;
  if (!same) info.callers.clear();
  return info;
}

std::string duration(int64_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 100'000) return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
  return std::to_string(ms / 60'000) + " min";
}

std::string address(const void* p) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", p);
  return text;
}

std::string describe(const GoroutineInfo& g) {
  std::string out = g.native ? "native thread " + std::to_string(g.thread)
                             : "goroutine " + std::to_string(g.number);
  if (!g.native && g.thread) out += " on thread " + std::to_string(g.thread);
  if (g.state == GoroutineInfo::Waiting) {
    out += " [" + std::string(g.waits_for) + ", " + duration(g.waited_ms) + "]";
    if (g.waits_on) out += " on " + address(g.waits_on);
  } else if (g.state == GoroutineInfo::Running) {
    out += g.worker < 0 ? " [running]" : " [running on worker " + std::to_string(g.worker) + "]";
  } else {
    out += " [ready]";
  }
  if (g.scope) out += " in scope " + address(g.scope);
  out += '\n';
  for (const void* caller : g.callers) out += "    waits in " + function_at(caller) + '\n';
  if (g.site.line()) {
    out += "    started at " + std::string(g.site.file_name()) + ":" +
           std::to_string(g.site.line()) + " in " + g.site.function_name() + '\n';
  }
  return out;
}

// What a signal wakes. It counts signals, which is all that a handler may do.
std::atomic<uint32_t> asked{0};

void print_when_asked() {
  for (uint32_t answered = 0;; answered++) {
    while (asked.load(std::memory_order_acquire) == answered) futex_wait(asked, answered, kForever);
    const std::string text = dump_goroutines();
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  }
}

void start_printer() {
  static std::atomic<int> started_in{-1};
  const int process = process_number();
  if (started_in.exchange(process, std::memory_order_relaxed) == process) return;
  asked.store(0, std::memory_order_relaxed);
  start_thread(print_when_asked).detach();
}

}  // namespace

std::vector<GoroutineInfo> goroutines() {
  note_time(real_now_ns());
  std::map<const Goroutine*, int> running;
  if (Scheduler* s = scheduler_if_any()) {
    for (int i = 0; i < s->started(); i++) {
      if (const Goroutine* g = s->worker(i).peek_current()) running[g] = i;
    }
  }
  std::vector<GoroutineInfo> list;
  for_each_live_goroutine([&](Goroutine& g, int64_t number) {
    GoroutineInfo info = look(g, number, running);
    // Threads that do not wait here are none of our business, and what the runtime keeps for later is not yet one.
    const bool idle = info.native || !info.scope || info.scope == &system_scope();
    if (idle && info.state != GoroutineInfo::Waiting) return;
    list.push_back(std::move(info));
  });
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return list;
}

std::string describe(const std::vector<GoroutineInfo>& list, int64_t most) {
  std::string out;
  const int64_t shown = std::clamp<int64_t>(most, 0, std::ssize(list));
  for (int64_t i = 0; i < shown; i++) out += describe(list[static_cast<size_t>(i)]);
  if (shown < std::ssize(list))
    out += "and " + std::to_string(std::ssize(list) - shown) + " more\n";
  return out;
}

std::string dump_goroutines(int64_t most) {
  const std::vector<GoroutineInfo> list = goroutines();
  const auto natives =
      std::count_if(list.begin(), list.end(), [](const auto& g) { return g.native; });
  return std::to_string(std::ssize(list) - natives) + " goroutines, " + std::to_string(natives) +
         " native threads that wait\n" + describe(list, most);
}

void dump_on(int signal) {
  start_printer();
  struct sigaction action = {};
  action.sa_handler = [](int) {
    // relaxed: nothing is handed over but the count.
    asked.fetch_add(1, std::memory_order_relaxed);
    futex_wake(asked, 1);
  };
  action.sa_flags = SA_RESTART;
  if (sigaction(signal, &action, nullptr) != 0) {
    throw std::invalid_argument("dump_on: no such signal, or it cannot be caught: " +
                                std::to_string(signal));
  }
  harmless_signal(signal);
}

}  // namespace gotorch::runtime
