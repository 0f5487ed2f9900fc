#pragma once
// The ops as Python callables, made by one loop over the op table.
#include <Python.h>

#include <deque>
#include <string>

#include "python/src/overload.h"

namespace gotorch::python {

// All overloads of one name, in the order in which a call tries them.
class OpSet {
 public:
  explicit OpSet(std::string name) : name_(std::move(name)) {}
  void add(const Op& op) { overloads_.emplace_back(op); }

  const std::string& name() const { return name_; }
  const std::deque<Overload>& overloads() const { return overloads_; }
  bool has_inplace() const;  // any of the overloads has an in-place form
  Scope scope() const { return overloads_.front().op().def().scope; }
  std::string doc() const;

  // A new reference; throws on errors.
  PyObject* call(const Arguments& args) const;
  // name_(): writes the first argument and returns it.
  PyObject* call_inplace(const Arguments& args) const;
  // For operators: null without an error if `b` is neither a Tensor nor a number.
  PyObject* call_binary(PyObject* a, PyObject* b) const;
  PyObject* call_binary_inplace(PyObject* a, PyObject* b) const;

 private:
  [[noreturn]] void fail_to_match(const Arguments& args) const;
  const Overload& match(const Arguments& args, Call& call, bool inplace = false) const;

  std::string name_;
  std::deque<Overload> overloads_;
};

// Null if no op has that name.
const OpSet* find_ops(std::string_view name);

enum class Form {
  Function,
  Method,
  Functional
};  // torch.relu, Tensor.relu, torch.nn.functional.relu

PyObject* make_op_function(const OpSet& ops, Form form, bool inplace);

// Adds the functions to `module`, those of torch.nn.functional to `module.nn_functions`, and the methods to Tensor.
void bind_ops(PyObject* module);

}  // namespace gotorch::python
