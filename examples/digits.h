#pragma once
// The network that train_digits trains and serve_digits serves.
#include "layers/layers.h"

// From images [n, 1, 8, 8] to the scores [n, 10] of the digits.
inline gotorch::Sequential digits_network() {
  using namespace gotorch;
  return Sequential(Conv2d(1, 16, 3, 1, 1), ReLU(), Conv2d(16, 32, 3, 1, 1), ReLU(), MaxPool2d(2),
                    Dropout(0.1), Flatten(), Linear(32 * 4 * 4, 64), ReLU(), Linear(64, 10));
}
