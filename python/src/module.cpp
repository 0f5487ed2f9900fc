#include <pybind11/pybind11.h>

#include "python/src/bind.h"

PYBIND11_MODULE(_C, m) {
  using namespace gotorch::python;
  m.attr("__version__") = GOTORCH_VERSION;
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
  bind_data(m);
  bind_files(m);
}
