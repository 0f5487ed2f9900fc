// Invariants
//  - Every wait of a Python thread in the runtime gives the GIL away, once its waiter is queued: so what Python threads do at
//    channels happens in the order of the GIL, and only values that wait on stacks change hands without it.
//  - `dropped` is a stack of references to let go, pushed by any thread, taken whole by the main thread with the GIL.
#include "python/src/gil.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "python/src/errors.h"
#include "runtime/futex.h"
#include "runtime/interrupt.h"
#include "runtime/thread_state.h"

namespace gotorch::python {
namespace {

std::atomic<bool> ending{false};
std::atomic<int> asking{0};
std::atomic<unsigned long> main_thread{0};

struct Dropped {
  PyObject* o;
  Dropped* next;
};
std::atomic<Dropped*> dropped{nullptr};

bool on_main_thread() {
  return static_cast<unsigned long>(pthread_self()) == main_thread.load(std::memory_order_relaxed);
}

int let_go(void*) {
  // acquire: the links, and the objects' last uses, are seen.
  for (Dropped* d = dropped.exchange(nullptr, std::memory_order_acquire); d;) {
    Dropped* next = d->next;
    Py_DECREF(d->o);
    delete d;
    d = next;
  }
  return 0;
}

// Polled by a thread that waits in the runtime, with or without the GIL. Only the main thread sees signals.
bool check_signals() {
  const Locked gil;
  let_go(nullptr);
  return PyErr_Occurred() || PyErr_CheckSignals() != 0;
}

void* begin_wait() { return holds_gil() ? PyEval_SaveThread() : nullptr; }

void end_wait(void* state) {
  if (!state) return;
  const AsksForGil asks;
  PyEval_RestoreThread(static_cast<PyThreadState*>(state));
}

constexpr runtime::WaitHooks kHooks{begin_wait, end_wait};

// The thread that Python calls the main one; after fork() another one may be.
PyObject* set_main_thread(PyObject*, PyObject*) {
  main_thread.store(static_cast<unsigned long>(pthread_self()), std::memory_order_relaxed);
  Py_RETURN_NONE;
}

PyObject* end_interpreter(PyObject*, PyObject*) {
  // seq_cst: we set the flag, then look for who asks; who asks counts itself, then looks at the flag.
  ending.store(true, std::memory_order_seq_cst);
  const int64_t limit = runtime::now_ns() + 1'000'000'000;
  while (asking.load(std::memory_order_seq_cst) > 0 && runtime::now_ns() < limit) {
    PyThreadState* state = PyEval_SaveThread();
    usleep(100);
    PyEval_RestoreThread(state);
  }
  Py_RETURN_NONE;
}

// A later import takes the module as it is, without the check of its initialisation.
PyObject* check_interpreter(PyObject*, PyObject*) {
  if (PyThreadState_Get()->interp == PyInterpreterState_Main()) Py_RETURN_NONE;
  PyErr_SetString(PyExc_ImportError, "gotorch cannot be used in a subinterpreter");
  return nullptr;
}

PyMethodDef functions[] = {{"_set_main_thread", set_main_thread, METH_NOARGS, nullptr},
                           {"_end_interpreter", end_interpreter, METH_NOARGS, nullptr},
                           {"_check_interpreter", check_interpreter, METH_NOARGS, nullptr},
                           {}};

PyThreadState* thread_that_runs() {
#if PY_VERSION_HEX >= 0x030D0000
  return PyThreadState_GetUnchecked();
#else
  return _PyThreadState_UncheckedGet();
#endif
}

}  // namespace

bool holds_gil() {
  PyThreadState* mine = PyGILState_GetThisThreadState();
  return mine && mine == thread_that_runs();
}

bool interpreter_ends() { return ending.load(std::memory_order_relaxed); }

AsksForGil::AsksForGil() {
  asking.fetch_add(1, std::memory_order_seq_cst);
  if (!ending.load(std::memory_order_seq_cst) || on_main_thread()) return;
  asking.fetch_sub(1, std::memory_order_seq_cst);
  for (;;) pause();
}

AsksForGil::~AsksForGil() { asking.fetch_sub(1, std::memory_order_relaxed); }

void release(PyObject* o) noexcept {
  if (!o) return;
  if (!Py_IsInitialized()) return;
  if (holds_gil()) {
    Py_DECREF(o);
  } else if (!runtime::this_worker() && !interpreter_ends()) {
    const Locked gil;
    Py_DECREF(o);
  } else if (auto* d = new (std::nothrow) Dropped{o, nullptr}) {
    Dropped* before = dropped.load(std::memory_order_relaxed);
    do {
      d->next = before;
      // release: who takes the stack sees what is in it. From here on d may be gone.
    } while (!dropped.compare_exchange_weak(before, d, std::memory_order_release));
    // Refused if Python's queue of calls is full; then the next wait of the main thread lets go.
    if (!before) Py_AddPendingCall(&let_go, nullptr);
  }
}

void bind_gil(PyObject* module) {
  expect(PyModule_AddFunctions(module, functions));
  const Owned threading(expect(PyImport_ImportModule("threading")));
  const Owned main(expect(PyObject_CallMethod(threading.get(), "main_thread", nullptr)));
  const Owned ident(expect(PyObject_GetAttrString(main.get(), "ident")));
  main_thread.store(PyLong_AsUnsignedLong(ident.get()), std::memory_order_relaxed);
  runtime::set_interrupt_check(&check_signals, &on_main_thread);
  runtime::set_wait_hooks(&kHooks);
}

}  // namespace gotorch::python
