"""The loader that turns a dataset into batches."""

import atexit
import itertools
import os
import threading
import time
import weakref
from collections import deque

import gotorch
from gotorch import _C
from gotorch.utils.data._utils import worker as _worker
from gotorch.utils.data._utils.collate import default_collate, default_convert
from gotorch.utils.data._utils.worker import get_worker_info  # noqa: F401
from gotorch.utils.data.dataset import Dataset, IterableDataset  # noqa: F401
from gotorch.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,  # noqa: F401
    SequentialSampler,
)

# How long leaving a loop waits for workers to finish the item that they are at.
_GRACE = 0.1
_FIXED = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}


class DataLoader:
    """Batches of a dataset.

    With num_workers > 0, threads prepare batches ahead of the loop, prefetch_factor each. Batch i is made by worker
    i % num_workers, which has random numbers of its own and a shallow copy of the dataset, so results do not depend on
    timing. An exception comes out of the loop with its class and the worker's traceback.
    """

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            for name, value in (
                ("shuffle", shuffle or None),
                ("sampler", sampler),
                ("batch_sampler", batch_sampler),
            ):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
        if batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            if self._iterable:
                sampler = _Endless()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.num_workers, self.timeout, self.generator = dataset, num_workers, timeout, generator
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = (
            batch_size,
            drop_last,
            sampler,
            batch_sampler,
        )
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.worker_init_fn, self.persistent_workers = worker_init_fn, persistent_workers
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._workers = None  # persistent ones
        self._ready = True

    def __setattr__(self, name, value):
        if name in _FIXED and getattr(self, "_ready", False):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    def __len__(self):
        if self._iterable:
            n = len(self.dataset)
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self._index_sampler)

    def __iter__(self):
        # PyTorch draws its workers' seed here; later draws depend on it.
        seed = int(gotorch.empty((), dtype=gotorch.int64).random_(generator=self.generator).item())
        if self.num_workers == 0:
            return _InlineIterator(self)
        if not self.persistent_workers:
            return _WorkerIterator(self, _Workers(self, seed))
        if self._workers is None or self._workers.closed:
            self._workers = _Workers(self, seed)
        else:
            self._workers.begin_epoch(self.timeout)
        return _WorkerIterator(self, self._workers)

    @property
    def _index_sampler(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    @property
    def _fetcher_of(self):
        """Makes a fetcher for a dataset; refers to no loader, so that a worker does not keep one alive."""
        options = (self._iterable, self.batch_sampler is not None, self.collate_fn, self.drop_last)
        return lambda dataset: _worker.Fetcher(dataset, *options)


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, context):
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
            f"but got num_workers={num_workers}"
        )


class _Endless:
    """The sampler of an iterable dataset, which knows itself when it ends."""

    def __iter__(self):
        return itertools.repeat(None)


class _InlineIterator:
    """Makes each batch when it is asked for."""

    def __init__(self, loader):
        self._indices = iter(loader._index_sampler)
        self._fetch = loader._fetcher_of(loader.dataset).fetch
        self._length = loader.__len__

    def __iter__(self):
        return self

    def __next__(self):
        return self._fetch(next(self._indices))

    def __len__(self):
        return self._length()


class _Workers:
    """The threads of a loader and the channels they are reached by.

    At most prefetch_factor * n jobs are on their way, so no send to a channel of that capacity waits; the worker that is
    to make the next batch is the only one waited for.
    """

    def __init__(self, loader, seed):
        n = loader.num_workers
        self.limit = max(1, loader.prefetch_factor) * n
        self.jobs = [_C.chan(self.limit + 1) for _ in range(n)]
        if loader.in_order:
            self.results = [_C.chan(self.limit + 1) for _ in range(n)]
        else:
            self.results = [_C.chan(self.limit + n)] * n
        self.outstanding = deque()  # workers that owe a result, in the order of their jobs
        self.closed, self.process = False, os.getpid()
        self.threads = []
        for i in range(n):
            info = _worker.WorkerInfo(i, n, seed + i, _worker.own_copy(loader.dataset))
            arguments = (info, loader._fetcher_of, loader.worker_init_fn, self.jobs[i], self.results[i])
            thread = threading.Thread(target=_worker.run, args=arguments, name=f"DataLoader worker {i}", daemon=True)
            thread.start()
            self.threads.append(thread)
        _alive.add(self)

    def put(self, worker, number, index):
        self.jobs[worker].send((number, index))
        self.outstanding.append(worker)

    def receive(self, timeout):
        """The next result: of the worker whose turn it is, or without order, of any."""
        try:
            result, ok = self.results[self.outstanding[0]].recv_ok(timeout or None)
        except TimeoutError:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None
        except KeyboardInterrupt:
            self.close(0)
            raise
        if not ok:
            raise RuntimeError("DataLoader: the workers of this iterator have ended")
        self.outstanding.popleft()
        return result

    def begin_epoch(self, timeout):
        """Lets go what an epoch that was left early still gets, and starts another one."""
        for worker in range(len(self.jobs)):
            self.put(worker, None, None)
        while self.outstanding:
            self.receive(timeout)

    def close(self, grace=_GRACE):
        if self.closed:
            return
        self.closed = True
        if os.getpid() != self.process:
            return  # a forked child has neither these threads nor these channels
        for channel in self.jobs:
            channel.close()
        end = time.monotonic() + grace
        for thread in self.threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    def __del__(self):
        if not getattr(self, "closed", True):
            self.close()


_alive = weakref.WeakSet()


@atexit.register
def _close_all():
    # A thread that waits outside Python must have ended when the interpreter does.
    for workers in list(_alive):
        workers.close()


class _WorkerIterator:
    """Hands out what the workers make, in the order of the sampler."""

    def __init__(self, loader, workers):
        self._workers, self._persistent, self._timeout = workers, loader.persistent_workers, loader.timeout
        self._indices = iter(loader._index_sampler)
        self._turns = deque(range(loader.num_workers))  # workers that have more, in their order
        self._number = 0
        self._length = loader.__len__
        for _ in range(workers.limit):
            self._put()

    def _put(self):
        if not self._turns:
            return
        for index in itertools.islice(self._indices, 1):
            worker = self._turns[0]
            self._turns.rotate(-1)
            self._workers.put(worker, self._number, index)
            self._number += 1

    def __iter__(self):
        return self

    def __next__(self):
        workers = self._workers
        while workers.outstanding:
            _, worker, batch = workers.receive(self._timeout)
            if batch is _worker.End and worker in self._turns:
                self._turns.remove(worker)
            self._put()
            if isinstance(batch, _worker.Failure):
                batch.reraise()
            if batch is not _worker.End:
                return batch
        if not self._persistent:
            workers.close()
        raise StopIteration

    def __len__(self):
        return self._length()
