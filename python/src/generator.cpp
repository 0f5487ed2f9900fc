#include "python/src/generator.h"

namespace gotorch::python {

bool to_generator(PyObject*, Value&) { return false; }

}  // namespace gotorch::python
