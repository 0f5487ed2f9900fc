#pragma once
// The signature of an op, layer or optimizer: parsed once from one line of text.
//   "softplus(Tensor input, float beta=1, float threshold=20) -> Tensor"
// Types: Tensor, Tensor?, Operand (Tensor or number), Tensor[], Scalar, int, float, bool, int[], int[2] (one integer
// stands for both), int?[2] (with None among them), str, dtype, Generator; a `?` after a type admits None. Parameters
// behind `*` are keyword-only.
// An overload is named "max.dim". Results: "Tensor", "(Tensor values, Tensor indices)", "Tensor[]", "bool".
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/value.h"

namespace gotorch {

// None in an int?[].
inline constexpr int64_t kNoInt = INT64_MIN;

struct Param {
  enum class Type : uint8_t {
    Tensor,
    Operand,
    Tensors,
    Scalar,
    Int,
    Float,
    Bool,
    Ints,
    Str,
    Dtype,
    Generator
  };
  std::string name;
  Type type;
  bool optional = false;           // None is a value
  bool optional_elements = false;  // int?[]: None may be in the list
  bool keyword_only = false;
  bool has_default = false;
  int list_size = 0;         // int[2]: 2
  Value default_value;       // points into this signature
  std::string default_text;  // as written: "1", "None", "'mean'"
  std::string type_text;
};

struct Signature {
  explicit Signature(std::string_view text);  // throws ValueError that names the place
  Signature(const Signature&) = delete;

  std::string text;
  std::string name;      // "max"
  std::string overload;  // "dim", or empty
  std::vector<Param> params;
  std::vector<std::string> results;  // names; one empty name for a plain result
  bool returns_list = false;
  bool returns_bool = false;

  int index_of(std::string_view param) const;  // -1 if there is none

 private:
  std::deque<std::vector<int64_t>> lists_;
  std::deque<std::string> strings_;
  void parse_param(std::string_view piece, bool keyword_only);
  void parse_default(Param& p);
  void parse_result(std::string_view piece);
};

}  // namespace gotorch
