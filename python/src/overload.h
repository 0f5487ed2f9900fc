#pragma once
// From Python arguments to the values of an op: one form of an op, and the parser that matches a call to it.
#include <Python.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tensor/op.h"

namespace gotorch::python {

// A vectorcall: positional arguments, then the values of the keywords.
struct Arguments {
  PyObject* const* values;
  Py_ssize_t count;         // of the positional ones
  PyObject* keywords;       // a tuple of names, or null
  bool method = false;      // the first argument is the object whose method this is
  bool functional = false;  // of torch.nn.functional, whose functions take inplace=
};

// The values of one call and the memory that they point into.
struct Call {
  Value values[kMaxParams];
  PyObject* out = nullptr;  // of out=
  bool requires_grad = false;
  bool inplace = false;

  void reset();
  // Room for n integers that lives as long as this.
  int64_t* integers(size_t n);
  SmallVector<Tensor, 4>& list() { return lists_[list_count_++]; }

 private:
  static constexpr size_t kRoom = 16;
  static constexpr size_t kLists = 3;
  int64_t room_[kRoom];
  size_t used_ = 0;
  size_t list_count_ = 0;
  std::vector<std::unique_ptr<int64_t[]>> more_;
  std::array<SmallVector<Tensor, 4>, kLists> lists_;
};

// One form of an op: PyTorch calls several signatures under one name overloads.
class Overload {
 public:
  explicit Overload(const Op& op);

  const Op& op() const { return *op_; }
  size_t params() const { return params_.size(); }
  // Fills `call` if the arguments fit. If not, and `why` is given, it says why.
  bool parse(const Arguments& args, Call& call, std::string* why = nullptr) const;
  // As parse(), for a Tensor and the other operand of an arithmetic operator. Only if is_binary().
  bool parse_binary(PyObject* a, PyObject* b, Value* values) const;
  bool is_binary() const { return binary_; }
  // "add(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor"
  const std::string& signature() const { return op_->signature().text; }

 private:
  struct Parameter {
    const Param* param;
    PyObject* name;                        // interned
    std::array<PyObject*, 3> other_names;  // NumPy's
  };
  bool parse_keywords(const Arguments& args, Call& call, uint32_t& given, std::string* why) const;
  bool parse_extra(PyObject* name, PyObject* value, bool functional, Call& call) const;
  int find(PyObject* name) const;
  bool convert(size_t i, PyObject* value, Call& call) const;
  void explain(std::string* why, size_t i, PyObject* value) const;

  const Op* op_;
  std::vector<Parameter> params_;
  Py_ssize_t positional_ = 0;  // how many may be given by position
  uint32_t required_ = 0;      // bits
  bool creates_ = false;       // takes device= and so on
  bool binary_ = false;
};

// Raises unless `device` (a str, a device, or None) names the CPU.
void check_device(PyObject* device);
// The object that Tensor.device returns; set by the package.
extern PyObject* cpu_device;

}  // namespace gotorch::python
