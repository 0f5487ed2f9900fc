#include "runtime/process_threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/spin.h"

namespace gotorch::runtime {
namespace {

std::atomic<uint64_t> harmless_signals{0};

uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }

// Empty if it cannot be read: the thread has ended, or we may not.
std::string read_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[4096];
  const ssize_t n = read(file, text, sizeof text);
  close(file);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string();
}

std::vector<uint32_t> thread_numbers() {
  std::vector<uint32_t> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir("/proc/self/task"), closedir);
  if (!dir) return numbers;
  while (const dirent* entry = readdir(dir.get())) {
    uint32_t number = 0;
    std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), number);
    if (number) numbers.push_back(number);
  }
  return numbers;
}

#if defined(__SANITIZE_THREAD__)
// The threads that were there before anything of ours was: those of ThreadSanitizer, which sleep and look around.
const std::vector<uint32_t>& first_threads() {
  static const auto* threads = new std::vector<uint32_t>(thread_numbers());
  return *threads;
}
[[maybe_unused]] const bool noted = !first_threads().empty();
bool belongs_to_sanitizer(uint32_t thread) {
  const auto& first = first_threads();
  return thread != static_cast<uint32_t>(getpid()) &&
         std::find(first.begin(), first.end(), thread) != first.end();
}
#else
bool belongs_to_sanitizer(uint32_t) { return false; }
#endif

// The value of "name:" in /proc/.../status.
uint64_t field(const std::string& status, const char* name, int base) {
  const size_t at = status.find(name);
  return at == std::string::npos
             ? 0
             : std::strtoull(status.c_str() + at + std::strlen(name), nullptr, base);
}

// A handler may wake a thread, and what a program's own handlers do is not known. Faults come from what runs, and nothing does.
bool signals_may_wake(const std::string& status) {
  const uint64_t faults =
      bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGABRT) | bit(SIGTRAP);
  // The C library's own, for pthread_cancel and setuid.
  const uint64_t library = bit(32) | bit(33);
  const uint64_t caught = field(status, "SigCgt:", 16);
  return caught & ~(faults | library | harmless_signals.load(std::memory_order_relaxed));
}

struct RestingThreads {
  SpinLock lock;
  std::vector<uint32_t> numbers;
};
std::atomic<RestingThreads*>& resting_instance() {
  static std::atomic<RestingThreads*> threads{
      new RestingThreads};  // never destroyed: they may outlive statics
  return threads;
}
RestingThreads& resting_threads() { return *resting_instance().load(std::memory_order_acquire); }

bool is_resting(uint32_t thread) {
  RestingThreads& resting = resting_threads();
  const std::lock_guard guard(resting.lock);
  return std::find(resting.numbers.begin(), resting.numbers.end(), thread) != resting.numbers.end();
}

// Whether it sleeps on a word that only a thread of this process changes, for ever. The text is the number of the system call
// and its arguments.
bool waits_for_thread(const std::string& syscall, bool rests, const std::vector<uint32_t>& all) {
  if (syscall.compare(0, 7, "running") == 0) return false;
  char* rest = nullptr;
  if (std::strtol(syscall.c_str(), &rest, 10) != SYS_futex) return false;
  std::strtoull(rest, &rest, 16);  // the word's address
  const uint64_t operation = std::strtoull(rest, &rest, 16);
  const uint64_t expected = std::strtoull(rest, &rest, 16) & UINT32_MAX;
  const bool timed = std::strtoull(rest, &rest, 16) != 0;
  const uint64_t command = operation & static_cast<uint64_t>(FUTEX_CMD_MASK);
  if ((command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) || (timed && !rests)) {
    return false;
  }
  if (operation & FUTEX_PRIVATE_FLAG) return true;
  // pthread_join waits for a thread's number to become 0, which the system does when the thread ends.
  return std::find(all.begin(), all.end(), expected) != all.end();
}

}  // namespace

Resting::Resting() {
  RestingThreads& resting = resting_threads();
  const auto me = static_cast<uint32_t>(gettid());
  const std::lock_guard guard(resting.lock);
  resting.numbers.push_back(me);
}

Resting::~Resting() {
  RestingThreads& resting = resting_threads();
  const auto me = static_cast<uint32_t>(gettid());
  const std::lock_guard guard(resting.lock);
  std::erase(resting.numbers, me);
}

// The lock of the other may be held by a thread of the parent.
void forget_resting_after_fork() {
  resting_instance().store(new RestingThreads, std::memory_order_release);
}

void harmless_signal(int signal) {
  harmless_signals.fetch_or(bit(signal), std::memory_order_relaxed);
}

std::optional<uint64_t> blocked_threads(FnRef<bool(uint32_t)> may_poll) {
  const auto me = static_cast<uint32_t>(gettid());
  const std::vector<uint32_t> all = thread_numbers();
  if (all.empty() || signals_may_wake(read_file("/proc/self/status"))) return std::nullopt;
  uint64_t sum = 0;
  for (const uint32_t thread : all) {
    if (thread == me || may_poll(thread) || belongs_to_sanitizer(thread)) continue;
    const std::string folder = "/proc/self/task/" + std::to_string(thread);
    const std::string status = read_file(folder + "/status");
    if (!waits_for_thread(read_file(folder + "/syscall"), is_resting(thread), all))
      return std::nullopt;
    // Whoever runs, however briefly, has to be switched to.
    const uint64_t switches = field(status, "\nvoluntary_ctxt_switches:", 10) +
                              field(status, "\nnonvoluntary_ctxt_switches:", 10);
    if (switches == 0) return std::nullopt;  // not told
    sum = (sum ^ thread) * 0x9e3779b97f4a7c15u + switches;
  }
  return sum;
}

}  // namespace gotorch::runtime
