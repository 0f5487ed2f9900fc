#!/usr/bin/env python3
"""The share that each step of a matmul has in its instructions, for docs/matmul.md, counted by valgrind's callgrind.

valgrind shows programs a processor with AVX2, so the micro-kernel takes twice the instructions that it takes with AVX-512.
Calls are counted between two calls of getppid, at each of which callgrind writes what it has counted.
"""

import os
import re
import subprocess
import sys
import tempfile

SIZES = (8, 64, 512)
# The first pattern that a function's name contains says to which step its own instructions belong.
STEPS = (
    ("micro-kernel", r"::Target<"),
    ("packing", r"pack|memcpy|memmove"),
    ("blocks: rows, panels, tiles", r"Driver|run_blocks|run_panel|parallel|gemm_blocks|scratch|kernels::.*run<"),
    ("plan: thin or not, orientation, cut", r"gotorch::kernels::|gemm"),
    ("memory of the result", r"allocate|Storage|thread_cache|TensorImpl|gotorch::empty|contiguous_strides"),
    ("the op: checks, shapes", r"gotorch::ops|gotorch::Tensor|wrap_dim|numel_of|SmallVector|TensorImpl"),
    ("binding: overload, arguments, wrapper", r"gotorch::python|OperatorOps"),
    ("dispatch: dtypes, gradients", r"gotorch::"),
    ("Python and C library", r""),
)


def child(n):
    import gotorch as torch

    torch.set_num_threads(1)
    a, b = torch.randn(n, n), torch.randn(n, n)
    for _ in range(5):
        a @ b
    os.getppid()
    for _ in range(calls(n)):
        a @ b
    os.getppid()


def calls(n):
    return 200 if n < 100 else 2


def shares(n):
    """Instructions of a call by step."""
    with tempfile.TemporaryDirectory() as folder:
        profile = f"{folder}/out"
        valgrind = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={profile}"]
        subprocess.run([*valgrind, sys.executable, __file__, str(n)], check=True, capture_output=True)
        annotate = ["callgrind_annotate", "--inclusive=no", "--threshold=100", profile + ".2"]
        text = subprocess.run(annotate, check=True, capture_output=True, text=True).stdout
    steps = dict.fromkeys((name for name, _ in STEPS), 0)
    for count, share, function in re.findall(r"^ *([\d,]+) \(([ \d.]+)%\)  (.*)$", text, re.MULTILINE):
        if float(share) < 100:  # what was being called when the counting began is listed with all of it
            step = next(name for name, pattern in STEPS if re.search(pattern, function))
            steps[step] += int(count.replace(",", "")) / calls(n)
    return steps


def main():
    if len(sys.argv) > 1:
        child(int(sys.argv[1]))
        return
    columns = [shares(n) for n in SIZES]
    print("| step |", " | ".join(f"{n} x {n}" for n in SIZES), "|")
    print("|---|" + "---:|" * len(SIZES))
    for name, _ in reversed(STEPS):
        cells = (f"{c[name]:,.0f} ({c[name] / sum(c.values()):.1%})" for c in columns)
        print(f"| {name} |", " | ".join(cells), "|")
    print("| all |", " | ".join(f"{sum(c.values()):,.0f}" for c in columns), "|")


if __name__ == "__main__":
    main()
