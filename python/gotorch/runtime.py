"""Seeing what the runtime does: its goroutines, numbers, and a timeline of what ran where.

A deadlock of everything is raised as RuntimeError where Python waits; the error and stderr tell who waits where and on what.
"""

import contextlib
import os

from gotorch import _C

__all__ = ["counters", "dump", "dump_on", "trace"]


def dump(most=1000):
    """All goroutines as text, at most `most` of them: what each waits for, on what, since when, where, and where it was started.

    Native threads that wait in the runtime are listed, too. What has the same address is the same channel, mutex or scope.
    """
    return _C._dump_goroutines(most)


def dump_on(signal):
    """From now on this signal writes `dump()` to stderr, also while Python is busy. ValueError if it cannot be caught.

    It replaces Python's own handler. In a forked child, ask again.
    """
    _C._dump_on(signal)


def counters():
    """What the runtime has done so far, as a dictionary of numbers: switches, parks, goroutines spawned and ended, wakes, steals,
    spins, sleeps, chunks and `hogs`, goroutines that were seen to run for 100 ms without a wait, in all and, in a list of
    dictionaries, for each of the `workers`, there with the place where the last `hog` was started; goroutines that are `live`,
    `stacks` ever needed at once, `timers` that are armed."""
    return _C._counters()


@contextlib.contextmanager
def trace(path, events=65536):
    """Records a timeline while the block runs, and writes it to `path` for ui.perfetto.dev or chrome://tracing.

    Each thread keeps its newest `events` events. RuntimeError if one is being recorded already; OSError if the file cannot be
    written.

        with gotorch.runtime.trace("step.json"):
            train(model, batch)
    """
    path = os.fspath(path)
    _C._start_trace(events)
    try:
        yield
    finally:
        _C._stop_trace(path)
