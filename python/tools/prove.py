"""Runs every case of Go's semantics under $GOTORCH_SEEDS seeds, and the models, some at a time.

The argument is how many may run at once.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUILD = Path(__file__).resolve().parents[2] / "build" / "release"
SLOW_SECONDS = 10


def main():
    jobs = [("runtime_test", case) for case in tests("runtime_test") if case.endswith("/seeds")]
    for program in ("models_test", "idle_models_test"):
        jobs += [(program, case) for case in tests(program)]
    seeds = os.environ.get("GOTORCH_SEEDS", "20")
    start = time.monotonic()
    with ThreadPoolExecutor(int(sys.argv[1])) as pool:
        failed = sum(pool.map(run, jobs))
    spent = time.monotonic() - start
    print(f"{len(jobs)} cases and models, {seeds} seeds a case, {failed} failed, {spent:.0f} s")
    sys.exit(failed > 0 or not jobs)


def tests(program):
    """The full names of a program's tests."""
    listed = subprocess.check_output([BUILD / program, "--gtest_list_tests"], text=True)
    names, suite = [], ""
    for line in listed.splitlines():
        if line.startswith("  "):
            names.append(suite + line.split("#")[0].strip())
        elif line.split("#")[0].strip().endswith("."):
            suite = line.split("#")[0].strip()
    return names


def run(job):
    program, case = job
    start = time.monotonic()
    command = [BUILD / program, f"--gtest_filter={case}"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    spent = time.monotonic() - start
    if result.returncode:
        print(result.stdout, f"{case}: exit status {result.returncode}", flush=True)
    elif spent > SLOW_SECONDS:
        print(f"slow: {case} took {spent:.0f} s", flush=True)
    return result.returncode != 0


if __name__ == "__main__":
    main()
