"""Contexts, scopes, wait groups and time in Python."""

import time

import gotorch
import pytest
from gotorch import context
from waiting import FOREVER, fails, wait_until

# Contexts


def test_contexts_form_a_tree():
    root, cancel_root = context.with_cancel()
    child, cancel_child = context.with_cancel(root)
    valued = context.with_value(child, "user", "ann")
    deeper = context.with_value(valued, "id", 7)
    assert (deeper.value("user"), deeper.value("id"), deeper.value("none"), child.value("user")) == (
        "ann",
        7,
        None,
        None,
    )
    assert root.err() is None and root.cause() is None and not root.cancelled()
    cancel_child(KeyError("first"))
    cancel_root(KeyError("second"))
    assert isinstance(deeper.err(), gotorch.Cancelled)
    assert deeper.cause().args == ("first",) and root.cause().args == ("second",)
    assert deeper.done().recv_ok() == (None, False)
    late, _ = context.with_cancel(child)
    assert late.cancelled() and late.cause() is deeper.cause()
    assert context.background().err() is None and not context.background().done()
    assert context.background().deadline() is None


def test_a_cancelled_context_without_cause():
    ctx, cancel = context.with_cancel()
    cancel()
    cancel()
    assert type(ctx.err()) is type(ctx.cause()) is gotorch.Cancelled


def test_deadlines():
    ctx, cancel = context.with_timeout(None, 0.02)
    further, _ = context.with_timeout(ctx, 1000)
    assert abs(ctx.deadline() - time.monotonic()) < FOREVER and further.deadline() == ctx.deadline()
    with further:  # noqa: SIM117
        with pytest.raises(gotorch.DeadlineExceeded) as caught:
            gotorch.chan().recv()
    assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, gotorch.Cancelled)
    assert isinstance(ctx.err(), gotorch.DeadlineExceeded)
    assert ctx.done().recv_ok()[1] is False
    cancel()
    past, _ = context.with_deadline(None, time.monotonic() - 1)
    with past, pytest.raises(gotorch.DeadlineExceeded):
        gotorch.sleep(FOREVER)


def test_the_current_context():
    assert context.current() is context.background()
    a, cancel = context.with_cancel()
    b, _ = context.with_cancel()
    with a:
        with b:
            assert context.current() is b
            with a:
                assert context.current() is a
        h = gotorch.go(gotorch.chan().recv)
        assert gotorch.go(context.current).result(FOREVER).value("x") is None
    assert context.current() is context.background()
    cancel()
    assert isinstance(h.exception(FOREVER), gotorch.Cancelled)
    assert gotorch.select(gotorch.recv(a.done())) == (0, None, False)


# Scopes and wait groups


def test_a_scope_joins():
    done = []
    with gotorch.scope() as s:
        for i in range(5):
            s.go(lambda i=i: (gotorch.sleep(0.002), done.append(i)))
    assert sorted(done) == list(range(5))
    with pytest.raises(RuntimeError, match="left"):
        s.go(int)


def test_the_first_error_cancels_the_others_and_is_raised(reported):
    ended, begun = [], gotorch.chan()

    def wait():
        try:
            begun.send(1)
            gotorch.chan().recv()
        except gotorch.Cancelled as e:
            ended.append(e.__cause__)
            raise

    with pytest.raises(KeyError, match="lost") as caught:  # noqa: SIM117
        with gotorch.scope() as s:
            for _ in range(3):
                s.go(wait)
                begun.recv()
            s.go(fails)
            gotorch.sleep(FOREVER)
            raise AssertionError("not reached")
    assert ended == [caught.value] * 3
    assert reported == []


def test_an_error_of_the_block_cancels_and_is_raised():
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117
        with gotorch.scope() as s:
            h = s.go(gotorch.sleep, 1000)
            1 / 0  # noqa: B018
    assert isinstance(h.exception(), gotorch.Cancelled)


def test_cancelling_a_scope():
    with gotorch.scope() as s:
        h = s.go(gotorch.sleep, 1000)
        s.cancel()
        gotorch.sleep(1000)
    assert isinstance(h.exception(), gotorch.Cancelled)
    ctx, cancel = context.with_cancel()
    with pytest.raises(gotorch.Cancelled), ctx:  # noqa: SIM117
        with gotorch.scope() as s:
            s.go(cancel)
            gotorch.sleep(1000)


def test_a_scope_with_a_deadline():
    with pytest.raises(gotorch.DeadlineExceeded):  # noqa: SIM117
        with gotorch.scope(timeout=0.01) as s:
            s.go(gotorch.sleep, 1000)
    with pytest.raises(gotorch.DeadlineExceeded):  # noqa: SIM117
        with gotorch.scope(timeout=0.01):
            gotorch.sleep(1000)
    with gotorch.scope(timeout=1000) as s:
        s.go(int)


def test_scopes_nest():
    with pytest.raises(KeyError):  # noqa: SIM117
        with gotorch.scope() as outer:

            def inner():
                with gotorch.scope() as s:
                    s.go(gotorch.sleep, 1000)
                    s.go(fails)

            outer.go(inner)
            outer.go(gotorch.sleep, 1000)


def test_wait_groups():
    wg = gotorch.wait_group()
    wg.wait()
    for round_ in range(3):
        results = []
        wg.add(2)
        for i in range(2):
            gotorch.go(lambda i=i, results=results: (gotorch.sleep(0.001), results.append(i), wg.done()))
        wg.go(results.append, 2)
        wg.wait(FOREVER)
        assert sorted(results) == [0, 1, 2], round_
    wg.add()
    with pytest.raises(TimeoutError, match="wait_group"):
        wg.wait(0.01)
    wg.done()
    with pytest.raises(ValueError, match="more often"):
        wg.done()
    wg.wait(0)


def test_a_wait_group_counts_goroutines_that_fail(reported):
    wg = gotorch.wait_group()
    wg.go(fails)
    wg.wait(FOREVER)
    wait_until(lambda: reported == [KeyError])


# Time


def test_after_and_sleep():
    start = time.monotonic()
    c = gotorch.after(0.02)
    assert gotorch.select(gotorch.recv(c), default=True)[0] == -1
    assert c.recv() is None and time.monotonic() - start >= 0.02
    start = time.monotonic()
    gotorch.sleep(0.01)
    assert time.monotonic() - start >= 0.01
    assert gotorch.after(0).recv() is None
    assert gotorch.after(float("inf")).try_recv() == (None, False)


def test_a_ticker_ticks_until_it_is_stopped():
    with gotorch.ticker(0.002) as t:
        for _ in range(5):
            assert t.c.recv(FOREVER) is None
        t.reset(0.003)
        t.c.recv(FOREVER)
        time.sleep(0.02)
        assert len(t.c) <= 1
    with pytest.raises(TimeoutError):
        while True:
            t.c.recv(0.05)
    c = gotorch.ticker(0.001).c  # nobody has the ticker
    with pytest.raises(TimeoutError):
        while True:
            c.recv(0.05)


def test_native_tasks_of_the_benchmark():
    for task in (gotorch._C._empty_task, gotorch._C._empty_loop, gotorch._C._empty_call):
        for _ in range(100):
            task()
