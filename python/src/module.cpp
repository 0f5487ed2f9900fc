#include <pybind11/pybind11.h>

#include "python/src/bind.h"
#include "python/src/gil.h"

#define PyInit__C init_in_main_interpreter
PYBIND11_MODULE(_C, m) {
#undef PyInit__C
  using namespace gotorch::python;
  m.attr("__version__") = GOTORCH_VERSION;
  bind_gil(m.ptr());
  bind_errors(m.ptr());
  bind_dtypes(m.ptr());
  bind_size(m.ptr());
  bind_tensor(m.ptr());
  bind_ops(m.ptr());
  bind_create(m.ptr());
  bind_autograd(m);
  bind_grad_mode(m);
  bind_function(m);
  bind_dlpack(m);
  bind_generator(m);
  bind_table(m);
  bind_to(m);
  bind_layers(m);
  bind_optim(m);
  bind_runtime(m);
  bind_observe(m);
  bind_profile(m);
  bind_contexts(m);
  bind_channels(m);
  bind_select(m);
  bind_awaiting(m);
  bind_data(m);
  bind_files(m);
}

// Types, caches and the GIL's owner are one per process here. pybind11 waits for ever in a subinterpreter before the module's
// own code begins, so that is asked first.
extern "C" PYBIND11_EXPORT PyObject* PyInit__C() {
  if (PyThreadState_Get()->interp == PyInterpreterState_Main()) return init_in_main_interpreter();
  PyErr_SetString(PyExc_ImportError, "gotorch cannot be used in a subinterpreter");
  return nullptr;
}
