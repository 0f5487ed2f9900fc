#pragma once
// The arguments of an op call: borrowed, trivially copyable values in a stack array. No allocation.
#include <optional>
#include <span>
#include <string_view>

#include "tensor/pending.h"
#include "tensor/tensor.h"

namespace gotorch {

class Generator;

class Value {
 public:
  enum class Kind : uint8_t {
    None,
    Tensor,
    Tensors,
    Bool,
    Int,
    Float,
    Ints,
    Str,
    Dtype,
    Generator
  };

  Value() : kind_(Kind::None), int_(0) {}
  Value(const Tensor& t) : kind_(t.defined() ? Kind::Tensor : Kind::None), tensor_(&t) {}
  Value(std::span<const Tensor> t)
      : kind_(Kind::Tensors), size_(static_cast<uint32_t>(t.size())), tensor_(t.data()) {}
  Value(Scalar s) : int_(0) {
    if (s.is_floating()) {
      kind_ = Kind::Float;
      float_ = s.to<double>();
    } else {
      kind_ = s.category() == Category::Bool ? Kind::Bool : Kind::Int;
      int_ = s.to<int64_t>();
    }
  }
  Value(const Operand& o) : Value(o.tensor.defined() ? Value(o.tensor) : Value(o.scalar)) {}
  Value(bool b) : kind_(Kind::Bool), int_(b) {}
  Value(int i) : kind_(Kind::Int), int_(i) {}
  Value(int64_t i) : kind_(Kind::Int), int_(i) {}
  Value(double d) : kind_(Kind::Float), float_(d) {}
  Value(const DimVector& d) : Value(Dims(d)) {}
  Value(const IntList& d) : Value(d.view()) {}
  Value(const OptionalIntList& d) : Value(d.given() ? Value(d.view()) : Value()) {}
  Value(const Tensors& t) : Value(std::span<const Tensor>(t)) {}
  Value(Dims d) : kind_(Kind::Ints), size_(static_cast<uint32_t>(d.size())), ints_(d.data()) {}
  Value(std::string_view s)
      : kind_(Kind::Str), size_(static_cast<uint32_t>(s.size())), str_(s.data()) {}
  Value(const char* s) : Value(std::string_view(s)) {}
  Value(Dtype d) : kind_(Kind::Dtype), int_(static_cast<int64_t>(d)) {}
  template <class T>
  Value(const std::optional<T>& v) : Value(v ? Value(*v) : Value()) {}
  Value(Generator* g) : kind_(g ? Kind::Generator : Kind::None), generator_(g) {}

  Kind kind() const { return kind_; }
  bool is_none() const { return kind_ == Kind::None; }
  bool is_tensor() const { return kind_ == Kind::Tensor; }
  bool is_number() const {
    return kind_ == Kind::Bool || kind_ == Kind::Int || kind_ == Kind::Float;
  }

  const Tensor& tensor() const {
    check(kind_ == Kind::Tensor,
          "internal error: a tensor argument was read that is not there (not saved?)");
    return *tensor_;
  }
  std::span<const Tensor> tensors() const { return {tensor_, size_}; }
  Scalar scalar() const {
    return kind_ == Kind::Float  ? Scalar(float_)
           : kind_ == Kind::Bool ? Scalar(int_ != 0)
                                 : Scalar(int_);
  }
  Dims ints() const { return kind_ == Kind::Int ? Dims(&int_, 1) : Dims(ints_, size_); }
  std::string_view str() const { return {str_, size_}; }
  Dtype dtype() const { return static_cast<Dtype>(int_); }
  Generator* generator() const { return generator_; }

 private:
  Kind kind_;
  uint32_t size_ = 0;
  union {
    const Tensor* tensor_;
    int64_t int_;
    double float_;
    const int64_t* ints_;
    const char* str_;
    Generator* generator_;
  };
};

// What a kernel or a gradient sees: the arguments by position, in the order of the signature.
class Args {
 public:
  Args() = default;
  explicit Args(std::span<const Value> values) : values_(values.data()), count_(values.size()) {}
  size_t size() const { return count_; }
  const Value& value(size_t i) const { return values_[i]; }

  const Tensor& operator[](size_t i) const { return values_[i].tensor(); }
  bool given(size_t i) const { return !values_[i].is_none(); }
  // An optional tensor: undefined if not given.
  Tensor tensor_or(size_t i) const {
    return values_[i].is_tensor() ? values_[i].tensor() : Tensor();
  }
  std::span<const Tensor> tensors(size_t i) const { return values_[i].tensors(); }
  Scalar scalar(size_t i) const { return values_[i].scalar(); }
  int64_t integer(size_t i) const { return values_[i].scalar().to<int64_t>(); }
  double number(size_t i) const { return values_[i].scalar().to<double>(); }
  bool flag(size_t i) const { return values_[i].scalar().to<bool>(); }
  Dims ints(size_t i) const { return values_[i].ints(); }
  std::string_view str(size_t i) const { return values_[i].str(); }
  Dtype dtype_or(size_t i, Dtype otherwise) const {
    return given(i) ? values_[i].dtype() : otherwise;
  }
  Generator* generator(size_t i) const { return given(i) ? values_[i].generator() : nullptr; }

 protected:
  const Value* values_ = nullptr;
  size_t count_ = 0;
};

}  // namespace gotorch
