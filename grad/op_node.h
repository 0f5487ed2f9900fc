#pragma once
#include "grad/node.h"

namespace gotorch {

// The node of an op of the table: its arguments as far as the gradients read them, and its formulas.
// Edge i leads to argument i; those of the elements of a list argument follow behind the arguments.
class OpNode : public Node {
 public:
  OpNode(const Op& op, const Args& args);
  // To be called once, with the results, before the node is used.
  void save_results(std::span<const Tensor> results);

  std::string name() const override;
  Tensors apply(Tensors& grads, Wanted wanted) override;
  void release_saved() override;
  const Op& op() const { return op_; }

 private:
  class Formula;
  void save_arguments(const Args& args, uint32_t wanted);
  uint32_t wanted_arguments() const;

  const Op& op_;
  // Tensors are restored by apply(); everything else points into what this node owns.
  SmallVector<Value, 4> values_;
  SmallVector<SavedTensor, 3> saved_;          // by argument, then the list's elements
  SmallVector<SavedTensor, 1> saved_results_;  // by result
  SmallVector<DimVector, 3> shapes_;           // by argument, then the list's elements
  size_t list_elements_ = 0;
  uint32_t needs_ = 0;
  bool released_ = false;
  // Lists and strings of the arguments, rarely there.
  struct Owned {
    std::vector<std::unique_ptr<DimVector>> ints;
    std::vector<std::unique_ptr<std::string>> strings;
  };
  std::unique_ptr<Owned> owned_;
};

}  // namespace gotorch
