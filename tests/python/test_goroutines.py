"""Goroutines of Python: functions on native threads, their results, exceptions and cancelling."""

import contextvars
import gc
import sys
import threading
import time
import traceback
import weakref

import gotorch
import pytest
from gotorch import context
from waiting import FOREVER, fails, wait_until


def test_go_returns_the_result():
    h = gotorch.go(lambda a, b=0: a + b, 1, b=2)
    assert h.result(FOREVER) == 3
    assert h.done() and h.exception() is None
    assert h.site.startswith(__file__) and h.name == "<lambda>" and h.site in repr(h)
    block = gotorch.chan()
    h = gotorch.go(block.recv)
    assert not h.done()
    with pytest.raises(TimeoutError, match="recv"):
        h.result(0.01)
    block.send(1)
    assert h.result(FOREVER) == 1


def test_exceptions_tell_where_the_goroutine_was_started():
    h = gotorch.go(fails)
    with pytest.raises(KeyError, match="lost") as caught:
        h.result(FOREVER)
    text = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    assert 'raise KeyError("lost")' in text  # the goroutine's own frames
    assert f"in goroutine fails, started at {h.site}" in text
    assert (
        int(h.site.rpartition(":")[2])
        == test_exceptions_tell_where_the_goroutine_was_started.__code__.co_firstlineno + 1
    )
    assert "gotorch/_goroutines.py" not in text.split("raise error")[-1]


def test_an_exception_nobody_asks_for_is_reported(reported):
    gotorch.go(fails)
    wait_until(lambda: reported)
    assert reported == [KeyError]
    h = gotorch.go(fails)
    assert isinstance(h.exception(FOREVER), KeyError)
    del h
    gotorch.go(sys.exit, 3)
    h = gotorch.go(gotorch.chan().recv)
    h.cancel()
    wait_until(h.done)
    del h
    gotorch.go(int).result()
    gc.collect()
    assert reported == [KeyError]


def test_a_failed_goroutine_leaves_no_cycle():
    class Error(Exception):
        pass

    def fail():
        raise Error

    gc.collect()
    gc.disable()
    try:
        h = gotorch.go(fail)
        with pytest.raises(Error):
            h.result(FOREVER)
        error = weakref.ref(h.exception())
        del h
        sys.exc_info()
        wait_until(lambda: error() is None)
    finally:
        gc.enable()


def test_cancel_ends_waits():
    c, never = gotorch.chan(), gotorch.chan()
    wg = gotorch.wait_group()
    wg.add()
    waits = [
        c.recv,
        lambda: c.send(1),
        lambda: gotorch.select(gotorch.recv(c), gotorch.send(c, 1)),
        lambda: gotorch.sleep(100),
        wg.wait,
        gotorch.chan.nil().recv,
        gotorch.go(never.recv).result,
    ]
    for wait in waits:
        h = gotorch.go(wait)
        time.sleep(0.002)
        h.cancel(KeyError("why"))
        error = h.exception(FOREVER)
        assert isinstance(error, gotorch.Cancelled) and isinstance(error.__cause__, KeyError)
    assert not c.try_send(1) and c.try_recv() == (None, False)  # nobody is left in its queues
    never.close()


def test_a_goroutine_cancelled_before_it_waits():
    started, go_on = gotorch.chan(), gotorch.chan()

    def wait_late():
        started.send(1)
        while not context.current().cancelled():
            time.sleep(0.001)
        assert context.current().err() is not None
        go_on.recv()

    h = gotorch.go(wait_late)
    started.recv()
    h.cancel()
    assert isinstance(h.exception(FOREVER), gotorch.Cancelled)


def test_coroutine_functions_are_refused():
    async def f():
        pass

    with pytest.raises(TypeError, match="asyncio"):
        gotorch.go(f)
    with pytest.raises(TypeError, match="coroutine"):
        gotorch.go(lambda: f()).result(FOREVER)


def test_threads_are_kept_for_the_next_goroutine():
    assert len({gotorch.go(threading.get_ident).result(FOREVER) or time.sleep(0.001) for _ in range(50)}) < 40
    assert all(t.daemon for t in threading.enumerate() if t.name.startswith("goroutine"))


def test_goroutines_do_not_inherit_each_others_modes():
    def leave_a_mode():
        gotorch.set_grad_enabled(False)

    variable = contextvars.ContextVar("variable")
    variable.set(1)
    for _ in range(5):
        gotorch.go(leave_a_mode).result(FOREVER)
        assert gotorch.go(gotorch.is_grad_enabled).result(FOREVER)
    assert gotorch.go(variable.get).result(FOREVER) == 1
    gotorch.go(variable.set, 2).result(FOREVER)
    assert variable.get() == 1


def test_a_thousand_goroutines_that_wait():
    c, d = gotorch.chan(), gotorch.chan(1000)

    def pass_on():
        d.send(c.recv())

    with gotorch.scope() as s:
        for _ in range(1000):
            s.go(pass_on)
        for i in range(1000):
            c.send(i, timeout=FOREVER)
    assert sorted(d.try_recv()[0] for _ in range(1000)) == list(range(1000))
