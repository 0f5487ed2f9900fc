"""What channels do beside waiting on a thread: select, tickers, and waiting in an asyncio task."""

import itertools
import weakref

from gotorch import _C, context

__all__ = ["aselect", "select", "ticker"]


def select(*cases, default=False, timeout=None, **keywords):
    """Waits for the first of several channel operations, as Go's select.

        i, value, ok = gotorch.select(gotorch.recv(a), gotorch.send(b, 1), timeout=0.1)

    i is the number of the case that was done, from 0: if several can be, one of them at random. `value` is what it received;
    `ok` is False if its channel is closed and drained. i is -1 if none was done within `timeout` seconds, or at once with
    `default=True`. A nil channel's case is never done; without any case, select waits for ever.

    ChanError: a send to a closed channel; the exception a channel was closed with; Cancelled, DeadlineExceeded.

    With a tensor it is PyTorch's select(input, dim, index): the slice at `index` of dimension `dim`.
    """
    if keywords or (cases and isinstance(cases[0], _C.Tensor)):
        return _C.select(*cases, **keywords)
    return _C._select(not default, timeout, *cases)


async def aselect(*cases, default=False, timeout=None):
    """select for asyncio: `i, value, ok = await gotorch.aselect(...)`. A task that is cancelled meanwhile takes no value along."""
    done = _C._select(False, None, *cases)
    if default or done[0] >= 0:
        return done
    mail = _mail()
    number, future = mail.expect(operation := _C._Operation(timeout, *cases))
    try:
        await future
    except BaseException:
        mail.waiting.pop(number, None)
        operation.abandon()
        raise
    return operation.result()


class _Mail:
    """Tells the tasks of one event loop that their operations are over."""

    def __init__(self, loop):
        self.box, self.waiting, self.numbers = _C._Mailbox(), {}, itertools.count()
        self.new_future = loop.create_future
        loop.add_reader(self.box.fileno(), self.deliver)

    def expect(self, operation):
        number, future = next(self.numbers), self.new_future()
        self.waiting[number] = future
        operation.start(self.box, number)
        return number, future

    def deliver(self):
        for number in self.box.take():
            future = self.waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(None)


_mails = weakref.WeakKeyDictionary()


def _mail():
    import asyncio

    loop = asyncio.get_running_loop()
    if loop not in _mails:
        _mails[loop] = _Mail(loop)
    return _mails[loop]


async def _asend(self, value):
    """send for asyncio. A task that is cancelled meanwhile has either sent the value or not: then nobody gets it."""
    await aselect(_C.send(self, value))


async def _arecv_ok(self):
    """recv_ok for asyncio."""
    _, value, ok = await aselect(_C.recv(self))
    return value, ok


async def _arecv(self):
    """recv for asyncio. A task that is cancelled meanwhile takes no value along."""
    _, value, ok = await aselect(_C.recv(self))
    if not ok:
        raise _C.ChanClosed("recv: the channel is closed")
    return value


async def _anext(self):
    _, value, ok = await aselect(_C.recv(self))
    if not ok:
        raise StopAsyncIteration
    return value


for _kind in (_C.chan, _C.Sender):
    _kind.asend = _asend
for _kind in (_C.chan, _C.Receiver):
    _kind.arecv, _kind.arecv_ok, _kind.__anext__ = _arecv, _arecv_ok, _anext
    _kind.__aiter__ = lambda self: self


def _stop(runs):
    while runs:
        runs.pop()._cancel()


class ticker:  # noqa: N801 (as Go spells it)
    """Go's Ticker: `c` gets a value, None, every `period` seconds, unless the last one was not received yet.

    Ends with stop(), at the end of `with`, or when nobody has the ticker any more; `c` is not closed then.
    ValueError: a period that is not more than 0.
    """

    def __init__(self, period):
        self.c = _C._signals()
        self._runs = []  # the context of the goroutine that ticks
        self.reset(period)
        weakref.finalize(self, _stop, self._runs).atexit = False

    def stop(self):
        """No more ticks come."""
        _stop(self._runs)
        self.c.try_recv()

    def reset(self, period):
        """Starts anew, with another period."""
        ctx = context.Context(context.background())
        _C._ticks(self.c, period, ctx)
        self.stop()
        self._runs.append(ctx)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()
