#include "runtime/stack_overflow.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "runtime/thread_state.h"
#include "runtime/worker.h"

namespace gotorch::runtime {
namespace {

constexpr size_t kSignalStackBytes = 64 * 1024;  // handlers of the program, too, run on it
struct sigaction segv_before, bus_before;        // written before our handler is installed

// Text in a fixed place, to be written at once.
class Message {
 public:
  Message& operator<<(std::string_view text) {
    const size_t n = std::min(text.size(), sizeof text_ - size_);
    std::memcpy(text_ + size_, text.data(), n);
    size_ += n;
    return *this;
  }
  Message& operator<<(uint64_t number) {
    char digits[20];
    return *this << std::string_view(digits, std::to_chars(digits, digits + 20, number).ptr);
  }
  void print() const { [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, text_, size_); }

 private:
  char text_[1024];
  size_t size_ = 0;
};

void report(const Goroutine* g, const Stack& stack) {
  Message m;
  m << "gotorch: stack overflow in ";
  if (g) {
    const std::source_location site = g->site.load(std::memory_order_relaxed);
    m << "the goroutine that was started at " << site.file_name() << ":" << uint64_t{site.line()}
      << " in " << site.function_name();
  } else {
    m << "a goroutine that had ended";
  }
  const uint64_t kb = stack_bytes(stack.size) / 1024;
  m << ": its stack has " << kb
    << " KB. Start it with more, go(f, {.stack_kb = " << std::min<uint64_t>(4 * kb, 8192)
    << "}), or set GOTORCH_STACK_KB for all.\n";
  m.print();
}

void go_to_previous(int signal, siginfo_t* info, void* machine) {
  const struct sigaction& before = signal == SIGBUS ? bus_before : segv_before;
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, machine);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    return before.sa_handler(signal);
  // The fault comes again when we return, or the signal, if somebody sent it.
  ::signal(signal, SIG_DFL);
  if (info->si_code <= 0) raise(signal);
}

void on_fault(int signal, siginfo_t* info, void* machine) {
  const int saved_errno = errno;
  Worker* worker = this_worker();
  const Carrier* carrier = worker && info->si_code > 0 ? worker->carrier() : nullptr;
  if (carrier && carrier->stack.guards(info->si_addr)) report(worker->current(), carrier->stack);
  errno = saved_errno;
  go_to_previous(signal, info, machine);
}

void install(int signal, struct sigaction& before) {
  if (sigaction(signal, nullptr, &before) != 0) return;
  struct sigaction ours = {};
  ours.sa_sigaction = on_fault;
  ours.sa_mask = before.sa_mask;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (before.sa_flags & (SA_NODEFER | SA_RESTART));
  sigaction(signal, &ours, nullptr);
}

}  // namespace

void report_stack_overflows() {
  static const bool once = [] {
    install(SIGSEGV, segv_before);
    install(SIGBUS, bus_before);
    return true;
  }();
  (void)once;
}

SignalStack::SignalStack() {
  stack_t now{};
  if (sigaltstack(nullptr, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
  void* p =
      mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return;  // then an overflow ends the program without a report
  memory_ = p;
  now = {.ss_sp = p, .ss_flags = 0, .ss_size = kSignalStackBytes};
  sigaltstack(&now, nullptr);
}

SignalStack::~SignalStack() {
  if (!memory_) return;
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  sigaltstack(&none, nullptr);
  munmap(memory_, kSignalStackBytes);
}

void die_of_stack_overflow(const Goroutine* g, const Stack& stack) {
  report(g, stack);
  std::abort();
}

}  // namespace gotorch::runtime
