"""Goroutines when the process is interrupted, forks or ends: nothing hangs, crashes or is lost without a word."""

import os
import subprocess
import sys
import textwrap

import pytest

# What a shell starts in the background may have been told to ignore it.
PREAMBLE = """
import gotorch, os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def run(code, expect=0):
    """What a Python process prints that runs the code; (stdout, stderr)."""
    result = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == expect, (result.returncode, result.stdout, result.stderr)
    return result.stdout.split(), result.stderr


WAITS = """
    c = gotorch.chan()
    wg = gotorch.wait_group()
    wg.add()
    def in_scope():
        with gotorch.scope() as s:
            s.go(c.recv)
    waits = [c.recv, lambda: c.send(1), lambda: gotorch.select(gotorch.recv(c), gotorch.send(c, 1)), gotorch.select,
        lambda: gotorch.sleep(1000), wg.wait, gotorch.go(gotorch.chan().recv).result, gotorch.chan.nil().recv, in_scope]
"""


def test_ctrl_c_ends_every_wait():
    code = """
        for wait in waits:
            timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                wait()
            except KeyboardInterrupt:
                print("interrupted")
            timer.join()
        print(c.try_recv()[1], c.try_send(1))
    """
    assert run(textwrap.dedent(WAITS) + textwrap.dedent(code))[0] == ["interrupted"] * 9 + ["False", "False"]


def test_ctrl_c_in_a_scope_cancels_and_joins():
    assert run("""
        ended = []
        def work():
            try:
                gotorch.sleep(1000)
            finally:
                ended.append(1)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            with gotorch.scope() as s:
                for _ in range(3):
                    s.go(work)
        except KeyboardInterrupt:
            print(len(ended))
    """)[0] == ["3"]


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "os._exit(3)", "raise SystemExit(3)"])
def test_the_process_ends_with_goroutines_alive(end):
    """Some wait, some compute without the GIL, some run Python, some come back from a wait while the interpreter ends."""
    code = """
        import atexit
        def compute():
            while True:
                gotorch.ones(300, 300) @ gotorch.ones(300, 300)
        def count():
            while True:
                pass
        def nap():
            while True:
                gotorch.sleep(0.0005)
        handles = [gotorch.go(wait) for wait in waits if wait is not gotorch.select] + [gotorch.go(gotorch.select)]
        handles += [gotorch.go(f) for f in (compute, count, nap, nap)]
        t = gotorch.ticker(0.001)
        handles += [gotorch.go(list, t.c)]
        time.sleep(0.05)
        print("ends", flush=True)
    """
    assert run(textwrap.dedent(WAITS) + textwrap.dedent(code) + end, 3 if end else 0)[0] == ["ends"]


def test_an_exception_is_reported_at_the_end_at_last():
    out, err = run("""
        def fails():
            raise KeyError("lost")
        kept = gotorch.go(fails)
        while not kept.done():
            time.sleep(0.001)
    """)
    assert ("KeyError: 'lost'" in err and "started at <string>" in err) or sys.version_info < (3, 11)


def test_channels_in_exit_functions_and_finalizers():
    assert (
        run("""
        import atexit
        class Last:
            def __init__(self):
                self.c = gotorch.chan(1)
            def __del__(self):
                self.c.send(1)
                os.write(1, b"finalized ")
        last = Last()
        last.itself = last
        c = gotorch.chan()
        def at_exit():
            h = gotorch.go(lambda: c.send("late"))
            print(c.recv(timeout=20), flush=True)
            h.result(20)
        atexit.register(at_exit)
    """)[0][0]
        == "late"
    )


def test_fork_with_goroutines_alive():
    assert run("""
        c = gotorch.chan(1)
        h = gotorch.go(c.send, 1)
        h.result()
        waiting = gotorch.go(gotorch.chan().recv)
        wg = gotorch.wait_group()
        wg.add()
        pid = os.fork()
        if pid == 0:
            refused = 0
            for use in (c.recv, lambda: c.send(2), c.try_recv, c.close, waiting.result, waiting.done, wg.wait,
                        lambda: gotorch.select(gotorch.recv(c))):
                try:
                    use()
                except gotorch.ChanError as e:
                    refused += "fork" in str(e)
            new = gotorch.chan()
            gotorch.go(lambda: [new.send(i) for i in range(3)] and new.close())
            ok = list(new) == [0, 1, 2] and gotorch.go(lambda: 7).result(20) == 7
            try:
                with gotorch.scope(timeout=0.01) as s:
                    s.go(gotorch.sleep, 100)
            except gotorch.DeadlineExceeded:
                refused += 1
            os._exit(refused if ok else 100)
        print(os.waitpid(pid, 0)[1] >> 8, c.recv(), waiting.done())
        print(gotorch.go(lambda: 8).result())
    """)[0] == ["9", "1", "False", "8"]


def test_fork_in_a_goroutine():
    assert run("""
        def fork():
            pid = os.fork()
            if pid == 0:
                c = gotorch.chan()
                gotorch.go(c.send, 5)
                os._exit(c.recv(20))
            return os.waitpid(pid, 0)[1] >> 8
        print(gotorch.go(fork).result())
    """)[0] == ["5"]


def test_signals_still_reach_python_while_the_main_thread_waits():
    assert run("""
        signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        gotorch.sleep(0.3)
        print("slept")
    """)[0] == ["handled", "slept"]
