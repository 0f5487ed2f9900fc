"""Go's context: tells a group of goroutines to stop, and until when they have time.

A context is current in a goroutine, a thread or an asyncio task. When it is cancelled, every wait of gotorch under it ends with
Cancelled, or with DeadlineExceeded if that was the reason. What `gotorch.go` starts runs under a context of its own below the
current one.

    ctx, cancel = gotorch.context.with_timeout(None, 2.5)
    with ctx:                       # is current in here
        value = c.recv()            # DeadlineExceeded after 2.5 seconds
    cancel()

`parent` is a context, or None for the current one. Times are in seconds.
"""

import contextvars
import time

from gotorch import _C

__all__ = ["Context", "background", "current", "with_cancel", "with_deadline", "with_timeout", "with_value"]

_current = _C._current_context
_before = contextvars.ContextVar("gotorch.context.before", default=())  # what leaving `with` goes back to


class Context(_C._Context):
    """See the module. `with ctx:` makes it the current one; leaving does not cancel it."""

    def __init__(self, parent, key=None, value=None, **kind):
        super().__init__(parent, **kind)
        self._parent, self._key, self._value = parent, key, value

    def value(self, key):
        """What with_value gave for this key, here or nearest above; None if nothing."""
        ctx = self
        while ctx is not None and (ctx._key is None or ctx._key != key):
            ctx = ctx._parent
        return None if ctx is None else ctx._value

    def __enter__(self):
        _before.set((current(), _before.get()))
        _current.set(self)
        return self

    def __exit__(self, *error):
        before, further = _before.get()
        _current.set(before)
        _before.set(further)


_background = Context(None, child=False)


def background():
    """The context that is never cancelled."""
    return _background


def current():
    """The context that waits here end with."""
    return _current.get(_background)


def with_cancel(parent=None):
    """(ctx, cancel): a context below `parent`. cancel(cause=None) cancels it and those below it; only the first cause counts."""
    ctx = Context(parent or current())
    return ctx, ctx._cancel


def with_timeout(parent, timeout):
    """(ctx, cancel) as with_cancel; also cancelled after `timeout` seconds, or at the parent's deadline if that is earlier."""
    ctx = Context(parent or current(), timeout=timeout)
    return ctx, ctx._cancel


def with_deadline(parent, deadline):
    """(ctx, cancel) as with_timeout, but with a time by time.monotonic()."""
    return with_timeout(parent, max(0.0, deadline - time.monotonic()))


def with_value(parent, key, value):
    """A context that is cancelled with `parent`, and has a value for `key`, which must not be None."""
    if key is None:
        raise TypeError("with_value: the key must not be None")
    return Context(parent or current(), key, value, child=False)
