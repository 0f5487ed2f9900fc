#pragma once
#include "grad/node.h"

namespace gotorch {

// The node that adds to a leaf's `.grad`; one per leaf while somebody refers to it.
Ref<Node> accumulator_of(const Tensor& leaf);

// The leaf that such a node adds to.
const Tensor& leaf_of(const Node& accumulator);

}  // namespace gotorch
