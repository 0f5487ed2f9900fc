#pragma once
// Seeing goroutines that compute on. They are not interrupted: what waits behind one is taken by other workers, if there are any.
// Looked for by who has time: a worker that watches the others, and native threads that wait. So one is seen if there is either.
namespace gotorch::runtime {

class Scheduler;

// Counts each goroutine that has run for 100 ms without a wait or a yield (WorkerCounts::hogs), once a run, and marks it in the
// timeline.
void watch_for_hogs(Scheduler& scheduler);

}  // namespace gotorch::runtime
