#!/usr/bin/env python3
"""Every op of the table against PyTorch: time ratios on the op's own samples at three sizes, worst first.

    bench/ops.py                   every op that PyTorch has, on one thread
    bench/ops.py --only softmax    the ops whose name contains softmax

Samples are called as they are, and with all their dimensions multiplied, or only the first if PyTorch does not take
that, until the largest tensor has about 10,000 and 1,000,000 elements. Blocks of the two libraries alternate; a row
shows the median of the ratios of neighbouring blocks and their range. Writes bench/ops.json.
"""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import time

import gotorch
import torch
from vs_torch import HERE, alternating

sys.path.append(str(HERE.parent / "tests" / "python"))
import op_cases

SIZES = {"small": 0, "middle": 10_000, "large": 1_000_000}
# A sample whose results get larger than this (outer products of large vectors) is left out, not the machine.
MEMORY = 8 << 30
LONGEST_CALL = 1.0  # seconds


def runs_of(key, sample, reshape):
    """(shapes, PyTorch's call, our call), or None where PyTorch does not take these arguments."""
    op = op_cases.TABLE[key]
    declared = op_cases.dtype_names(op)
    case = op_cases.Case(key, sample, "float32" if "float32" in declared else declared[0], reshape, sizes=True)

    def run(function, args, kwargs):
        results = [y for y in op_cases.flat(function(*args, **kwargs)) if hasattr(y, "data_ptr")]
        for result in results:
            result.data_ptr()  # deferred results have to be in memory before the clock stops
        return results

    theirs, ours = op_cases.their_function(op), op["call"]
    their_call, our_call = case.theirs(), case.ours()
    try:
        results = run(theirs, *their_call)
    except Exception:  # each op has its own classes of refusal
        return None
    shapes = [list(t.shape) for t in case.tensors() or results]
    return shapes, lambda: run(theirs, *their_call), lambda: run(ours, *our_call)


def measured(key, sample, elements, options):
    """One row, or None if the sample cannot be had in that size."""
    reshapes = [op_cases.enlarged(sample, elements, only) for only in ("all", "first")] if elements else [None]
    found = next(filter(None, (runs_of(key, sample, reshape) for reshape in reshapes)), None)
    if not found:
        return None
    shapes, *runs = found
    start = time.perf_counter()
    try:
        for run in runs:
            run()
    except Exception as error:
        return {"shapes": shapes, "failed": f"{type(error).__name__}: {error}"}
    if time.perf_counter() - start > 2 * LONGEST_CALL:
        return None
    theirs, ours = alternating(runs, options.blocks, options.seconds)
    ratios = [b / a for a, b in zip(theirs, ours)]
    return {
        "shapes": shapes,
        "torch": statistics.median(theirs),
        "gotorch": statistics.median(ours),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
    }


def run_all(options):
    rows = []
    for key, op in sorted(op_cases.TABLE.items()):
        if options.only not in key or not op_cases.their_function(op):
            continue
        print(key, file=sys.stderr, flush=True)
        for i, sample in enumerate(op["samples"]):
            seen = []
            for size, elements in SIZES.items():
                row = measured(key, sample, elements, options)
                if row and row["shapes"] not in seen:  # small samples of few shapes do not grow
                    seen.append(row["shapes"])
                    rows.append(dict(op=key, sample=i, size=size, **row))
    return sorted(rows, key=lambda row: -row.get("ratio", float("inf")))


def report(rows):
    for r in rows:
        shapes = " ".join("x".join(map(str, s)) or "0d" for s in r["shapes"])
        what = f"{r['op'] + ' ' + str(r['sample']):32s} {r['size']:6s} {shapes}"
        if "failed" in r:
            print(f"failed {what} {r['failed']}")
            continue
        print(
            f"{r['ratio']:6.2f} ({r['low']:.2f}-{r['high']:.2f}) "
            f"{r['torch'] * 1e6:10.1f} us {r['gotorch'] * 1e6:10.1f} us  {what}"
        )
    for size in SIZES:
        ratios = [r["ratio"] for r in rows if r["size"] == size and "ratio" in r]
        if ratios:
            slower = sum(r > 1 for r in ratios)
            print(f"{size}: median ratio {statistics.median(ratios):.2f}, above 1 in {slower} of {len(ratios)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only ops whose name contains this")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=5, help="of each library, for each row")
    parser.add_argument("--seconds", type=float, default=0.01, help="that a block lasts at least")
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "ops.json")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    torch.set_num_threads(options.threads)
    gotorch.set_num_threads(options.threads)
    rows = run_all(options)
    if not rows:
        parser.error(f"no op of PyTorch's has {options.only!r} in its name")
    report(rows)
    options.out.write_text(json.dumps(dict(threads=options.threads, rows=rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
