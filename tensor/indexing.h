#pragma once
// x[...] and x[...] = v with PyTorch's rules: integers, slices, None, Ellipsis and bools give views; tensors copy.
//   get_index(x, {Index(0), Index::slice(1, 3)});                      // x[0, 1:3], a view
//   get_index(x, {Index::ellipsis(), Index(rows)});                    // x[..., rows]
//   set_index(x, {Index(mask)}, 0.0);                                  // x[mask] = 0
#include <optional>

#include "tensor/pending.h"
#include "tensor/tensor.h"

namespace gotorch {

struct Index {
  enum class Kind : uint8_t { Integer, Slice, Ellipsis, NewAxis, Tensor, Bool };
  explicit Index(int64_t i) : kind(Kind::Integer), integer(i) {}
  explicit Index(int i) : Index(int64_t{i}) {}
  explicit Index(bool b) : kind(Kind::Bool), integer(b) {}
  // int64, int32, or a mask: bool or uint8.
  explicit Index(gotorch::Tensor t) : kind(Kind::Tensor), tensor(std::move(t)) {}
  static Index slice(std::optional<int64_t> start = {}, std::optional<int64_t> stop = {},
                     int64_t step = 1) {
    Index i(Kind::Slice);
    i.start = start;
    i.stop = stop;
    i.integer = step;
    return i;
  }
  static Index ellipsis() { return Index(Kind::Ellipsis); }
  static Index new_axis() { return Index(Kind::NewAxis); }

  Kind kind;
  int64_t integer = 0;  // the integer, the step of a slice, or the bool
  std::optional<int64_t> start, stop;
  gotorch::Tensor tensor;

 private:
  explicit Index(Kind k) : kind(k) {}
};

Tensor get_index(const Tensor& x, std::span<const Index> indices);
// x[indices] = value: a number, or a tensor that broadcasts to x[indices].
void set_index(const Tensor& x, std::span<const Index> indices, const Operand& value);

inline Tensor get_index(const Tensor& x, std::initializer_list<Index> indices) {
  return get_index(x, std::span<const Index>(indices.begin(), indices.size()));
}
inline void set_index(const Tensor& x, std::initializer_list<Index> indices, const Operand& value) {
  set_index(x, std::span<const Index>(indices.begin(), indices.size()), value);
}

}  // namespace gotorch
