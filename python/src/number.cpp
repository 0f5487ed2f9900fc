// Operators of Tensor: a + b, a += b, a < b, -a, float(a).
#include "python/src/convert.h"
#include "python/src/errors.h"
#include "python/src/op_object.h"
#include "python/src/tensor_object.h"
#include "python/src/tensor_slots.h"
#include "tensor/promote.h"

namespace gotorch::python {
namespace {

// Looked up once, so an operator costs no lookup. Null if there is no such op.
struct OperatorOps {
  const OpSet *add, *sub, *rsub, *mul, *true_divide, *floor_divide, *remainder, *pow, *matmul,
      *reciprocal;
  const OpSet *neg, *abs, *bitwise_not, *bitwise_and, *bitwise_or, *bitwise_xor, *lshift, *rshift;
  const OpSet *lt, *le, *eq, *ne, *gt, *ge;
} ops;

using Which = const OpSet* OperatorOps::*;

PyObject* not_implemented() {
  Py_INCREF(Py_NotImplemented);
  return Py_NotImplemented;
}

bool is_operand(PyObject* o) {
  Scalar ignored;
  return is_tensor(o) || to_number(o, ignored);
}

// A number as a 0-d tensor that promotes with `beside` as the number itself would.
Owned number_tensor(PyObject* number, const Tensor& beside) {
  Scalar s;
  to_number(number, s);
  Promotion p;
  p.add(beside);
  p.add(s);
  return Owned(expect(wrap(scalar_tensor(s, p.result()))));
}

PyObject* call_or_decline(const OpSet* op, PyObject* a, PyObject* b) {
  PyObject* result = op ? op->call_binary(a, b) : nullptr;
  if (result || PyErr_Occurred()) return result;
  return not_implemented();
}

// a + b where at least one is a Tensor. `reflected` computes it from (b, a) if `a` is a number.
template <Which op, PyObject* (*reflected)(PyObject* tensor, PyObject* number)>
PyObject* binary(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    if (is_tensor(a)) {
      if (!is_tensor(b) && !is_operand(b)) return not_implemented();
      return call_or_decline(ops.*op, a, b);
    }
    return is_operand(a) ? reflected(b, a) : not_implemented();
  });
}

template <Which op>
PyObject* same_op(PyObject* tensor, PyObject* number) {
  return call_or_decline(ops.*op, tensor, number);
}

template <Which op>
PyObject* through_tensor(PyObject* tensor, PyObject* number) {
  return call_or_decline(ops.*op, number_tensor(number, unwrap(tensor)).get(), tensor);
}

PyObject* divide_reflected(PyObject* tensor, PyObject* number) {
  PyObject* const args[] = {tensor};
  const Owned inverse(ops.reciprocal->call({args, 1, nullptr, true}));
  return call_or_decline(ops.mul, inverse.get(), number);
}

PyObject* declined(PyObject*, PyObject*) { return not_implemented(); }

template <Which op>
PyObject* inplace(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    if (!(ops.*op) || !is_operand(b)) return not_implemented();
    return (ops.*op)->call_binary_inplace(a, b);
  });
}

template <Which op>
PyObject* unary(PyObject* a) {
  return guarded([&]() -> PyObject* {
    check<NotImplementedError>(ops.*op, "this operator has no op");
    PyObject* const args[] = {a};
    return (ops.*op)->call({args, 1, nullptr, true});
  });
}

PyObject* positive(PyObject* a) {
  Py_INCREF(a);
  return a;
}

PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) return not_implemented();
  return binary<&OperatorOps::pow, through_tensor<&OperatorOps::pow>>(a, b);
}
PyObject* power_inplace(PyObject* a, PyObject* b, PyObject*) {
  return inplace<&OperatorOps::pow>(a, b);
}

PyObject* compare(PyObject* a, PyObject* b, int how) {
  static constexpr Which which[] = {&OperatorOps::lt, &OperatorOps::le, &OperatorOps::eq,
                                    &OperatorOps::ne, &OperatorOps::gt, &OperatorOps::ge};
  return guarded([&]() -> PyObject* {
    if (!is_tensor(b) && !is_operand(b)) return not_implemented();
    return call_or_decline(ops.*which[how], a, b);
  });
}

int truth(PyObject* o) {
  return guarded_int([&] {
    const Tensor& t = unwrap(o);
    check(t.numel() == 1, "Boolean value of Tensor with ",
          t.numel() == 0 ? "no values" : "more than one value", " is ambiguous: shape ", t.shape());
    return static_cast<int>(t.item<bool>());
  });
}

Scalar only_element(PyObject* o) {
  const Tensor& t = unwrap(o);
  check<ValueError>(t.numel() == 1,
                    "only one element tensors can be converted to Python scalars, got shape ",
                    t.shape());
  return t.item_scalar();
}

PyObject* to_float(PyObject* o) {
  return guarded([&] { return PyFloat_FromDouble(only_element(o).to<double>()); });
}

PyObject* to_integer(PyObject* o) {
  return guarded([&]() -> PyObject* {
    const Scalar s = only_element(o);
    return s.is_floating() ? PyLong_FromDouble(s.to<double>())
                           : PyLong_FromLongLong(s.to<int64_t>());
  });
}

PyObject* to_index(PyObject* o) {
  return guarded([&] {
    const Tensor& t = unwrap(o);
    check<TypeError>(t.numel() == 1 && category(t.dtype()) != Category::Floating,
                     "only integer tensors of a single element can be converted to an index, got ",
                     t.dtype(), " of shape ", t.shape());
    return PyLong_FromLongLong(t.item<int64_t>());
  });
}

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

void add_number_slots(std::vector<PyType_Slot>& slots) {
  using O = OperatorOps;
  const PyType_Slot own[] = {
      {Py_nb_add, slot(binary<&O::add, same_op<&O::add>>)},
      {Py_nb_subtract, slot(binary<&O::sub, same_op<&O::rsub>>)},
      {Py_nb_multiply, slot(binary<&O::mul, same_op<&O::mul>>)},
      {Py_nb_true_divide, slot(binary<&O::true_divide, divide_reflected>)},
      {Py_nb_floor_divide, slot(binary<&O::floor_divide, through_tensor<&O::floor_divide>>)},
      {Py_nb_remainder, slot(binary<&O::remainder, through_tensor<&O::remainder>>)},
      {Py_nb_power, slot(power)},
      {Py_nb_matrix_multiply, slot(binary<&O::matmul, declined>)},
      {Py_nb_and, slot(binary<&O::bitwise_and, same_op<&O::bitwise_and>>)},
      {Py_nb_or, slot(binary<&O::bitwise_or, same_op<&O::bitwise_or>>)},
      {Py_nb_xor, slot(binary<&O::bitwise_xor, same_op<&O::bitwise_xor>>)},
      {Py_nb_lshift, slot(binary<&O::lshift, through_tensor<&O::lshift>>)},
      {Py_nb_rshift, slot(binary<&O::rshift, through_tensor<&O::rshift>>)},
      {Py_nb_inplace_add, slot(inplace<&O::add>)},
      {Py_nb_inplace_subtract, slot(inplace<&O::sub>)},
      {Py_nb_inplace_multiply, slot(inplace<&O::mul>)},
      {Py_nb_inplace_true_divide, slot(inplace<&O::true_divide>)},
      {Py_nb_inplace_floor_divide, slot(inplace<&O::floor_divide>)},
      {Py_nb_inplace_remainder, slot(inplace<&O::remainder>)},
      {Py_nb_inplace_power, slot(power_inplace)},
      {Py_nb_inplace_and, slot(inplace<&O::bitwise_and>)},
      {Py_nb_inplace_or, slot(inplace<&O::bitwise_or>)},
      {Py_nb_inplace_xor, slot(inplace<&O::bitwise_xor>)},
      {Py_nb_inplace_lshift, slot(inplace<&O::lshift>)},
      {Py_nb_inplace_rshift, slot(inplace<&O::rshift>)},
      {Py_nb_negative, slot(unary<&O::neg>)},
      {Py_nb_positive, slot(positive)},
      {Py_nb_absolute, slot(unary<&O::abs>)},
      {Py_nb_invert, slot(unary<&O::bitwise_not>)},
      {Py_nb_bool, slot(truth)},
      {Py_nb_float, slot(to_float)},
      {Py_nb_int, slot(to_integer)},
      {Py_nb_index, slot(to_index)},
      {Py_tp_richcompare, slot(compare)},
  };
  slots.insert(slots.end(), std::begin(own), std::end(own));
}

void find_operator_ops() {
  ops = {find_ops("add"),
         find_ops("sub"),
         find_ops("rsub"),
         find_ops("mul"),
         find_ops("true_divide"),
         find_ops("floor_divide"),
         find_ops("remainder"),
         find_ops("pow"),
         find_ops("matmul"),
         find_ops("reciprocal"),
         find_ops("neg"),
         find_ops("abs"),
         find_ops("bitwise_not"),
         find_ops("bitwise_and"),
         find_ops("bitwise_or"),
         find_ops("bitwise_xor"),
         find_ops("bitwise_left_shift"),
         find_ops("bitwise_right_shift"),
         find_ops("lt"),
         find_ops("le"),
         find_ops("eq"),
         find_ops("ne"),
         find_ops("gt"),
         find_ops("ge")};
}

}  // namespace gotorch::python
