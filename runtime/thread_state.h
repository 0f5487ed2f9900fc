#pragma once
namespace gotorch::runtime {

class Worker;
struct Goroutine;

// Eight bytes for the users of the runtime that follow a goroutine from thread to thread. All zero when a goroutine, or a
// native thread, starts.
struct LocalWord {
  alignas(8) unsigned char bytes[8] = {};
};

// What the runtime knows of the thread it is on. Goroutines move between threads whenever they
// wait, and a compiler may keep the address of a thread-local variable across that; so ask anew
// each time, through this function, which it cannot see into.
struct ThreadState {
  Worker* worker = nullptr;
  int loop_depth = 0;
  LocalWord local;
  Goroutine* pinned = nullptr;  // the one that a native thread runs, see native_thread.h
};
ThreadState& thread_state();

// The worker this thread is, or null. Never keep the answer across a wait.
inline Worker* this_worker() { return thread_state().worker; }
// Depth of loop bodies on this thread. A body must not park.
inline int& loop_depth() { return thread_state().loop_depth; }

}  // namespace gotorch::runtime
