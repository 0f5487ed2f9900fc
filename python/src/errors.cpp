#include "python/src/errors.h"

#include <pybind11/pybind11.h>

#include <cstring>
#include <new>
#include <stdexcept>

#include "data/atomic_file.h"
#include "python/src/gil.h"
#include "runtime/context.h"
#include "runtime/interrupt.h"
#include "tensor/error.h"

namespace gotorch::python {
namespace {

PyObject* out_of_memory_error = nullptr;
RuntimeErrors of_runtime{};

void raise(PyObject* type, const char* text) { PyErr_SetString(type, text); }

// OSError(errno, text, path): Python chooses the subclass, FileNotFoundError for instance.
void raise_os_error(const FileError& e) {
  const Owned arguments(Py_BuildValue("isN", e.code, std::strerror(e.code),
                                      PyUnicode_DecodeFSDefault(e.path.c_str())));
  if (!arguments.get()) return;
  const Owned error(PyObject_CallObject(PyExc_OSError, arguments.get()));
  if (error.get()) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.get())), error.get());
}

// The class `name` of the package, added to the module.
PyObject* new_error(PyObject* module, const char* name, const char* doc,
                    std::initializer_list<PyObject*> bases) {
  const Owned tuple(expect(PyTuple_New(static_cast<Py_ssize_t>(bases.size()))));
  Py_ssize_t i = 0;
  for (PyObject* base : bases) {
    Py_INCREF(base);
    PyTuple_SET_ITEM(tuple.get(), i++, base);
  }
  PyObject* type = expect(PyErr_NewExceptionWithDoc((std::string("gotorch.") + name).c_str(), doc,
                                                    tuple.get(), nullptr));
  Py_INCREF(type);  // the module takes one, we keep one
  expect(PyModule_AddObject(module, name, type));
  return type;
}

}  // namespace

CarriedError::CarriedError(PyObject* error) : error_(error, &release) {
  Py_INCREF(error);
  const Owned text(PyObject_Str(error));
  const char* utf8 = text.get() ? PyUnicode_AsUTF8(text.get()) : nullptr;
  text_ = std::string(Py_TYPE(error)->tp_name) + (utf8 && *utf8 ? ": " : "") + (utf8 ? utf8 : "");
  PyErr_Clear();  // an exception whose __str__ fails has no text
}

PyObject* error_object(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (...) {
    set_error();
  }
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  const Owned owned_type(type), owned_trace(trace);
  return value;
}

const RuntimeErrors& runtime_errors() { return of_runtime; }

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
  } catch (const CarriedError& e) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(e.object())), e.object());
  } catch (const runtime::DeadlineExceeded& e) {
    raise(of_runtime.deadline_exceeded, e.what());
  } catch (const runtime::Cancelled& e) {
    raise(of_runtime.cancelled, e.what());
  } catch (const runtime::ChanError& e) {
    raise(of_runtime.chan_error, e.what());
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
  out_of_memory_error =
      new_error(module, "OutOfMemoryError", "The machine does not have, or give, that much memory.",
                {PyExc_RuntimeError, PyExc_MemoryError});
  RuntimeErrors& e = of_runtime;
  e.cancelled = new_error(module, "Cancelled", "A wait was ended because its context is cancelled.",
                          {PyExc_Exception});
  e.deadline_exceeded =
      new_error(module, "DeadlineExceeded", "A context is cancelled since its deadline has passed.",
                {e.cancelled, PyExc_TimeoutError});
  e.chan_error =
      new_error(module, "ChanError",
                "What in Go is a panic: send or close after close, close of nil, use after fork().",
                {PyExc_RuntimeError});
  e.chan_closed =
      new_error(module, "ChanClosed", "The channel is closed, and all its values were received.",
                {e.chan_error});
  pybind11::register_exception_translator([](std::exception_ptr p) {
    try {
      std::rethrow_exception(p);
    } catch (...) {
      set_error();
    }
  });
}

}  // namespace gotorch::python
