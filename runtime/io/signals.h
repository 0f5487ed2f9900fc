#pragma once
#include <initializer_list>

#include "runtime/chan.h"

namespace gotorch::runtime {

// Sends each of these signals that comes to `c` instead of letting it have its usual effect. As in
// Go, it is dropped if c is full: give c room for what must not be missed. Several channels may ask
// for one signal; each gets it. std::invalid_argument if a signal cannot be caught.
//
//   chan<int> c(1);
//   notify_signals(c, {SIGINT, SIGTERM});
//   c.receive();
void notify_signals(const chan<int>& c, std::initializer_list<int> signals);

// `c` gets no more signals. One that nobody asks for any more has its former effect again, as all
// have in a forked child.
void stop_signals(const chan<int>& c);

void forget_signals_after_fork();

}  // namespace gotorch::runtime
