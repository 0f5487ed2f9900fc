"""Goroutines that run Python: on native threads, which are kept for the next ones. A goroutine has its thread while it runs."""

import atexit
import contextvars
import inspect
import os
import sys
import threading
import weakref

from gotorch import _C, _channels, context

__all__ = ["Goroutine", "go"]

_IDLE = 5.0  # seconds that a thread waits for another goroutine


def go(f, /, *args, **kwargs):
    """Starts f(*args, **kwargs) as a goroutine and returns its Goroutine.

    It runs on a native thread of its own, under a context below the current one, with a copy of the caller's context variables.
    Leaving the program does not wait for it: as in Go, it ends with the main program, without its `finally` blocks; use a
    gotorch.scope to wait. An exception nobody asks the Goroutine for goes to threading.excepthook.

    TypeError: f is not callable, or a coroutine function: those run in an event loop, by asyncio.create_task(f()), or in a
    goroutine by go(asyncio.run, f()). RuntimeError: the system gives no more threads.
    """
    return start(f, args, kwargs, context.current())


def start(f, args, kwargs, parent, at_end=None, group=None, depth=2):
    """The frame `depth` calls up is the place that starts it. At its end, at_end(goroutine) is called, then it counts as
    ended, then the wait_group `group` as done."""
    if not callable(f):
        raise TypeError(f"go: expected a callable, got {type(f).__name__}")
    if inspect.iscoroutinefunction(f):
        raise TypeError(
            f"go: {_name(f)} is a coroutine function, which needs an event loop: asyncio.create_task({_name(f)}()), "
            f"or go(asyncio.run, {_name(f)}())"
        )
    frame = sys._getframe(depth)
    goroutine = Goroutine(f, args, kwargs, parent, f"{frame.f_code.co_filename}:{frame.f_lineno}")
    goroutine._at_end, goroutine._group = at_end, group
    _run_on_thread(goroutine)
    return goroutine


def _name(f):
    return getattr(f, "__name__", None) or type(f).__name__


class Goroutine:
    """What go() returns: waits for the end of a goroutine, in threads and asyncio tasks, and has its result or exception.

    name: of its function. site: "file:line" where it was started. context: its own.
    """

    def __init__(self, f, args, kwargs, parent, site):
        self.name, self.site = _name(f), site
        self.context = context.Context(parent)
        variables = contextvars.copy_context()
        variables.run(context._current.set, self.context)
        self._call = variables.run, f, args, kwargs
        self._value = self._error = None
        self._asked = True  # there is no exception that nobody has asked for
        self._ended = _C.chan()

    def done(self):
        """Whether it has ended. Raises ChanError in a forked child of the process that started it."""
        return _C._select(False, None, _C.recv(self._ended))[0] == 0

    def cancel(self, cause=None):
        """Cancels its context: its waits, this one or the next, end with Cancelled. What does not wait must ask the context."""
        self.context._cancel(cause)

    def result(self, timeout=None):
        """What its function returned; waits for that. Raises what the function has raised.

        TimeoutError: it has not ended within `timeout` seconds; Cancelled: the caller's own context.
        """
        error = self.exception(timeout)
        if error is None:
            return self._value
        try:
            raise error
        finally:
            del error, self  # the traceback would hold on to them

    def exception(self, timeout=None):
        """What its function has raised, or None; waits as result() does."""
        if _C._select(True, timeout, _C.recv(self._ended))[0] < 0:
            raise TimeoutError(f"goroutine {self.name} has not ended within {timeout} seconds")
        return self._take_error()

    def __await__(self):
        yield from _channels.aselect(_C.recv(self._ended)).__await__()
        return self.result()

    def _take_error(self):
        self._asked = True
        return self._error

    def _run(self):
        _C._begin_goroutine()
        (run, f, args, kwargs), self._call = self._call, None
        try:
            if self.context.cancelled():
                raise self.context.err()
            value = run(f, *args, **kwargs)
            if inspect.iscoroutine(value):
                value.close()
                raise TypeError(
                    f"go: {self.name} returned a coroutine, which needs an event loop: go(asyncio.run, ...)"
                )
            self._value = value
        except BaseException as error:
            self._fail(error)
        del run, f, args, kwargs
        if self._at_end is not None:
            self._at_end(self)
        self._ended.close()
        if self._group is not None:
            self._group.done()
        self._at_end = self._group = None
        del self  # the frames of an exception's traceback keep this one

    def _fail(self, error):
        error.__traceback__ = error.__traceback__.tb_next  # without our own frame
        self._error = error
        stopped = isinstance(error, _C.Cancelled) and self.context.cancelled()
        if not stopped and not isinstance(error, SystemExit):
            _add_site(error, f"in goroutine {self.name}, started at {self.site}")
            self._asked, self._thread = False, threading.current_thread()
            _failed.add(self)

    def __del__(self):
        if not getattr(self, "_asked", True):
            self._report()

    def _report(self):
        self._asked = True
        error = self._error
        threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, self._thread)))

    def __repr__(self):
        return f"<gotorch.Goroutine {self.name} started at {self.site}>"


class StartedAt(Exception):
    """Before Python 3.11, at the beginning of a goroutine's exception: where the goroutine was started."""


def _add_site(error, text):
    if hasattr(error, "add_note"):
        error.add_note(text)
        return
    while error.__context__ is not None:
        error = error.__context__
    error.__context__ = StartedAt(text)


_idle = []  # threads that wait for a goroutine; the one that has waited least is last
_failed = weakref.WeakSet()  # goroutines whose exception nobody may have asked for


class _Thread(threading.Thread):
    def __init__(self, goroutine):
        super().__init__(daemon=True)
        self.mail = _C.chan(1)
        self.mail.send(goroutine)

    def run(self):
        while True:
            goroutine = self.next()
            if goroutine is None:
                return
            self.name = f"goroutine {goroutine.name}"
            goroutine._run()
            del goroutine
            _idle.append(self)

    def next(self):
        i, goroutine, _ = _C._select(True, _IDLE, _C.recv(self.mail))
        if i == 0:
            return goroutine
        try:
            _idle.remove(self)
        except ValueError:
            return self.mail.recv()  # somebody has chosen this thread just now
        return None


def _run_on_thread(goroutine):
    if _ended:
        raise RuntimeError("go: Python is ending, no more goroutines can be started")
    try:
        thread = _idle.pop()
    except IndexError:
        _Thread(goroutine).start()
    else:
        thread.mail.send(goroutine)


_ended = []


@atexit.register  # the first to register is the last to run
def _end():
    _ended.append(True)
    for goroutine in list(_failed):
        if not goroutine._asked:
            goroutine._report()
    _C._end_interpreter()


def _after_fork():
    _idle.clear()
    _C._set_main_thread()


os.register_at_fork(after_in_child=_after_fork)
