// What asyncio awaits: a select that a C++ goroutine runs, so that it neither takes a thread nor blocks the event loop.
//
// Invariants
//  - A goroutine never runs Python: when its select is over it puts its number into a mailbox, whose file descriptor the event
//    loop watches.
//  - Who awaits either takes the result, once the mailbox has told, or abandons the operation. That waits for the goroutine, which
//    is cancelled, or was woken already and needs but its turn; then a received value goes back to its channel. So no cancelled
//    task takes a value along, and nobody finds the channel empty meanwhile.
#include <pybind11/stl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <system_error>

#include "python/src/bind.h"
#include "python/src/contexts.h"
#include "python/src/select_case.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/thread_state.h"

namespace gotorch::python {
namespace {

namespace py = pybind11;

class Mailbox {
 public:
  Mailbox() : file_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (file_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Mailbox() { ::close(file_); }
  Mailbox(const Mailbox&) = delete;

  int file() const { return file_; }
  void post(int64_t number) {
    lock_.lock();
    const bool first = numbers_.empty();
    numbers_.push_back(number);
    lock_.unlock();
    if (first) eventfd_write(file_, 1);
  }
  std::vector<int64_t> take() {
    eventfd_t count;
    eventfd_read(file_, &count);  // before the numbers: what comes later writes again
    lock_.lock();
    std::vector<int64_t> numbers = std::exchange(numbers_, {});
    lock_.unlock();
    return numbers;
  }

 private:
  const int file_;
  runtime::SpinLock lock_;
  std::vector<int64_t> numbers_;
};

class Operation : public std::enable_shared_from_this<Operation> {
 public:
  Operation(const py::args& cases, const py::object& timeout)
      : under_(current_context()),
        context_(under_.child()),
        choice_(cases, deadline_after(timeout, "select"), context_.done()) {}

  void start(std::shared_ptr<Mailbox> mailbox, int64_t number) {
    mailbox_ = std::move(mailbox);
    number_ = number;
    runtime::start(
        runtime::system_scope().make_goroutine([self = shared_from_this()] { self->run(); }));
  }

  py::tuple result() {
    if (!error_) return choice_.result();
    try {
      std::rethrow_exception(error_);
    } catch (const runtime::Cancelled&) {
      raise_cancelled(under_);
    }
  }

  void abandon() {
    context_.cancel();
    // acquire: the goroutine's writes are seen.
    if (!over_.load(std::memory_order_acquire)) {
      const Unlocked unlocked;
      while (!over_.load(std::memory_order_acquire))
        runtime::futex_wait(over_, 0, runtime::kForever);
    }
    choice_.undo();
  }

 private:
  void run() {
    try {
      choice_.run();
    } catch (...) {
      error_ = std::current_exception();
    }
    over_.store(1, std::memory_order_release);
    runtime::futex_wake(over_, 1);  // the closure that runs here keeps the word alive
    mailbox_->post(number_);
  }

  const runtime::context under_, context_;
  Choice choice_;
  std::shared_ptr<Mailbox> mailbox_;
  int64_t number_ = 0;
  std::exception_ptr error_;
  std::atomic<uint32_t> over_{0};
};

// A goroutine that passes values on: for tests of how threads and goroutines meet.
void relay(const py::object& from, const py::object& to) {
  const Channel in = channel_of(from, false, "_relay"), out = channel_of(to, true, "_relay");
  runtime::start(runtime::system_scope().make_goroutine([in, out] {
    struct Received {
      Cell& cell;
      const Channel& from;
      ~Received() { from.element().end(&cell); }
    };
    try {
      for (Cell cell; in.core()->receive(&cell, true) == runtime::ChanResult::Done;) {
        const Received received{cell, in};
        out.core()->send(&cell, true);
      }
      out.core()->close();
    } catch (const runtime::ChanError&) {  // the target was closed by somebody else
    }
  }));
}

// A wait group's number. Changed with the GIL only.
struct Count {
  int64_t count = 0;
  py::object zero = py::cast(Channel(runtime::chan<Value>(0)));  // closed when the count gets to 0

  void add(int64_t n) {
    if (count + n < 0) {
      throw py::value_error("wait_group: done() called more often than add(): the count would be " +
                            std::to_string(count + n));
    }
    const bool waited = count > 0;
    count += n;
    if (count > 0 || !waited) return;
    const py::object over = std::exchange(zero, py::cast(Channel(runtime::chan<Value>(0))));
    py::cast<const Channel&>(over).core()->close();
  }
};

// As Python's caller of native work does it: submits a goroutine, and waits for its end.
void empty_task() {
  runtime::ScopeState scope{runtime::context()};
  runtime::start(scope.make_goroutine([] {}));
  scope.join();
}

}  // namespace

void bind_awaiting(py::module_& m) {
  py::class_<Mailbox, std::shared_ptr<Mailbox>>(m, "_Mailbox")
      .def(py::init<>())
      .def("fileno", &Mailbox::file)
      .def("take", &Mailbox::take);
  py::class_<Operation, std::shared_ptr<Operation>>(m, "_Operation")
      .def(py::init([](const py::object& timeout, const py::args& cases) {
        return std::make_shared<Operation>(cases, timeout);
      }))
      .def("start", &Operation::start)
      .def("result", &Operation::result)
      .def("abandon", &Operation::abandon);
  m.def("_relay", &relay);
  m.def("_empty_task", &empty_task, "Submits an empty goroutine and waits for it: for benchmarks.");
  m.def(
      "_empty_loop", [] { runtime::parallel_for(2, 1, [](int64_t, int64_t) {}); },
      "A loop of two empty chunks that other threads may run.");
  m.def("_empty_call", [] {}, "What _empty_task is compared with.");
  m.def(
      "_begin_goroutine", [] { runtime::thread_state().local = {}; },
      "Gives this thread the grad mode that goroutines start with.");
  py::class_<Count>(m, "_Count")
      .def(py::init<>())
      .def("_add", &Count::add)
      .def_readonly("_count", &Count::count)
      .def_readonly("_zero", &Count::zero);
}

}  // namespace gotorch::python
