#pragma once
// Goroutines for the models: the runtime's own channels, selects, scopes and contexts run on them as they do on workers.
#include <vector>

#include "runtime/fn_ref.h"
#include "runtime/scope.h"

namespace gotorch::runtime {

// One run's world. Made first in each program.
class Model {
 public:
  Model();
  // Runs f as a goroutine, a thread of the explorer's; joined with explorer::join(). f has to live as long.
  int go(FnRef<void()> f, ScopeState* scope = nullptr);
  // Of all waits with a deadline, which is past.
  bool has_timers() const;
  void fire_timers();
};

}  // namespace gotorch::runtime
