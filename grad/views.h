#pragma once
// Views under autograd: a write through a view changes the history of its base, and so of all other views.
#include "grad/node.h"

namespace gotorch {

// Gives a view whose memory was written to since its history was recorded the history "slice of the base".
void refresh_view(const Tensor& view);
// `node` is the in-place op that has just written to `view`: the base becomes "itself, with that slice replaced".
void rebase_view(const Tensor& view, Ref<Node> node);

}  // namespace gotorch
