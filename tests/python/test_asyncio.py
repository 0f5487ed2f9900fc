"""Channels, goroutines and contexts in asyncio tasks: nothing blocks the event loop, and no cancelled task takes a value along."""

import asyncio
import gc
import itertools
import threading
import time
import weakref

import gotorch
import pytest
from gotorch import context

FOREVER = 20


def run(main):
    """In a new event loop, for not longer than FOREVER."""

    async def limited():
        return await asyncio.wait_for(main(), FOREVER)

    return asyncio.run(limited())


def test_tasks_and_threads_meet_at_channels():
    async def main():
        to_thread, to_task = gotorch.chan(), gotorch.chan(2)

        def double():
            for v in to_thread:
                to_task.send(2 * v)
            to_task.close()

        async def feed():
            for i in range(100):
                await to_thread.asend(i)
            to_thread.close()

        h = gotorch.go(double)
        feeding = asyncio.ensure_future(feed())
        assert [v async for v in to_task] == list(range(0, 200, 2))
        await feeding
        assert await h is None
        assert await to_task.arecv_ok() == (None, False)
        with pytest.raises(gotorch.ChanClosed):
            await to_task.receiver().arecv()
        with pytest.raises(gotorch.ChanError):
            await to_task.sender().asend(1)

    run(main)


def test_two_tasks_of_one_loop_meet():
    async def main():
        c = gotorch.chan()
        sent = asyncio.ensure_future(c.asend("x"))
        assert await c.arecv() == "x"
        await sent
        receiving = [asyncio.ensure_future(c.arecv()) for _ in range(3)]
        for i in range(3):
            await c.asend(i)
        assert sorted([await r for r in receiving]) == [0, 1, 2]

    run(main)


def test_the_loop_goes_on_meanwhile():
    async def main():
        c, ticks = gotorch.chan(), 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        h = gotorch.go(lambda: (time.sleep(0.05), c.send(1)))
        assert await c.arecv() == 1
        assert ticks >= 3
        ticking.cancel()
        await h

    run(main)


def test_aselect():
    async def main():
        a, b = gotorch.chan(), gotorch.chan(1)
        assert await gotorch.aselect(gotorch.recv(a), gotorch.send(b, 1)) == (1, None, True)
        assert await gotorch.aselect(gotorch.recv(a), gotorch.recv(b)) == (1, 1, True)
        assert await gotorch.aselect(gotorch.recv(a), default=True) == (-1, None, False)
        assert await gotorch.aselect(gotorch.recv(a), gotorch.recv(None), timeout=0.01) == (-1, None, False)
        waiting = asyncio.ensure_future(  # noqa: RUF006 (it is awaited)
            gotorch.aselect(*[gotorch.recv(gotorch.chan()) for _ in range(10)], gotorch.recv(a))
        )
        await asyncio.sleep(0)
        await a.asend("late")
        assert await waiting == (10, "late", True)
        waiting = asyncio.ensure_future(gotorch.aselect(gotorch.recv(a)))
        await asyncio.sleep(0)
        a.close(KeyError("ended"))
        with pytest.raises(KeyError, match="ended"):
            await waiting
        with pytest.raises(TypeError):
            await gotorch.aselect(a)

    run(main)


def test_a_cancelled_receive_takes_no_value_along():
    async def main():
        c = gotorch.chan()
        for _ in range(20):
            task = asyncio.ensure_future(c.arecv())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not c.try_send("to nobody")

    run(main)


@pytest.mark.parametrize("capacity", [0, 1, 5])
def test_a_receive_cancelled_after_its_value_came_gives_it_back(capacity):
    async def main():
        c = gotorch.chan(capacity)
        for when in range(4):
            task = asyncio.ensure_future(c.arecv())
            await asyncio.sleep(0.001)
            c.send("first")  # the task's goroutine has it; the task has not run yet
            if when == 1:
                time.sleep(0.002)  # nor has the loop
            if when == 2:
                c.close() if capacity == 5 else None
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert c.recv(FOREVER) == "first"
            if capacity == 5 and when == 2:
                assert c.recv_ok() == (None, False)
                return

    run(main)


def test_values_survive_any_moment_of_cancellation():
    """Receivers are cancelled at random moments: every value arrives exactly once, in the order of the channel for one receiver."""

    async def main():
        c, n = gotorch.chan(1), 300

        def produce():
            for i in range(n):
                c.send(i)
            c.close()

        h, got = gotorch.go(produce), []
        for attempt in itertools.count():
            task = asyncio.ensure_future(c.arecv_ok())
            for _ in range(attempt % 5):
                await asyncio.sleep(0)
            task.cancel()
            try:
                value, ok = await task
            except asyncio.CancelledError:
                continue
            if not ok:
                break
            got.append(value)
        await h
        assert got == list(range(n))

    run(main)


def test_timeouts_of_asyncio_end_a_receive():
    async def main():
        c = gotorch.chan()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(c.arecv(), 0.01)
        assert not c.try_send(1)

    run(main)


def test_a_cancelled_send():
    async def main():
        c = gotorch.chan()
        task = asyncio.ensure_future(c.asend(1))
        await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert c.try_recv() == (None, False)

    run(main)


def test_goroutines_can_be_awaited():
    async def main():
        assert await gotorch.go(lambda: 42) == 42
        with pytest.raises(ZeroDivisionError):
            await gotorch.go(lambda: 1 / 0)
        c = gotorch.chan()
        h = gotorch.go(c.recv)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_result(h), 0.01)
        c.send("still there")
        assert await h == "still there"

    async def _result(h):
        return await h

    run(main)


def test_contexts_are_those_of_the_task():
    async def main():
        ctx, cancel = context.with_cancel()
        c = gotorch.chan()

        async def wait():
            with ctx:
                await c.arecv()

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0.001)
        assert context.current() is context.background()
        cancel(KeyError("why"))
        with pytest.raises(gotorch.Cancelled) as caught:
            await task
        assert isinstance(caught.value.__cause__, KeyError)
        late, _ = context.with_timeout(None, 0.01)
        with late, pytest.raises(gotorch.DeadlineExceeded):
            await c.arecv()

    run(main)


def test_scopes_and_wait_groups():
    async def main():
        done = []
        async with gotorch.scope() as s:
            for i in range(3):
                s.go(lambda i=i: (gotorch.sleep(0.005), done.append(i)))
        assert sorted(done) == [0, 1, 2]
        with pytest.raises(ZeroDivisionError):
            async with gotorch.scope() as s:
                s.go(gotorch.sleep, 1000)
                s.go(lambda: 1 / 0)
                await gotorch.chan().arecv()
        wg = gotorch.wait_group()
        wg.go(gotorch.sleep, 0.005)
        await wg
        await wg

    run(main)


def test_cancelling_a_task_in_a_scope_cancels_its_goroutines():
    async def main():
        handles = []

        async def work():
            async with gotorch.scope() as s:
                handles.append(s.go(gotorch.sleep, 1000))

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(handles[0].exception(), gotorch.Cancelled)

    run(main)


def test_goroutines_may_run_event_loops():
    async def main(c):
        await c.asend(threading.get_ident())

    c = gotorch.chan(1)
    gotorch.go(asyncio.run, main(c)).result(FOREVER)
    assert c.recv() != threading.get_ident()


def test_a_loop_that_is_left_with_tasks_that_wait():
    class Object:
        pass

    objects, c = [Object()], gotorch.chan()
    alive = weakref.ref(objects[0])

    async def main():
        waits = c.asend(objects.pop()), gotorch.chan().arecv()
        main.tasks = [asyncio.ensure_future(w) for w in waits]
        await asyncio.sleep(0)

    asyncio.run(main())
    del main.tasks
    gc.collect()
    end = time.monotonic() + FOREVER
    while alive() and time.monotonic() < end:
        time.sleep(0.001)
    assert alive() is None
    assert c.try_recv() == (None, False)


def test_awaiting_needs_a_loop():
    coroutine = gotorch.chan().arecv()
    with pytest.raises(RuntimeError, match="event loop"):
        coroutine.send(None)
