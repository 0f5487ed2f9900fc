#include "runtime/io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>

#include "runtime/io/descriptor.h"
#include "runtime/io/pipe.h"
#include "runtime/io/pool.h"
#include "runtime/scheduler.h"
#include "runtime/scope.h"

extern char** environ;

namespace gotorch::runtime {

// Invariant: the process is reaped once, by an operation on `ended`, which then sets `status` under
// the lock; until then its number stands for it and nobody else.
struct process::State {
  int pid = 0;
  std::string program;
  DescriptorRef ended;  // a pidfd: readable once it has ended
  stream in, out, err;
  SpinLock lock;
  std::optional<exit_status> status;

  exit_status wait();
  std::optional<exit_status> known() {
    std::lock_guard guard(lock);
    return status;
  }
  ~State();
};

namespace {

constexpr idtype_t kByDescriptor = static_cast<idtype_t>(3);  // P_PIDFD

exit_status reap(const DescriptorRef& ended) {
  siginfo_t info;
  ended->operate(Direction::Read, "wait", [&](int fd) -> ssize_t {
    info = {};
    if (waitid(kByDescriptor, static_cast<id_t>(fd), &info, WEXITED | WNOHANG) != 0) return -1;
    errno = EAGAIN;
    return info.si_pid ? 0 : -1;
  });
  return info.si_code == CLD_EXITED ? exit_status{info.si_status, 0}
                                    : exit_status{0, info.si_status};
}

// The child's side of a standard stream; closed with this.
struct Given {
  Given(Stdio how, int number, bool child_reads, posix_spawn_file_actions_t& actions) {
    if (how == Stdio::Inherit) return;
    int fds[2];
    if (how == Stdio::Null) {
      fd = ::open("/dev/null", (child_reads ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
      if (fd < 0) throw IoError(errno, "spawn", "/dev/null");
    } else {
      if (pipe2(fds, O_CLOEXEC) != 0) throw IoError(errno, "spawn", "pipe");
      fd = fds[child_reads ? 0 : 1];
      try {
        ours = adopt_stream(fds[child_reads ? 1 : 0], "pipe");
      } catch (...) {
        ::close(fd);
        throw;
      }
    }
    // Above 2, so that giving one does not cover another.
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    ::close(fd);
    fd = high;
    if (fd < 0) throw IoError(error, "spawn", "pipe");
    posix_spawn_file_actions_adddup2(&actions, fd, number);
  }
  ~Given() {
    if (fd >= 0) ::close(fd);
  }
  Given(const Given&) = delete;
  int fd = -1;
  stream ours;
};

struct Actions {
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    // The threads of the runtime block all signals; and Python, say, ignores SIGPIPE.
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Actions(const Actions&) = delete;
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (const std::string& s : strings) all.push_back(const_cast<char*>(s.c_str()));
  all.push_back(nullptr);
  return all;
}

int start_child(const command& what, Actions& actions) {
  std::vector<std::string> variables;
  if (what.environment) {
    for (const auto& [name, value] : *what.environment) variables.push_back(name + "=" + value);
  }
  const auto arguments = pointers(what.arguments), environment = pointers(variables);
  if (!what.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions.files, what.folder.c_str());
  }
  int pid = 0, error = 0;
  on_file_thread("spawn", [&] {  // it waits until the program is loaded
    error = posix_spawnp(&pid, arguments[0], &actions.files, &actions.attributes, arguments.data(),
                         what.environment ? environment.data() : environ);
  });
  if (error) throw IoError(error, "spawn", what.arguments[0]);
  return pid;
}

DescriptorRef watch(int pid, const std::string& program) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  try {
    if (fd < 0) throw IoError(errno, "spawn", program);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return new_descriptor(fd, program, "spawn");
  } catch (...) {
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    throw;
  }
}

}  // namespace

exit_status process::State::wait() {
  if (const auto s = known()) return *s;
  Descriptor::Operation turn(*ended, Direction::Write, "wait");  // one of us reaps
  if (const auto s = known()) return *s;
  const exit_status s = reap(ended);
  std::lock_guard guard(lock);
  return *(status = s);
}

process::State::~State() {
  if (!ended || ended->process != process_number() || known()) return;
  try {  // nobody waits for it, but it must not stay a zombie
    start(system_scope().make_goroutine([ended = std::move(ended)] {
      try {
        reap(ended);
      } catch (const std::exception&) {  // somebody else has, or we are a forked child
      }
    }));
  } catch (const std::bad_alloc&) {
  }
}

process spawn(const command& what) {
  if (what.arguments.empty()) throw std::invalid_argument("spawn: arguments must name a program");
  for (const std::string& argument : what.arguments) {
    if (argument.find('\0') != std::string::npos) {
      throw std::invalid_argument("spawn: an argument contains a zero byte");
    }
  }
  auto state = std::make_shared<process::State>();
  Actions actions;
  const Given in(what.in, 0, true, actions.files);
  const Given out(what.out, 1, false, actions.files);
  const Given err(what.err, 2, false, actions.files);
  state->program = what.arguments[0];
  state->pid = start_child(what, actions);
  state->ended = watch(state->pid, state->program);
  state->in = in.ours;
  state->out = out.ours;
  state->err = err.ours;
  return process(std::move(state));
}

process::State& process::checked(const char* op) const {
  if (!state_) throw IoClosed(op, "no process");
  return *state_;
}

exit_status process::wait() const { return checked("wait").wait(); }

bool process::kill(int signal) const {
  State& s = checked("kill");
  try {
    s.ended->with_fd("kill", [=](int fd) -> int64_t {
      return syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0);
    });
    return true;
  } catch (const IoError& e) {
    if (e.code() == std::errc::no_such_process) return false;
    throw;
  }
}

int process::pid() const { return checked("pid").pid; }
const stream& process::in() const { return checked("in").in; }
const stream& process::out() const { return checked("out").out; }
const stream& process::err() const { return checked("err").err; }

}  // namespace gotorch::runtime
