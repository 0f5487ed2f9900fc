#pragma once
// The parts of the Python type Tensor, one file each.
#include <Python.h>

#include <vector>

namespace gotorch::python {

void add_number_slots(std::vector<PyType_Slot>& slots);    // number.cpp: operators, bool(), float()
void add_sequence_slots(std::vector<PyType_Slot>& slots);  // indexing.cpp: [], len(), iter(), in
void add_creation_slots(
    std::vector<PyType_Slot>& slots);  // create.cpp: Tensor(...), buffer.cpp: the buffer protocol
void add_attributes();                 // attributes.cpp: shape, dtype, item(), ...

// After the ops are bound: looks up those that operators call.
void find_operator_ops();

}  // namespace gotorch::python
