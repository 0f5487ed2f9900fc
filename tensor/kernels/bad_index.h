#pragma once
// Kernels that take indices check all of them before they read or write anything, and hand the
// first bad one back; the caller turns it into an error.
#include <cstdint>
#include <optional>

namespace gotorch::kernels {

struct BadIndex {
  int64_t position;  // in the array of indices
  int64_t value;
  int64_t bound;  // valid are -bound <= value < bound where negative indices count, else from 0
};

// The first index outside [low, bound), if any; values equal to *ignore are valid.
std::optional<BadIndex> find_bad_index(const int64_t* index, int64_t count, int64_t low,
                                       int64_t bound, const int64_t* ignore = nullptr);

// Whether there is one.
bool any_bad_index(const int64_t* index, int64_t count, int64_t low, int64_t bound);

}  // namespace gotorch::kernels
