#!/usr/bin/env python3
"""GoTorch against PyTorch: time ratios, memory, size and start-up, measured in one run.

    bench/vs_torch.py                      everything, at 1 and 2 threads (about 15 minutes)
    bench/vs_torch.py --only GEMM --quick  the works whose name contains GEMM, fewer blocks
    bench/vs_torch.py --compiled           training steps against PyTorch's with torch.compile
    bench/vs_torch.py --works kernel_works single ops; matmul_works: products and convolutions

Blocks of the two libraries alternate in one process, and several processes are used because the layout of a
process's memory alone can change a row. A row shows the median of the ratios of neighbouring blocks and the
quartiles. What was measured takes its place in bench/works.json and, with --write, in the tables of README.md; single ops in
files of their own and in docs/vs_torch.md.
"""

import argparse
import importlib
import json
import os
import pathlib
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


def measure(works, names, threads, blocks, compiled):
    """One process's measurement of some works: lists of seconds per call, by library, for each."""
    import gotorch
    import torch

    torch.set_num_threads(threads)
    torch.bench_compiled = compiled
    gotorch.set_num_threads(threads)
    prepares = {w[0]: w[3] for w in works_of(works)}
    times = []
    for name in names:
        runs = []
        for module in (torch, gotorch):
            module.manual_seed(0)
            runs.append(prepares[name](module))
        for run in runs:
            run()
            run()
        times.append(alternating(runs, blocks, BLOCK))
    return times


def child(arguments, threads):
    """Runs this script's --child in a new process and returns what it prints as JSON."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), GOTORCH_NUM_THREADS=str(threads))
    command = [sys.executable, str(HERE / "vs_torch.py"), "--child", json.dumps(arguments)]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def summary(pairs):
    """What a row tells of the lists of seconds of each process."""
    theirs = [s for t, _ in pairs for s in t]
    ours = [s for _, g in pairs for s in g]
    ratios = [b / a for a, b in zip(theirs, ours)]
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
    "time": lambda a: measure(a["works"], a["names"], a["threads"], a["blocks"], a["compiled"]),
    "memory": lambda a: peak_memory(a["library"], a["name"]),
    "contended": lambda a: contended(a["library"], a["name"]),
}


def run_all(arguments):
    """The report of what was asked for."""
    processes, blocks = (2, 5) if arguments.quick else (3, 9)
    compiled = arguments.compiled
    report = {"rows": [], "other": []}
    works = [
        w for w in works_of(arguments.works) if (arguments.only or "") in w[0] and (w[2] == "step" or not compiled)
    ]
    # Networks have processes of their own; single ops share them, since importing PyTorch takes longer than most.
    together = 1 if arguments.works == "works" else 50
    for batch in (works[i : i + together] for i in range(0, len(works), together)):
        wanted = dict(what="time", works=arguments.works, names=[w[0] for w in batch], blocks=blocks, compiled=compiled)
        for threads in (1, 2):
            times = [child(dict(wanted, threads=threads), threads) for _ in range(processes)]
            for (name, limit, group, _), *pairs in zip(batch, *times):
                row = dict(name=name, limit=limit, group=group, threads=threads, compiled=compiled, **summary(pairs))
                report["rows"].append(row)
                spread = f"{row['ratio']:6.2f} ({row['low']:.2f}-{row['high']:.2f})"
                print(f"{name:60s} {threads} thr {spread} limit {limit}", flush=True)
    if arguments.works == "works" and not arguments.only and not arguments.compiled:
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
            pair = [child({"what": "contended", "library": lib, "name": name}, 2) for lib in ("torch", "gotorch")]
            add("slow-down with one of two cores busy, " + name, *pair, "2.5", "times")
    add("import", import_time("torch"), import_time("gotorch"), "0.15", "s")
    add(
        "installed size",
        installed_size("torch") / 2**20,
        installed_size("gotorch") / 2**20,
        "25",
        "MiB",
    )
    return rows


def file_of(works):
    return HERE / f"{works}.json"


def kept(works):
    """What was measured before."""
    file = file_of(works)
    return json.loads(file.read_text()) if file.exists() else {"rows": [], "other": []}


def merged(old, new, works):
    """`old` with the rows of `new` in their place, in the order of the works; what is no longer a work is left out."""
    places = {w[0]: i for i, w in enumerate(works)}

    def together(kind, key):
        rows = {key(r): r for r in [*old[kind], *new[kind]]}
        return list(rows.values())

    rows = together("rows", lambda r: (r["name"], r["threads"], r.get("compiled", False)))
    rows = [r for r in rows if r["name"] in places]
    rows.sort(key=lambda r: (places[r["name"]], r["threads"]))
    other = together("other", lambda r: r["name"])
    measures = list(dict.fromkeys(r["name"].split(", ")[0] for r in other))
    other.sort(key=lambda r: (measures.index(r["name"].split(", ")[0]), places.get(r["name"].partition(", ")[2], 0)))
    return {"rows": rows, "other": other}


def ratios(rows, title):
    lines = [f"| {title} | time ratio, 1 thread | 2 threads | goal |", "|---|---:|---:|---:|"]
    by_name = {}
    for row in rows:
        by_name.setdefault((row["name"], row["limit"]), []).append(row)
    for (name, limit), pair in by_name.items():
        cells = [f"{r['ratio']:.2f} ({r['low']:.2f}-{r['high']:.2f})" for r in pair]
        lines.append(f"| {name} | {' | '.join(cells)} | {limit} |")
    return [*lines, ""]


def second_threads(rows):
    """The rows with one thread and with two of the steps that take more than 5 ms."""
    steps = [r for r in rows if r["group"] == "step" and not r.get("compiled")]
    by_name = {r["name"]: r for r in steps if r["threads"] == 2}
    return [
        (r, by_name[r["name"]]) for r in steps if r["threads"] == 1 and r["gotorch"] > 5e-3 and r["name"] in by_name
    ]


def markdown(report):
    lines = ratios([r for r in report["rows"] if not r.get("compiled")], "work")
    lines += ratios([dict(r, limit="1.0") for r in report["rows"] if r.get("compiled")], "against `torch.compile`")
    lines += ["| | PyTorch | GoTorch | goal |", "|---|---:|---:|---:|"]
    for one, two in second_threads(report["rows"]):
        cells = [f"{one[library] / two[library]:.2f} times" for library in ("torch", "gotorch")]
        lines.append(f"| faster with a second thread, {one['name']} | {' | '.join(cells)} | 1.8 |")
    for r in report["other"]:
        lines.append(f"| {r['name']} | {r['torch']:.3g} {r['unit']} | {r['gotorch']:.3g} {r['unit']} | {r['limit']} |")
    return "\n".join(lines)


def write_page(reports):
    """docs/vs_torch.md: single ops."""
    lines = [
        "# Single ops against PyTorch",
        "",
        "Time ratios, GoTorch to PyTorch 2.13.0, in the median and quartiles; below 1 GoTorch is faster. Made by",
        "`bench/vs_torch.py --works kernel_works --write` and `bench/vs_torch.py --works matmul_works --write`.",
        "",
    ]
    for report in reports:
        lines += ratios(report["rows"], "op")
    (HERE.parent / "docs" / "vs_torch.md").write_text("\n".join(lines))


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
    parser.add_argument("--compiled", action="store_true", help="training steps only, PyTorch's with torch.compile")
    parser.add_argument("--quick", action="store_true", help="fewer processes and blocks")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md or docs/vs_torch.md")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        wanted = json.loads(arguments.child)
        print(json.dumps(CHILD[wanted["what"]](wanted)))
        return
    report = merged(kept(arguments.works), run_all(arguments), works_of(arguments.works))
    file_of(arguments.works).write_text(json.dumps(report, indent=1) + "\n")
    if arguments.write and arguments.works == "works":
        write_readme(markdown(report))
    elif arguments.write:
        write_page([kept(works) for works in ("kernel_works", "matmul_works")])


if __name__ == "__main__":
    main()
