#!/usr/bin/env python3
"""GoTorch against PyTorch: time ratios, memory, size and start-up, measured in one run.

    bench/vs_torch.py                      everything, at 1 and 2 threads (about 15 minutes)
    bench/vs_torch.py --only GEMM --quick  the works whose name contains GEMM, fewer blocks

Blocks of the two libraries alternate in one process, and several processes are used because the layout of a
process's memory alone can change a row. A row shows the median of the ratios of neighbouring blocks and the
quartiles. Writes bench/vs_torch.json and, with --readme, the table in README.md.
"""

import argparse
import importlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = 0.02  # seconds a block lasts at least


def block(run, seconds):
    """Seconds per call, over calls that fill a block after a short warm-up of threads and caches."""
    run()
    start = time.perf_counter()
    calls = 0
    while True:
        run()
        calls += 1
        spent = time.perf_counter() - start
        if spent >= seconds:
            return spent / calls


def alternating(runs, blocks, seconds):
    """The two lists of seconds per call of the blocks of two runs, which take turns to be first."""
    times = ([], [])
    for i in range(blocks):
        order = (0, 1) if i % 2 == 0 else (1, 0)
        for which in order:
            times[which].append(block(runs[which], seconds))
    return times


def works_of(module):
    """The works that a module of this folder registers."""
    return importlib.import_module(module).WORKS


def measure(works, name, threads, blocks):
    """One process's measurement of one work: lists of seconds per call, by library."""
    import gotorch
    import torch

    torch.set_num_threads(threads)
    gotorch.set_num_threads(threads)
    prepare = next(w[3] for w in works_of(works) if w[0] == name)
    runs = []
    for module in (torch, gotorch):
        module.manual_seed(0)
        runs.append(prepare(module))
    for run in runs:
        run()
        run()
    return alternating(runs, blocks, BLOCK)


def child(arguments, threads):
    """Runs this script's --child in a new process and returns what it prints as JSON."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), GOTORCH_NUM_THREADS=str(threads))
    command = [sys.executable, str(HERE / "vs_torch.py"), "--child", json.dumps(arguments)]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def compare(works, name, threads, processes, blocks):
    ratios, theirs, ours = [], [], []
    for _ in range(processes):
        t, g = child({"what": "time", "works": works, "name": name, "threads": threads, "blocks": blocks}, threads)
        theirs += t
        ours += g
        ratios += [b / a for a, b in zip(t, g)]
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "torch": statistics.median(theirs),
        "gotorch": statistics.median(ours),
        "ratio": statistics.median(ratios),
        "low": quartiles[0],
        "high": quartiles[2],
    }


def peak_memory(library, name):
    """Peak resident bytes of a process that runs 30 training steps."""
    import resource

    module = importlib.import_module(library)
    run = next(w[3] for w in works_of("works") if w[0] == name)(module)
    for _ in range(30):
        run()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def import_time(library):
    code = f"import time; t = time.perf_counter(); import {library}; print(time.perf_counter() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
    return statistics.median(times)


def installed_size(library):
    """Bytes of the package's folder and of the shared libraries elsewhere, but for the system's, that it brings along."""
    code = f"""if True:
        import pathlib, re, sys
        libraries = lambda: set(re.findall(r"/\\S+[.]so\\S*", open("/proc/self/maps").read()))
        before = libraries()
        import {library}
        folder = pathlib.Path({library}.__file__).parent
        files = {{f.resolve() for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts}}
        files |= {{pathlib.Path(f).resolve() for f in libraries() - before if not f.startswith(("/lib", "/usr/lib", sys.base_prefix))}}
        print(sum(f.stat().st_size for f in files))"""
    return int(subprocess.check_output([sys.executable, "-c", code]).splitlines()[-1])


def contended(library, name, seconds=3.0):
    """How many times slower the work gets while another process keeps one core busy."""
    module = importlib.import_module(library)
    module.set_num_threads(2)
    run = next(w[3] for w in works_of("works") if w[0] == name)(module)
    block(run, 0.5)
    alone = block(run, seconds)
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return block(run, seconds) / alone
    finally:
        busy.kill()
        busy.wait()


CHILD = {
    "time": lambda a: measure(a["works"], a["name"], a["threads"], a["blocks"]),
    "memory": lambda a: peak_memory(a["library"], a["name"]),
    "contended": lambda a: contended(a["library"], a["name"]),
}


def run_all(arguments):
    processes, blocks = (2, 5) if arguments.quick else (3, 9)
    report = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "rows": [],
        "other": [],
    }
    for name, limit, group, _ in works_of(arguments.works):
        if arguments.only and arguments.only not in name:
            continue
        for threads in (1, 2):
            row = dict(name=name, limit=limit, group=group, threads=threads)
            row.update(compare(arguments.works, name, threads, processes, blocks))
            report["rows"].append(row)
            print(
                f"{name:60s} {threads} thr {row['ratio']:6.2f} ({row['low']:.2f}-{row['high']:.2f}) limit {limit}",
                flush=True,
            )
    if arguments.works == "works" and not arguments.only:
        report["other"] = other_measures(works_of("works"))
    return report


def other_measures(works):
    rows = []

    def add(name, theirs, ours, limit, unit):
        rows.append(dict(name=name, torch=theirs, gotorch=ours, limit=limit, unit=unit))
        print(f"{name:60s} torch {theirs:.4g} gotorch {ours:.4g} {unit}, limit {limit}", flush=True)

    for name, _, group, _ in works:
        if group == "step":
            pair = [child({"what": "memory", "library": lib, "name": name}, 2) for lib in ("torch", "gotorch")]
            add("peak memory, " + name, *(p / 2**20 for p in pair), "0.4 of PyTorch's", "MiB")
    step = next(w[0] for w in works if "784" in w[0])
    pair = [child({"what": "contended", "library": lib, "name": step}, 2) for lib in ("torch", "gotorch")]
    add("slow-down with one of two cores busy, " + step, *pair, "2.5", "times")
    add("import", import_time("torch"), import_time("gotorch"), "0.15", "s")
    add(
        "installed size",
        installed_size("torch") / 2**20,
        installed_size("gotorch") / 2**20,
        "25",
        "MiB",
    )
    return rows


def markdown(report):
    lines = ["| work | time ratio, 1 thread | 2 threads | goal |", "|---|---:|---:|---:|"]
    by_name = {}
    for row in report["rows"]:
        by_name.setdefault((row["name"], row["limit"]), []).append(row)
    for (name, limit), rows in by_name.items():
        cells = [f"{r['ratio']:.2f} ({r['low']:.2f}-{r['high']:.2f})" for r in rows]
        lines.append(f"| {name} | {' | '.join(cells)} | {limit} |")
    lines += ["", "| | PyTorch | GoTorch | goal |", "|---|---:|---:|---:|"]
    for r in report["other"]:
        lines.append(f"| {r['name']} | {r['torch']:.3g} {r['unit']} | {r['gotorch']:.3g} {r['unit']} | {r['limit']} |")
    return "\n".join(lines)


def write_readme(table):
    readme = HERE.parent / "README.md"
    text = readme.read_text()
    start, end = "<!-- bench -->", "<!-- /bench -->"
    before, rest = text.split(start)
    readme.write_text(before + start + "\n" + table + "\n" + end + rest.split(end)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="only works whose name contains this")
    parser.add_argument("--works", default="works", help="the module that lists the works: kernel_works for single ops")
    parser.add_argument("--quick", action="store_true", help="fewer processes and blocks")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        wanted = json.loads(arguments.child)
        print(json.dumps(CHILD[wanted["what"]](wanted)))
        return
    report = run_all(arguments)
    (HERE / "vs_torch.json").write_text(json.dumps(report, indent=1) + "\n")
    if arguments.readme:
        write_readme(markdown(report))


if __name__ == "__main__":
    main()
