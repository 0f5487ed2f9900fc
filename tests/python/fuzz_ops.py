"""Calls everything with hostile values and reports what is not an error: crashes, hangs, other exceptions, changed inputs.

    python tests/python/fuzz_ops.py --calls 100000 --seed 3
    python tests/python/fuzz_ops.py --seed 3 --only 4711        # one call again, told and made in this process
    python tests/python/fuzz_ops.py --calls 5000 --target var   # of one op

Calls run in forked children, a few hundred each, whose memory is limited. A child that dies or stands still is told
with the call that it was at, and the next one goes on behind it.
"""

import argparse
import collections
import mmap
import os
import resource
import signal
import struct
import sys
import time
import traceback

import gotorch
from fuzz_calls import Calls
from fuzz_values import T, make, realize_all

ALLOWED = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError)  # and their subclasses
LARGEST = 1 << 22  # elements: larger results are looked at no further
BATCH = 300


class Fault(Exception):
    """Something that must not be."""


def spread(values):
    """(value of this module, its realization) of all tensors among the arguments, also in lists."""
    for spec, value in values:
        if isinstance(spec, T):
            yield spec, value
        elif isinstance(spec, (list, tuple)):
            yield from spread(zip(spec, value))


def state(t, version=None):
    version = t._version if version is None else version
    return t.dtype, tuple(t.shape), t.stride(), version, t.requires_grad, gotorch._C._to_bytes(t.detach())


def attempt(function, *args, **kwargs):
    """(result, None), or (None, error) for an error that the user may get."""
    try:
        return function(*args, **kwargs), None
    except ALLOWED as e:
        if isinstance(e, RecursionError) or "internal error" in str(e):
            raise Fault(f"{type(e).__name__}: {e}") from e
        if isinstance(e, (UnicodeError, OverflowError, TypeError)) or str(e):
            return None, e
        raise Fault(f"{type(e).__name__} without a text") from e
    except AttributeError as e:  # what Python code says that asks a number for what tensors have
        if "gotorch" in str(e):
            raise Fault(f"{type(e).__name__}: {e}") from e
        return None, e
    except Exception as e:
        raise Fault(f"{type(e).__name__}: {e}") from e


def flat(result):
    if isinstance(result, gotorch.Tensor):
        return [result]
    return [t for r in result for t in flat(r)] if isinstance(result, (tuple, list)) else []


def read(result):
    """Computes what was deferred and looks at each element."""
    for t in flat(result):
        if t.numel() <= LARGEST:
            attempt(gotorch._C._to_bytes, t.detach())


def differentiate(result, inputs, how):
    leaves = [x for x in inputs if x.requires_grad]
    results = [t for t in flat(result) if t.requires_grad and t.numel() <= LARGEST]
    if not results or not leaves:
        return
    grads = [gotorch.ones_like(t) for t in results]
    if how == "hostile":
        grads = [gotorch.ones(t.dim() + 1, dtype=gotorch.int32) for t in results]
    found, _ = attempt(gotorch.autograd.grad, results, leaves, grads, create_graph=how == "twice", allow_unused=True)
    found = [g for g in found or () if g is not None]
    read(found)
    if how == "twice":
        differentiate(found, inputs, "ones")


def run(target, args, kwargs, how):
    given, named = realize_all(args, kwargs)
    tensors = list(spread([*zip(args, given), *((kwargs[k], named[k]) for k in kwargs)]))
    result, error = attempt(target.function, *given, **named)
    if error is not None:
        for spec, value in tensors:
            # Where memory ran out, work that had begun may count as a write.
            counted = value._version if isinstance(error, MemoryError) else None
            if state(value, counted) != state(make(spec), counted):
                raise Fault(f"{spec} was changed by a call that failed: {error}")
        return type(error).__name__
    read(result)
    differentiate(result, [value for _, value in tensors], how)
    return "ok"


def still_computes():
    x = gotorch.arange(12.0).reshape(3, 4)
    if (x @ x.t()).sum().item() != 1134.0 or (gotorch.ones(5000) + 1).sum().item() != 10000.0:
        raise Fault("later calls compute something else")


def told(target, args, kwargs, how):
    inside = [repr(a) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()]
    return f"{target.name}({', '.join(inside)})[{how}]"


def limit_memory(room):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not room:
        return
    with open("/proc/self/statm") as f:
        mapped = int(f.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + room, mapped + room))


def work(calls, first, last, place, report):
    """What a child does: tells where it is through `place`, and what it found through the file `report`."""
    counts = collections.Counter()
    for i in range(first, last):
        place[:8] = struct.pack("q", i)
        try:
            counts[run(*calls.call(i))] += 1
            if i % 20 == 0:
                still_computes()
        except Fault as e:
            report.write(f"{i}\t{e}\n")
        except BaseException:
            report.write(f"{i}\t{traceback.format_exc(limit=-3)!r}\n")
    place[:8] = struct.pack("q", last)
    for name, count in counts.items():
        report.write(f"count\t{name}\t{count}\n")
    report.flush()


class Watch:
    """The parent: forks, waits, and attributes what happened."""

    def __init__(self, calls, patience, room):
        self.calls, self.patience, self.room = calls, patience, room
        self.place = mmap.mmap(-1, 8)
        self.faults = []
        self.counts = collections.Counter()

    def at(self):
        return struct.unpack("q", self.place[:8])[0]

    def batch(self, first, last):
        """Runs the calls up to `last`, or to the one that ends the child; returns the next to run."""
        self.place[:8] = struct.pack("q", first)
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(r)
            status = 1
            try:
                with os.fdopen(w, "w", buffering=1, errors="backslashreplace") as report:
                    limit_memory(self.room)
                    work(self.calls, first, last, self.place, report)
                status = 0
            finally:
                os._exit(status)
        os.close(w)
        with os.fdopen(r, "rb") as pipe:
            os.set_blocking(pipe.fileno(), False)
            said, ended = self.follow(child, pipe)
        for line in said.decode(errors="replace").splitlines():
            kind, _, rest = line.partition("\t")
            if kind == "count":
                name, _, count = rest.partition("\t")
                self.counts[name] += int(count)
            else:
                self.add(int(kind), rest)
        if ended == "exit 0":
            return last
        self.add(self.at(), ended)
        return self.at() + 1

    def follow(self, child, pipe):
        """What the child wrote, and how it ended."""
        said, seen, since = b"", -1, time.monotonic()
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            said += pipe.read() or b""
            if done:
                code = os.waitstatus_to_exitcode(status)
                return said, f"exit {code}" if code >= 0 else signal.Signals(-code).name
            if self.at() != seen:
                seen, since = self.at(), time.monotonic()
            elif time.monotonic() - since > self.patience:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return said, f"HANG: no end after {self.patience} s"
            time.sleep(0.01)

    def add(self, index, what):
        call = told(*self.calls.call(index))
        self.faults.append((index, what, call))
        print(f"FAULT --seed {self.calls.seed} --only {index}: {what}\n    {call}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="make this one call in this process")
    parser.add_argument("--target", action="append", help="the name of an op; may be repeated")
    parser.add_argument("--patience", type=float, default=10, help="seconds that a call may take")
    parser.add_argument("--room", type=int, default=1 << 30, help="bytes that a child may map; 0: no limit (ASan)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    options = parser.parse_args()
    calls = Calls(options.seed, options.target)
    if options.only is not None:
        call = calls.call(options.only)
        print(told(*call), flush=True)
        limit_memory(options.room)
        print(run(*call))
        return
    watch = Watch(calls, options.patience, options.room)
    start, at = time.monotonic(), 0
    while at < options.calls and time.monotonic() - start < options.seconds:
        at = watch.batch(at, min(at + BATCH, options.calls))
    print(
        f"seed {options.seed}: {at} calls of {len(calls.targets)} functions, {len(watch.faults)} faults,",
        dict(watch.counts),
    )
    sys.exit(1 if watch.faults else 0)


if __name__ == "__main__":
    main()
