"""Prints the nanoseconds of a call from Python that does nothing, and of one that runs an empty goroutine."""

import statistics
import sys
import time

import gotorch

CALLS, ROUNDS = 20_000, 7


def nanoseconds(call):
    def once():
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            call()
        return (time.perf_counter_ns() - start) / CALLS

    once()  # warm
    return round(statistics.median(once() for _ in range(ROUNDS)))


gotorch.set_num_threads(int(sys.argv[1]))
print(nanoseconds(gotorch._C._empty_call), nanoseconds(gotorch._C._empty_task))
