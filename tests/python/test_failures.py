"""What fails outside: memory, disks, signals, datasets. The error says what, nothing is lost, and work goes on."""

import os
import subprocess
import sys
import textwrap

import gotorch
import pytest


def run(code, timeout=120):
    """The lines that a Python process prints, which must end well."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    "call, size",
    [
        (lambda x: gotorch.empty(2**45, dtype=gotorch.uint8), 2**45),
        (lambda x: gotorch.zeros(2**20, 2**20), 2**42),
        (lambda x: x.repeat(2**40), 2**42),
        (lambda x: x.expand(2**40).clone(), 2**42),
        (lambda x: (x.expand(2**40) * 2), 2**42),
        (lambda x: gotorch.arange(2**40), 2**43),
        (lambda x: gotorch.cat([x.expand(2**40), x]), 4 * (2**40 + 1)),
        (lambda x: gotorch.eye(2**20), 2**42),
        (lambda x: gotorch.outer(x.expand(2**20), x.expand(2**20)), 2**42),
        (lambda x: gotorch.nn.functional.one_hot(gotorch.tensor([0]), 2**40), 2**43),
        (lambda x: gotorch.nn.Linear(2**20, 2**20), 2**42),
    ],
    ids=range(11),
)
def test_memory_that_is_not_there_is_named(call, size):
    x = gotorch.ones(1)
    before = gotorch.cpu.memory_allocated()
    with pytest.raises(gotorch.OutOfMemoryError, match=f"cannot allocate {size} bytes") as error:
        call(x)
    assert issubclass(gotorch.OutOfMemoryError, MemoryError)
    assert issubclass(gotorch.OutOfMemoryError, RuntimeError)
    del error
    assert gotorch.cpu.memory_allocated() <= before + 4096
    assert (gotorch.ones(5000) + 1).sum().item() == 10000


def test_training_goes_on_after_memory_ran_out():
    """Under a limit: a step that does not fit changes no weight, and the next one works."""
    lines = run("""
        import resource, gotorch
        net = gotorch.nn.Sequential(gotorch.nn.Linear(64, 256), gotorch.nn.ReLU(), gotorch.nn.Linear(256, 1))
        sgd = gotorch.optim.SGD(net.parameters(), lr=0.1)
        net(gotorch.ones(8, 64)).sum().backward()
        sgd.step()
        with open("/proc/self/statm") as f:
            mapped = int(f.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**28,) * 2)
        before = [p.clone() for p in net.parameters()]
        versions = [p._version for p in net.parameters()]
        sgd.zero_grad()
        for _ in range(3):
            try:
                net(gotorch.ones(2**21, 64)).sum().backward()
            except gotorch.OutOfMemoryError as e:
                print("bytes" in str(e))
        print(all(a.equal(b) for a, b in zip(before, net.parameters())))
        print(versions == [p._version for p in net.parameters()])
        sgd.zero_grad()
        net(gotorch.ones(8, 64)).sum().backward()
        sgd.step()
        print(any(not a.equal(b) for a, b in zip(before, net.parameters())))
    """)
    assert lines == ["True"] * 6


def test_a_full_disk_leaves_the_old_safetensors(tmp_path):
    lines = run(f"""
        import errno, os, resource, gotorch
        from gotorch import safetensors
        os.chdir({str(tmp_path)!r})
        safetensors.save_file({{"w": gotorch.ones(3)}}, "a.safetensors")
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        try:
            safetensors.save_file({{"w": gotorch.ones(100000)}}, "a.safetensors")
        except OSError as e:
            print(e.errno == errno.EFBIG, "a.safetensors" in str(e))
        print(os.listdir(), safetensors.load_file("a.safetensors")["w"].tolist())
    """)
    assert lines == ["True True", "['a.safetensors'] [1.0, 1.0, 1.0]"]


def test_a_disk_without_room_says_so():
    """/dev/full refuses every write, as a full disk does; a device is written to and not replaced by a file."""
    with pytest.raises(OSError, match="No space left"):
        gotorch.save(gotorch.ones(100000), "/dev/full")
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        gotorch.save(gotorch.ones(100000), file)
    gotorch.save(gotorch.ones(3), "/dev/null")
    for name in ("/dev/full", "/dev/null"):
        assert not os.path.isfile(name)


INTERRUPTED = """
    import os, signal, threading, time, gotorch
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits "ignore"
    x = gotorch.ones(64, 64)

    def soon():
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    def forever():
        end = time.monotonic() + 60
        while time.monotonic() < end:
            gotorch.mm(x, x)
        print("nothing came")
"""


def test_a_second_interrupt_while_the_first_is_handled():
    lines = run(
        textwrap.dedent(INTERRUPTED)
        + textwrap.dedent("""
        soon()
        try:
            forever()
        except KeyboardInterrupt:
            print("first")
            soon()
            try:
                forever()
            except KeyboardInterrupt:
                print("second")
        y = gotorch.ones(300, 300, requires_grad=True)
        (y @ y).sum().backward()
        print(y.grad[0, 0].item())
        """)
    )
    assert lines == ["first", "second", "600.0"]


def test_an_interrupt_inside_one_operation():
    """The loop of a kernel ends early; what was written to stays a tensor, and counts as changed."""
    lines = run(
        textwrap.dedent(INTERRUPTED)
        + textwrap.dedent("""
        big = gotorch.ones(3000, 3000)
        version = big._version
        for _ in range(2):
            soon()
            try:
                end = time.monotonic() + 60
                while time.monotonic() < end:
                    big.pow_(1.5)
            except KeyboardInterrupt:
                print("stopped")
        print(big._version > version, (gotorch.ones(5000) + 1).sum().item())
        """)
    )
    assert lines == ["stopped", "stopped", "True 10000.0"]


def test_a_handler_may_compute():
    """A signal's handler runs in the middle of a kernel, on the same thread, and may call the library."""
    lines = run("""
        import os, signal, threading, gotorch
        gotorch.manual_seed(0)
        a = gotorch.randn(2500, 2500)
        small = gotorch.randn(150, 150)
        wanted, inner = (a @ a), (small @ small)
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append((small @ small).equal(inner)))
        signal.setitimer(signal.ITIMER_REAL, 0.03, 0.03)  # a kernel that takes long looks for signals every 50 ms
        same = True
        while len(seen) < 20:
            same = same and (a @ a).equal(wanted)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(same, all(seen))
    """)
    assert lines == ["True True"]


class Broken(gotorch.utils.data.Dataset):
    """Raises in its fifth item."""

    def __len__(self):
        return 8

    def __getitem__(self, i):
        if i == 5:
            self.divide(i)
        return gotorch.ones(2) * i

    def divide(self, i):
        return i / 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_that_raises_keeps_its_class_and_traceback(workers):
    loader = gotorch.utils.data.DataLoader(Broken(), batch_size=2, num_workers=workers)
    seen = []
    with pytest.raises(ZeroDivisionError) as error:
        for batch in loader:
            seen.append(batch[0, 0].item())
    assert seen == [0, 2]
    shown = str(error.value) if workers else "".join(str(entry) for entry in error.traceback)
    assert "divide" in shown
    assert "division by zero" in str(error.value)
    assert next(iter(loader))[1].tolist() == [1, 1]
