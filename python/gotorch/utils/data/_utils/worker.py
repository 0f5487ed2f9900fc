"""What a loader's workers do. They are native threads, which meet the consumer at channels: jobs come over one, results
go over another, and a closed channel ends them."""

import copy
import itertools
import sys
import threading
import traceback

import gotorch
from gotorch.utils.data._utils.collate import default_collate
from gotorch.utils.data.dataset import Subset, TensorDataset

_here = threading.local()


class WorkerInfo:
    """What get_worker_info() tells a dataset: id, num_workers, seed and the worker's own shallow copy of the dataset."""

    def __init__(self, id, num_workers, seed, dataset):
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset

    def __repr__(self):
        return f"WorkerInfo(id={self.id}, num_workers={self.num_workers}, seed={self.seed}, dataset={self.dataset!r})"


def get_worker_info():
    """The WorkerInfo in a worker; None elsewhere."""
    return getattr(_here, "info", None)


class Failure:
    """An exception of a worker and its traceback, to be raised by the consumer as PyTorch raises it."""

    def __init__(self, worker):
        kind, error, trace = sys.exc_info()
        self.kind = kind
        self.text = (
            f"Caught {kind.__name__} in DataLoader worker process {worker}.\n"
            f"Original {''.join(traceback.format_exception(kind, error, trace))}"
        )
        self.fatal = not issubclass(kind, Exception)

    def reraise(self):
        raise self._exception()  # held by no local variable: its traceback would keep this frame, and so itself

    def _exception(self):
        if self.fatal:
            return RuntimeError(f"DataLoader worker exited unexpectedly: {self.text}")
        text = _Verbatim(self.text) if issubclass(self.kind, KeyError) else self.text
        try:
            return self.kind(text)
        except Exception:  # a class that is not made from one text
            return RuntimeError(self.text)


class _Verbatim(str):
    """KeyError shows its argument's repr; a traceback in it is readable only as it is."""

    def __repr__(self):
        return str(self)


class End:
    """Sent instead of a batch when the worker's iterable dataset has no more."""


class Resumed:
    """Sent by a persistent worker that is ready for another epoch."""


class Fetcher:
    """Makes batches from what the sampler yields."""

    def __init__(self, dataset, iterable, batched, collate_fn, drop_last):
        self.dataset, self.batched, self.collate_fn, self.drop_last = dataset, batched, collate_fn, drop_last
        self.items = iter(dataset) if iterable else None
        self.many = batched and callable(getattr(dataset, "__getitems__", None))
        self.rows = _rows_of(dataset) if batched and collate_fn is default_collate else None

    def fetch(self, index):
        """The batch of `index`; StopIteration after the last of an iterable dataset."""
        if self.items is not None:
            return self._next(index)
        if self.rows is not None:
            return self.rows(index)
        dataset = self.dataset
        try:
            if not self.batched:
                items = dataset[index]
            elif self.many:
                items = dataset.__getitems__(index)
            else:
                items = [dataset[i] for i in index]
            return self.collate_fn(items)
        except StopIteration as error:  # would end the loop as if there were no more
            raise RuntimeError("a dataset raised StopIteration") from error

    def _next(self, index):
        if not self.batched:
            return self.collate_fn(next(self.items))
        batch = list(itertools.islice(self.items, len(index)))
        if not batch or (self.drop_last and len(batch) < len(index)):
            raise StopIteration
        return self.collate_fn(batch)


def _rows_of(dataset):
    """For tensors, or a subset of them, a function that takes whole batches of rows: the same as collated items."""
    if type(dataset) is TensorDataset:
        tensors = dataset.tensors
        return lambda index: [t[gotorch.as_tensor(index)] for t in tensors]
    if type(dataset) is Subset:
        rows, chosen = _rows_of(dataset.dataset), dataset.indices
        return rows and (lambda index: rows([chosen[i] for i in index]))
    return None


def own_copy(dataset):
    """A shallow copy, as workers have their own dataset in PyTorch; the dataset itself if it cannot be copied."""
    try:
        return copy.copy(dataset)
    except Exception:
        return dataset


def run(info, fetcher_of, init, jobs, results):
    """A worker's life. Jobs are (number, index), or None for another epoch; results are (number, worker, batch)."""
    _here.info = info
    gotorch.random._use_own_generator(info.seed)
    gotorch.set_grad_enabled(True)
    fetcher = failure = None
    ended = False

    def begin():
        nonlocal fetcher, failure, ended
        fetcher, ended = None, False
        try:
            fetcher = fetcher_of(info.dataset)
        except BaseException:
            failure = Failure(info.id)

    try:
        if init is not None:
            init(info.id)
    except BaseException:
        failure = Failure(info.id)
    else:
        begin()
    while True:
        job, _ = jobs.recv_ok()
        if job is None:
            return
        number, index = job
        if number is None:
            if failure is None:
                begin()
            results.send((None, info.id, Resumed))
            continue
        if failure is not None:
            batch = failure
        elif ended:
            batch = End
        else:
            try:
                batch = fetcher.fetch(index)
            except StopIteration:
                ended, batch = True, End
            except BaseException:
                batch = Failure(info.id)
        results.send((number, info.id, batch))
        del job, index, batch  # what the consumer has dropped is not kept alive while this thread waits
