// len(x), iter(x), x[index], x[index] = value.
#include "python/src/errors.h"
#include "python/src/tensor_object.h"
#include "python/src/tensor_slots.h"

namespace gotorch::python {
namespace {

Py_ssize_t length(PyObject* self) {
  return guarded_int([&]() -> Py_ssize_t {
    check<TypeError>(unwrap(self).dim() > 0, "len() of a 0-d tensor");
    return unwrap(self).size(0);
  });
}

}  // namespace

void add_sequence_slots(std::vector<PyType_Slot>& slots) {
  slots.push_back({Py_mp_length, reinterpret_cast<void*>(length)});
}

}  // namespace gotorch::python
