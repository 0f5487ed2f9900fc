"""Goroutines that are waited for together."""

from gotorch import _C, _channels, _goroutines, context

__all__ = ["scope", "wait_group"]


class wait_group(_C._Count):  # noqa: N801 (as Go spells it)
    """Go's WaitGroup: wait() returns once done() was called as often as add() said. May be used again at once.

    `await group` is wait() for asyncio.
    """

    def add(self, n=1):
        """ValueError: the count would be negative."""
        self._add(n)

    def done(self):
        """ValueError: called more often than add() said."""
        self._add(-1)

    def wait(self, timeout=None):
        """TimeoutError: the count was not 0 within `timeout` seconds; Cancelled."""
        if self._count and _C._select(True, timeout, _C.recv(self._zero))[0] < 0:
            raise TimeoutError(f"wait_group: {self._count} are not done within {timeout} seconds")

    def go(self, f, /, *args, **kwargs):
        """Starts f(*args, **kwargs) as gotorch.go does, between add() and done()."""
        return self._go(f, args, kwargs, context.current())

    def _go(self, f, args, kwargs, parent, at_end=None):
        self.add()
        try:
            return _goroutines.start(f, args, kwargs, parent, at_end, group=self, depth=3)
        except BaseException:
            self.done()
            raise

    def __await__(self):
        if self._count:
            yield from _channels.aselect(_C.recv(self._zero)).__await__()


class scope:  # noqa: N801 (as Go spells it)
    """Goroutines that have ended when the `with` block, or `async with` block, is left.

        with gotorch.scope() as s:
            a = s.go(load, "a")
            b = s.go(load, "b")
        return a.result(), b.result()

    They and the block run under the scope's context. The first exception cancels it: the waits of the others end with
    Cancelled, and leaving raises that exception. So does an exception of the block, Ctrl-C, and after `timeout` seconds
    DeadlineExceeded. Further exceptions stay with their Goroutines, see gotorch.go. A second Ctrl-C while leaving waits no longer.
    """

    def __init__(self, timeout=None):
        self._parent = context.current()
        self.context = context.Context(self._parent, timeout=timeout)
        self._running = wait_group()
        self._first = None  # the goroutine that failed first
        self._stopped = self._cut_short = self._left = False

    def go(self, f, /, *args, **kwargs):
        """Starts f(*args, **kwargs) and returns its Goroutine. RuntimeError: the scope was left."""
        if self._left:
            raise RuntimeError("scope: it was left already, nothing can be started in it")
        return self._running._go(f, args, kwargs, self.context, self._end)

    def cancel(self, cause=None):
        """Cancels the scope's context. Cancelled then does not leave the block."""
        self._stopped = True
        self.context._cancel(cause)

    def _end(self, goroutine):
        if not goroutine._asked and self._first is None:
            self._first = goroutine
            self.context._cancel(goroutine._error)
        self._cut_short |= isinstance(goroutine._error, _C.Cancelled)

    def __enter__(self):
        self.context.__enter__()
        return self

    def __exit__(self, kind, error, traceback):
        self.context.__exit__()
        if error is not None:
            self.context._cancel(error)
        with context.background():  # what cancels the goroutines must not keep us from waiting for them
            try:
                self._running.wait()
            except BaseException as interrupt:
                self.context._cancel(interrupt)
                self._running.wait()
                raise
        return self._leave(error)

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, kind, error, traceback):
        self.context.__exit__()
        if error is not None:
            self.context._cancel(error)
        with context.background():
            try:
                await self._running
            except BaseException as interrupt:
                self.context._cancel(interrupt)
                await self._running
                raise
        return self._leave(error)

    def _leave(self, error):
        """What __exit__ returns. The error of the block counts, unless that was only told to stop."""
        self._left = True
        told = isinstance(error, _C.Cancelled)
        if error is not None and not told:
            return False
        if self._first is not None:
            _raise(self._first._take_error())
        late = self.context.err()
        if isinstance(late, _C.DeadlineExceeded) and self._cut_short and not told:
            raise late
        return told and self._stopped and not self._parent.cancelled()


def _raise(error):
    """Without the exception being handled, which is a consequence of this one, as its context."""
    before = error.__context__
    try:
        raise error
    finally:
        error.__context__ = before
        del error
