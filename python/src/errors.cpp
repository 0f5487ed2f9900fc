#include "python/src/errors.h"

#include <pybind11/pybind11.h>

#include <cstring>
#include <new>
#include <stdexcept>

#include "data/atomic_file.h"
#include "runtime/interrupt.h"
#include "tensor/error.h"

namespace gotorch::python {
namespace {

PyObject* out_of_memory_error = nullptr;

void raise(PyObject* type, const char* text) { PyErr_SetString(type, text); }

// OSError(errno, text, path): Python chooses the subclass, FileNotFoundError for instance.
void raise_os_error(const FileError& e) {
  const Owned arguments(Py_BuildValue("isN", e.code, std::strerror(e.code),
                                      PyUnicode_DecodeFSDefault(e.path.c_str())));
  if (!arguments.get()) return;
  const Owned error(PyObject_CallObject(PyExc_OSError, arguments.get()));
  if (error.get()) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
}

// Polled by a thread that waits in the runtime, with or without the GIL. Only the main thread sees signals.
bool check_signals() {
  const PyGILState_STATE state = PyGILState_Ensure();
  const bool stop = PyErr_Occurred() || PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return stop;
}

}  // namespace

void set_error() {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (pybind11::error_already_set& e) {
    e.restore();
  } catch (const pybind11::builtin_exception& e) {
    e.set_error();
  } catch (const runtime::Interrupted&) {
    if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
  } catch (const TypeError& e) {
    raise(PyExc_TypeError, e.what());
  } catch (const ValueError& e) {
    raise(PyExc_ValueError, e.what());
  } catch (const IndexError& e) {
    raise(PyExc_IndexError, e.what());
  } catch (const NotImplementedError& e) {
    raise(PyExc_NotImplementedError, e.what());
  } catch (const ZeroDivisionError& e) {
    raise(PyExc_ZeroDivisionError, e.what());
  } catch (const OutOfMemoryError& e) {
    raise(out_of_memory_error, e.what());
  } catch (const FileError& e) {
    raise_os_error(e);
  } catch (const std::bad_alloc&) {
    raise(out_of_memory_error,
          "cannot allocate memory for the objects of this call: out of memory");
  } catch (const std::length_error&) {
    raise(out_of_memory_error, "the objects of this call would take more memory than there can be");
  } catch (const std::exception& e) {
    raise(PyExc_RuntimeError, e.what());
  } catch (...) {
    raise(PyExc_RuntimeError, "an unknown C++ exception");
  }
}

void bind_errors(PyObject* module) {
  const Owned bases(expect(PyTuple_Pack(2, PyExc_RuntimeError, PyExc_MemoryError)));
  out_of_memory_error =
      expect(PyErr_NewException("gotorch.OutOfMemoryError", bases.get(), nullptr));
  expect(PyModule_AddObject(module, "OutOfMemoryError", out_of_memory_error));
  pybind11::register_exception_translator([](std::exception_ptr p) {
    try {
      std::rethrow_exception(p);
    } catch (...) {
      set_error();
    }
  });
  runtime::set_interrupt_check(&check_signals);
}

}  // namespace gotorch::python
