#!/usr/bin/env python3
"""Instructions that a call of the library takes in the library's own code, counted by valgrind's callgrind.

    bench/instructions.py            check: fails if a call takes more than bench/instructions.json allows
    bench/instructions.py --write    write bench/instructions.json: what the calls take now

A count does not depend on what else the machine does, and hardly on the machine: valgrind shows every program the same
AVX2 processor. Python's, the allocator's and the C library's instructions are left out, since their versions differ.
Calls of a kind are counted between two calls of getppid, at each of which callgrind writes what it has counted.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "instructions.json"
CALLS = 50
GROWTH = 1.05  # other patch releases of the compiler inline a little differently
OWN = re.compile(r"/libgotorch\.|/_C\.")


def works():
    """What is counted: by name, a call that has warmed up when it has run a few times."""
    import gotorch as torch
    from gotorch.nn import functional as F

    torch.manual_seed(0)
    x, y = torch.randn(8), torch.randn(8)
    w = torch.randn(8, requires_grad=True)
    batch, square = torch.randn(4, 8), torch.randn(8, 8)
    target = torch.tensor([0, 3, 1, 7])
    linear = torch.nn.Linear(8, 8)
    mlp = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))
    sgd = torch.optim.SGD(mlp.parameters(), lr=0.01, momentum=0.9)
    adam = torch.optim.Adam(mlp.parameters(), lr=0.001)

    def evaluated(make):
        return lambda: make().data_ptr()

    def chain():
        z = x
        for _ in range(5):
            z = (z + y) * y
        return z

    def gradient():
        w.grad = None
        (w * x).sum().backward()

    def step(optimizer):
        def run():
            optimizer.zero_grad()
            F.cross_entropy(mlp(batch), target).backward()
            optimizer.step()

        return run

    def quiet():
        with torch.no_grad():
            pass

    return {
        "x.shape": lambda: x.shape,
        "x.view(2, 4)": lambda: x.view(2, 4),
        "x[0]": lambda: x[0],
        "square.t()": lambda: square.t(),
        "x.detach()": lambda: x.detach(),
        "with no_grad()": quiet,
        "torch.empty(8)": lambda: torch.empty(8),
        "torch.tensor([1.0, 2.0])": lambda: torch.tensor([1.0, 2.0]),
        "x.sum().item()": lambda: x.sum().item(),
        "x + y": evaluated(lambda: x + y),
        "x += y": lambda: x.__iadd__(y),
        "w + x, recorded": evaluated(lambda: w + x),
        "ten pointwise ops": evaluated(chain),
        "(w * x).sum().backward()": gradient,
        "batch @ square": evaluated(lambda: batch @ square),
        "batch.softmax(1)": evaluated(lambda: batch.softmax(1)),
        "F.cross_entropy": evaluated(lambda: F.cross_entropy(batch, target)),
        "Linear(8, 8)": evaluated(lambda: linear(batch)),
        "training step, SGD": step(sgd),
        "training step, Adam": step(adam),
    }


def child():
    for run in works().values():
        for _ in range(10):
            run()
        os.getppid()
        for _ in range(CALLS):
            run()
        os.getppid()


def own_instructions(profile):
    """The sum of the costs that callgrind puts down to the library itself."""
    names, own, total, follows_call = {}, False, 0, False
    for line in profile.splitlines():
        if found := re.match(r"ob=\((\d+)\)(?: (.*))?", line):
            number, path = found.groups()
            names.setdefault(number, path or "")
            own = bool(OWN.search(names[number]))
        elif found := re.match(r"cob=\((\d+)\) (.*)", line):
            names.setdefault(*found.groups())
        elif line.startswith("calls="):
            follows_call = True
        elif line and (line[0].isdigit() or line[0] in "+-*"):
            if own and not follows_call:
                total += int(line.split()[1])
            follows_call = False
    return total


def counted():
    names = list(works())
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={folder}/out"]
        run = subprocess.run(
            [*command, sys.executable, __file__, "--child"],
            env=dict(os.environ, GOTORCH_NUM_THREADS="1", PYTHONHASHSEED="0"),
            capture_output=True,
            text=True,
        )
        if run.returncode:
            sys.exit(f"valgrind ended with {run.returncode}:\n{run.stderr[-2000:]}")
        # Profile 2 k + 2 is written at the second mark of the k-th kind of call.
        return {
            name: round(own_instructions((pathlib.Path(folder) / f"out.{2 * k + 2}").read_text()) / CALLS)
            for k, name in enumerate(names)
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="record what the calls take now")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return
    now = counted()
    if options.write:
        RECORD.write_text(json.dumps(now, indent=1) + "\n")
    allowed = collections.defaultdict(int, json.loads(RECORD.read_text()))
    for name, count in now.items():
        print(f"{name:28} {count:7} ({count - allowed[name]:+})")
    if grown := [name for name, count in now.items() if count > GROWTH * allowed[name]]:
        sys.exit(f"More instructions than {RECORD.name} allows by {GROWTH - 1:.0%}: {', '.join(grown)}.")


if __name__ == "__main__":
    main()
