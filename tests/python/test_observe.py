"""gotorch.runtime: dumps, counters, timelines; and the script for gdb."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import gotorch
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "python" / "tools" / "gdb_goroutines.py"
LIBRARY = pathlib.Path(gotorch.__file__).parents[2]  # the build folder


def events(path):
    return json.loads(pathlib.Path(path).read_text())["traceEvents"]


def test_a_timeline_has_ops_and_the_nodes_of_backward(tmp_path):
    path = tmp_path / "step.json"
    with gotorch.runtime.trace(path):
        x = gotorch.ones(8, 8, requires_grad=True)
        (x @ x).relu().sum().backward()
    slices = {e["name"]: e for e in events(path) if e["ph"] == "X"}
    assert {"ones", "matmul", "relu", "sum", "ReluBackward0", "AccumulateGrad"} <= set(slices)
    assert slices["matmul"]["ts"] < slices["relu"]["ts"] < slices["ReluBackward0"]["ts"]
    assert all(e["dur"] >= 0 for e in slices.values())
    assert any("main thread" in e["args"]["name"] for e in events(path) if e["ph"] == "M")
    assert not list(tmp_path.glob("*.part*"))


def test_a_timeline_is_written_if_the_block_fails(tmp_path):
    path = str(tmp_path / "t.json")
    with pytest.raises(KeyError), gotorch.runtime.trace(path):
        gotorch.zeros(2)
        raise KeyError
    assert any(e["name"] == "zeros" for e in events(path))
    with gotorch.runtime.trace(path):
        pass
    assert not any(e["name"] == "zeros" for e in events(path))


def test_timelines_with_bad_arguments(tmp_path):
    def trace(path, **options):
        with gotorch.runtime.trace(path, **options):
            pass

    with gotorch.runtime.trace(tmp_path / "outer"), pytest.raises(RuntimeError, match="on already"):
        trace(tmp_path / "inner")
    with pytest.raises(ValueError, match="events must be between 16"):
        trace(tmp_path / "t", events=1)
    with pytest.raises(FileNotFoundError):
        trace(tmp_path / "none" / "t")
    with pytest.raises(TypeError):
        trace(None)
    trace(tmp_path / "after")  # none of these left it on


def test_counters_count():
    before = gotorch.runtime.counters()
    gotorch.ones(1_000_000).sum().item()
    after = gotorch.runtime.counters()
    numbers = {"switches", "parks", "spawned", "ended", "wakes", "steals", "spins", "sleeps", "chunks", "hogs"}
    assert numbers | {"live", "stacks", "timers", "workers"} == set(after)
    assert all(set(worker) == numbers | {"hog"} for worker in after["workers"])
    assert all(after[name] >= before[name] for name in numbers)


def test_a_dump_is_text():
    assert "goroutines, " in gotorch.runtime.dump()
    assert "goroutines, " in gotorch.runtime.dump(most=0)
    with pytest.raises(TypeError):
        gotorch.runtime.dump("all")


def test_a_signal_dumps():
    code = """
        import os, signal, sys
        import gotorch
        gotorch.runtime.dump_on(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with child:
        assert "goroutines, " in child.stderr.readline()
        child.stdin.close()
    assert child.returncode == 0
    for bad in (signal.SIGKILL, 0, 1000):
        with pytest.raises(ValueError, match="dump_on"):
            gotorch.runtime.dump_on(bad)


def test_a_trace_in_a_forked_child(tmp_path):
    path = tmp_path / "child.json"
    gotorch.ones(1_000_000).sum().item()
    child = os.fork()
    if child == 0:
        try:
            with gotorch.runtime.trace(path):
                gotorch.ones(1_000_000).sum().item()
            gotorch.runtime.dump()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert any(e["name"] == "sum" for e in events(path))


PROGRAM = r"""
#include <csignal>
#include <thread>
#include "runtime/go.h"
using namespace gotorch::runtime;
int main() {
  chan<int> work(0);
  scope s;
  for (int i = 0; i < 3; i++) s.go([&] { work.receive(); });
  while (counters().total.parks < 3) std::this_thread::yield();
  raise(SIGTRAP);
  work.close();
  s.join();
}
"""


def test_gdb_shows_goroutines_of_a_process_and_of_a_core_file(tmp_path):
    if not shutil.which("gdb"):
        assert "CI" not in os.environ, "CI has to install gdb"
        pytest.skip("gdb is not installed")
    (tmp_path / "program.cpp").write_text(PROGRAM)
    flags = ["-std=c++20", f"-I{ROOT}", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}", "-lgotorch"]
    compiler = os.environ.get("CXX", "c++").split()
    subprocess.run([*compiler, "program.cpp", "-o", "program", *flags], cwd=tmp_path, check=True)
    look = [f"source {SCRIPT}", "info goroutines", "goroutine all bt"]

    def gdb(*commands):
        steps = [part for command in commands for part in ("-ex", command)]
        return subprocess.run(
            ["gdb", "--batch", "-nx", *steps, "./program"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        ).stdout

    live = gdb("run", *look, "goroutine 1000000 bt", "goroutine", "generate-core-file core")
    assert live.count("[channel receive, ") == 6, live
    assert live.count("gotorch::runtime::ChanCore::receive") == 3, live
    assert live.count("started at program.cpp:9") == 6, live
    # gdb's own core files leave out mappings with pages that it cannot read, as the guards of stacks: the list is there.
    core = gdb("core-file core", "source " + str(SCRIPT), "info goroutines")
    assert core.count("[channel receive, ") == 3, core
    assert core.count("started at program.cpp:9") == 3, core
    assert "there is no goroutine 1000000" in live
    assert "usage: goroutine NUMBER|all COMMAND" in live
