// Seeing what runs: goroutines, counters, timelines.
#include "runtime/observe.h"

#include <pybind11/pybind11.h>
#include <signal.h>

#include <system_error>

#include "python/src/bind.h"
#include "python/src/gil.h"
#include "runtime/counters.h"
#include "runtime/process_threads.h"
#include "runtime/trace.h"

namespace gotorch::python {
namespace py = pybind11;
namespace {

py::dict worker_counts(const runtime::Counters::Worker& w) {
  py::dict d;
  d["switches"] = w.switches;
  d["parks"] = w.parks;
  d["spawned"] = w.spawned;
  d["ended"] = w.ended;
  d["wakes"] = w.wakes;
  d["steals"] = w.steals;
  d["spins"] = w.spins;
  d["sleeps"] = w.sleeps;
  d["chunks"] = w.chunks;
  d["hogs"] = w.hogs;
  return d;
}

py::dict counters() {
  const runtime::Counters all = runtime::counters();
  py::dict d = worker_counts(all.total);
  d["live"] = all.live;
  d["stacks"] = all.stacks;
  d["timers"] = all.timers;
  py::list workers;
  for (const auto& w : all.workers) {
    py::dict of_worker = worker_counts(w);
    of_worker["hog"] = py::none();
    if (const auto line = w.hog.line())
      of_worker["hog"] = std::string(w.hog.file_name()) + ":" + std::to_string(line);
    workers.append(of_worker);
  }
  d["workers"] = workers;
  return d;
}

template <class F>
void as_value_error(F f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    throw py::value_error(e.what());
  }
}

void stop_trace(const std::string& path) {
  try {
    const Unlocked unlocked;
    runtime::trace::stop(path);
  } catch (const std::system_error& e) {
    errno = e.code().value();
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, path.c_str());
    throw py::error_already_set();
  }
}

}  // namespace

void bind_observe(py::module_& m) {
  m.def("_dump_goroutines", &runtime::dump_goroutines, py::arg("most"), py::call_guard<Unlocked>());
  m.def("_dump_on", [](int signal) { as_value_error([&] { runtime::dump_on(signal); }); });
  m.def("_counters", &counters);
  m.def("_start_trace",
        [](int64_t events) { as_value_error([&] { runtime::trace::start({.events = events}); }); });
  m.def("_stop_trace", &stop_trace);
  // Python's own handler only marks that the signal came; what may then be run is asked for while a thread waits.
  runtime::harmless_signal(SIGINT);
}

}  // namespace gotorch::python
