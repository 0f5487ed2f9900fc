#pragma once
#include <chrono>

#include "runtime/chan.h"

namespace gotorch::runtime {

// Lets others run for at least this long.
void sleep(std::chrono::nanoseconds duration);

// A channel that gets one value when the time has passed. If nobody needs it any more, drop it.
chan<unit> after(std::chrono::nanoseconds duration);

}  // namespace gotorch::runtime
