"""Datasets, samplers and the loader: PyTorch's order, numbers and errors; workers that end."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import OrderedDict, namedtuple

import gotorch
import pytest
from gotorch.utils import data as D

WORKERS = pytest.mark.parametrize("workers", [0, 1, 2, 3])


class Squares(D.Dataset):
    def __init__(self, n, fails_at=None, error=ValueError):
        self.n, self.fails_at, self.error = n, fails_at, error

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i == self.fails_at:
            raise self.error(f"item {i} is bad")
        return gotorch.tensor([float(i), 1.0]), i * i


def worker_threads():
    return [t for t in threading.enumerate() if t.name.startswith("DataLoader worker")]


def lists(loader):
    return [batch.tolist() for batch in loader]


@WORKERS
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 40])
def test_batches_come_in_order(workers, n):
    loader = D.DataLoader(Squares(n), batch_size=8, num_workers=workers)
    assert len(loader) == -(-n // 8)
    for _ in range(2):
        seen = []
        for x, y in loader:
            assert x.dtype == gotorch.float32 and y.dtype == gotorch.int64
            assert (x[:, 0] * x[:, 0]).tolist() == y.tolist()
            seen += x[:, 0].tolist()
        assert seen == list(range(n))
    assert not worker_threads()


@WORKERS
def test_order_of_a_shuffle_is_pytorchs(workers):
    torch = pytest.importorskip("torch")
    orders = []
    for t in (torch, gotorch):
        t.manual_seed(11)
        count = workers if t is gotorch else 0
        loader = t.utils.data.DataLoader(range(23), batch_size=5, shuffle=True, drop_last=True, num_workers=count)
        drawn = t.utils.data.RandomSampler(range(9), replacement=True, num_samples=70)
        orders.append([lists(loader), lists(loader), list(drawn), t.rand(2).tolist()])
        g = t.Generator().manual_seed(4)
        loader = t.utils.data.DataLoader(range(9), shuffle=True, num_workers=count, generator=g)
        split = t.utils.data.random_split(range(10), [0.5, 0.25, 0.25], generator=g)
        orders[-1] += [lists(loader), [s.indices for s in split]]
    assert orders[0] == orders[1]


def test_distributed_sampler_is_pytorchs():
    torch = pytest.importorskip("torch")
    for n in (1, 5, 8):
        for rank in range(3):
            for options in ({}, {"shuffle": False}, {"drop_last": True}, {"seed": 3}):
                samplers = [
                    t.utils.data.DistributedSampler(range(n), num_replicas=3, rank=rank, **options)
                    for t in (torch, gotorch)
                ]
                for s in samplers:
                    s.set_epoch(2)
                assert list(samplers[0]) == list(samplers[1]) and len(samplers[0]) == len(samplers[1])


class RandomItems(D.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return gotorch.rand(())


def test_workers_draw_pytorchs_numbers():
    # What PyTorch's two processes give after torch.manual_seed(5).
    expected = [
        [[0.7106006741523743, 0.34830594062805176], [0.2905186414718628, 0.5857152342796326],
         [0.6387555003166199, 0.6557484865188599]],
        [[0.6911141872406006, 0.20909607410430908], [0.9961695671081543, 0.965949535369873],
         [0.34907615184783936, 0.4598497748374939]],
    ]  # fmt: skip
    gotorch.manual_seed(5)
    for epoch in expected:
        assert lists(D.DataLoader(RandomItems(), batch_size=2, num_workers=2)) == epoch


def test_workers_leave_the_default_generator_alone():
    gotorch.manual_seed(1)
    list(D.DataLoader(RandomItems(), num_workers=0))
    gotorch.manual_seed(1)
    gotorch.empty((), dtype=gotorch.int64).random_()  # what a loader draws
    after = gotorch.get_rng_state()
    gotorch.manual_seed(1)
    list(D.DataLoader(RandomItems(), num_workers=2, worker_init_fn=lambda i: gotorch.manual_seed(i)))
    assert gotorch.get_rng_state().tolist() == after.tolist()


class Numbers(D.IterableDataset):
    """As long as the worker's number plus three."""

    def __iter__(self):
        info = D.get_worker_info()
        return iter(range(5)) if info is None else iter(range(info.id * 10, info.id * 10 + 3 + info.id))


def test_iterable_datasets_are_read_by_each_worker():
    loader = D.DataLoader
    assert lists(loader(Numbers(), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert lists(loader(Numbers(), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert lists(loader(Numbers(), batch_size=2, num_workers=2)) == [[0, 1], [10, 11], [2], [12, 13]]
    assert lists(loader(Numbers(), batch_size=2, num_workers=2, drop_last=True)) == [[0, 1], [10, 11], [12, 13]]
    assert list(loader(Numbers(), batch_size=None, num_workers=2)) == [0, 10, 1, 11, 2, 12, 13]
    persistent = loader(Numbers(), batch_size=None, num_workers=2, persistent_workers=True)
    for _ in range(3):
        assert list(persistent) == [0, 10, 1, 11, 2, 12, 13]


def test_an_endless_iterable_is_left_cleanly():
    class Endless(D.IterableDataset):
        def __iter__(self):
            i = 0
            while True:
                yield i
                i += 1

    for _, batch in zip(range(5), D.DataLoader(Endless(), batch_size=3, num_workers=2)):
        assert len(batch) == 3
    del batch
    assert not worker_threads()


def test_a_worker_has_its_own_copy_of_the_dataset():
    class Range(D.IterableDataset):
        def __init__(self):
            self.start, self.end = 0, 12

        def __iter__(self):
            return iter(range(self.start, self.end))

    def divide(worker):
        info = D.get_worker_info()
        assert info.id == worker and info.num_workers == 3
        per_worker = (info.dataset.end - info.dataset.start) // info.num_workers
        info.dataset.start += worker * per_worker
        info.dataset.end = info.dataset.start + per_worker

    whole = Range()
    loader = D.DataLoader(whole, batch_size=None, num_workers=3, worker_init_fn=divide)
    assert list(loader) == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert (whole.start, whole.end) == (0, 12)
    assert D.get_worker_info() is None


def test_worker_errors_have_their_class_and_traceback():
    loader = D.DataLoader(Squares(8, fails_at=5), batch_size=2, num_workers=2)
    batches = iter(loader)
    next(batches), next(batches)
    with pytest.raises(ValueError) as caught:
        next(batches)
    text = str(caught.value)
    assert text.startswith("Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent")
    assert text.endswith("ValueError: item 5 is bad\n") and "in __getitem__" in text
    assert next(batches)[1].tolist() == [36, 49]
    with pytest.raises(StopIteration):
        next(batches)


class TwoArguments(Exception):
    def __init__(self, text, number):
        super().__init__(text, number)


def two_arguments(text):
    return TwoArguments(text, 2)


def test_worker_errors_of_any_class_arrive():
    def caught(error):
        try:
            list(D.DataLoader(Squares(3, 1, error), num_workers=1))
        except Exception as e:
            return type(e), str(e)  # its traceback keeps the loader and its workers

    kind, text = caught(two_arguments)
    assert kind is RuntimeError and "Caught TwoArguments in" in text
    kind, text = caught(KeyError)
    assert kind is KeyError and "\nKeyError: 'item 1 is bad'" in text
    assert caught(StopIteration)[0] is RuntimeError
    kind, text = caught(SystemExit)
    assert kind is RuntimeError and "exited unexpectedly" in text
    assert not worker_threads()
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(D.DataLoader(Squares(3, 1, StopIteration)))
    with pytest.raises(ValueError, match="(?s)Caught ValueError in DataLoader worker process 0.*no init"):
        list(
            D.DataLoader(
                Squares(3), num_workers=1, worker_init_fn=lambda i: (_ for _ in ()).throw(ValueError("no init"))
            )
        )


def test_leaving_early_leaves_no_thread():
    for _ in range(20):
        for _ in D.DataLoader(Squares(1000), num_workers=2):
            break
        assert not worker_threads()
        batches = iter(D.DataLoader(Squares(1000), num_workers=3, prefetch_factor=5))
        next(batches)
        del batches
        assert not worker_threads()


def test_persistent_workers_stay_and_start_epochs_anew():
    seeds = set()

    class Named(D.Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, i):
            seeds.add((threading.get_ident(), D.get_worker_info().seed))
            return i

    loader = D.DataLoader(Named(), batch_size=2, num_workers=2, persistent_workers=True)
    next(iter(loader))
    for _ in range(3):
        assert lists(loader) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert len(seeds) == 2 and len(worker_threads()) == 2
    del loader
    assert not worker_threads()


def test_without_order_every_batch_comes_once():
    class Uneven(Squares):
        def __getitem__(self, i):
            time.sleep(0.002 * (i % 3))
            return i

    batches = lists(D.DataLoader(Uneven(20), batch_size=2, num_workers=3, in_order=False))
    assert sorted(batches) == [[i, i + 1] for i in range(0, 20, 2)]


def test_timeout_is_an_error():
    release = threading.Event()

    class Stuck(Squares):
        def __getitem__(self, i):
            release.wait(30)

    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.05 seconds"):
        next(iter(D.DataLoader(Stuck(3), num_workers=1, timeout=0.05)))
    release.set()


def run_script(text, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)], capture_output=True, text=True, timeout=60, **options
    )


def test_interrupt_ends_a_wait_for_a_worker():
    result = run_script("""
        import os, signal, threading, time
        from gotorch.utils.data import DataLoader
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits "ignore"
        class Slow:
            def __len__(self): return 3
            def __getitem__(self, i):
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
                time.sleep(50)
        try:
            next(iter(DataLoader(Slow(), num_workers=1)))
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert (result.stdout, result.returncode) == ("interrupted\n", 0), result.stderr


def test_a_program_may_end_with_live_loaders():
    result = run_script("""
        import gotorch
        from gotorch.utils.data import DataLoader
        a = DataLoader(range(100), num_workers=2, persistent_workers=True)
        b = iter(DataLoader(range(100), num_workers=2))
        print(next(iter(a)).item(), next(b).item())
    """)
    assert (result.stdout, result.stderr, result.returncode) == ("0 0\n", "", 0)
    assert result.returncode != -signal.SIGABRT


Point = namedtuple("Point", "x y")


def test_collate_forms():
    c = D.default_collate
    assert c([1, 2]).dtype == gotorch.int64 and c([1.5, 2.0]).dtype == gotorch.float64
    assert c([True, False]).dtype == gotorch.bool and c(["a", "b"]) == ["a", "b"]
    both = c([{"a": 1, "b": (1.0, "x")}, {"a": 2, "b": (2.0, "y")}])
    assert both["a"].tolist() == [1, 2] and both["b"][0].tolist() == [1.0, 2.0] and both["b"][1] == ["x", "y"]
    assert type(c([OrderedDict(a=1)])) is OrderedDict
    point = c([Point(1, 2), Point(3, 4)])
    assert type(point) is Point and point.y.tolist() == [2, 4]
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        c([(1,), (1, 2)])
    with pytest.raises(TypeError, match="found <class 'NoneType'>"):
        c([None])
    with pytest.raises(RuntimeError, match=r"got \[2\] at entry 0 and \[3\] at entry 1"):
        c([gotorch.ones(2), gotorch.ones(3)])


@pytest.mark.parametrize("shape", [(), (0,), (1,), (17,), (3, 5), (300, 300)])
def test_collated_tensors_are_stacked(shape):
    items = [gotorch.randn(shape) for _ in range(4)]
    x = gotorch.stack(items)
    assert D.default_collate(items).tolist() == (x).tolist()
    turned = [t.permute(*reversed(range(t.dim()))) if shape else t for t in items]
    assert D.default_collate(turned).tolist() == (gotorch.stack(turned)).tolist()
    pending = [t + 1 for t in items]
    assert D.default_collate(pending).tolist() == (x + 1).tolist()


def test_collate_keeps_gradients_and_promotes():
    a = gotorch.ones(2, requires_grad=True)
    batch = D.default_collate([a, a * 2])
    batch.sum().backward()
    assert a.grad.tolist() == [3.0, 3.0]
    assert D.default_collate([gotorch.ones(2), gotorch.ones(2, dtype=gotorch.float64)]).dtype == gotorch.float64


@WORKERS
def test_rows_of_tensors_come_at_once_and_the_same(workers):
    x, y = gotorch.randn(20, 3), gotorch.arange(20)
    whole = D.TensorDataset(x, y)
    some = D.Subset(D.Subset(whole, [5, 1, -2, 7, 5]), [4, 2, 1, 3])
    for dataset, rows in ((whole, list(range(20))), (some, [5, 18, 1, 7])):
        batches = list(D.DataLoader(dataset, batch_size=3, num_workers=workers))
        assert gotorch.cat([b[0] for b in batches]).tolist() == x[rows].tolist()
        assert gotorch.cat([b[1] for b in batches]).tolist() == rows
        plain = D.DataLoader(dataset, batch_size=3, num_workers=workers, collate_fn=lambda items: items)
        assert [float(item[1]) for batch in plain for item in batch] == rows
    with pytest.raises(IndexError):
        list(D.DataLoader(D.Subset(whole, [20]), num_workers=workers))


def test_other_datasets_and_samplers():
    assert D.StackDataset(range(3), range(3, 6))[1] == (1, 4)
    assert D.StackDataset(a=range(3), b="xyz")[2] == {"a": 2, "b": "z"}
    assert [D.ConcatDataset([range(2), range(5, 8)])[i] for i in (0, 1, 2, 4, -1)] == [0, 1, 5, 7, 7]
    assert sorted(Numbers() + Numbers()) == sorted([*range(5)] * 2)
    assert lists(D.DataLoader(range(6), batch_sampler=[[4, 1], [0]])) == [[4, 1], [0]]
    assert list(D.DataLoader([3, 4], batch_size=None, sampler=[1, 0])) == [4, 3]
    many = D.DataLoader(
        type("Many", (), {"__len__": lambda s: 4, "__getitems__": lambda s, i: [10 + k for k in i]})(), 2
    )
    assert lists(many) == [[10, 11], [12, 13]]
    assert sorted(D.SubsetRandomSampler([5, 3])) == [3, 5]


@pytest.mark.parametrize(
    "options, text",
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
        ({"num_workers": 1, "prefetch_factor": -1}, "prefetch_factor option should be non-negative"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"batch_size": None, "drop_last": True}, "disables auto-batching"),
        ({"sampler": [1], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"batch_size": 2.5}, "batch_size should be a positive integer value"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context can only be used with"),
        ({"dataset": Numbers(), "shuffle": True}, "expected unspecified shuffle option, but got shuffle=True"),
    ],
)
def test_options_that_make_no_sense(options, text):
    with pytest.raises(ValueError, match=text):
        D.DataLoader(**{"dataset": range(4), **options})


def test_settings_are_fixed():
    loader = D.DataLoader(range(4))
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 2
    loader.worker_init_fn = print
