"""Channels, the values that pass through them, and select, between threads of Python and with goroutines of C++."""

import gc
import sys
import threading
import time
import weakref

import gotorch
import pytest
from gotorch import context
from waiting import FOREVER, wait_until

# Channels


def test_values_come_in_order_until_the_channel_is_closed():
    for capacity in (0, 1, 7, 100):
        c = gotorch.chan(capacity)

        def produce(c=c):
            for i in range(50):
                c.send(i)
            c.close()

        h = gotorch.go(produce)
        assert list(c) == list(range(50))
        assert h.result(FOREVER) is None
        assert c.recv_ok() == (None, False)
        with pytest.raises(gotorch.ChanClosed, match="closed"):
            c.recv()
        with pytest.raises(gotorch.ChanClosed):
            c.try_recv()


def test_a_full_buffer_and_no_receiver_let_senders_wait():
    c = gotorch.chan(2)
    assert c.try_send("a") and c.try_send("b") and not c.try_send("c")
    assert (len(c), c.capacity, bool(c)) == (2, 2, True)
    with pytest.raises(TimeoutError, match="send"):
        c.send("c", timeout=0.01)
    assert c.try_recv() == ("a", True)
    c.send("c", timeout=0)
    assert [c.recv(), c.recv()] == ["b", "c"]
    assert c.try_recv() == (None, False)
    with pytest.raises(TimeoutError, match="recv"):
        c.recv(timeout=0.01)
    with pytest.raises(TimeoutError):
        c.recv_ok(timeout=0)
    assert not gotorch.chan().try_send(1)


def test_what_go_calls_a_panic_is_a_chan_error():
    c = gotorch.chan(1)
    c.send(1)
    c.close()
    for misuse in (c.close, lambda: c.send(2), lambda: c.try_send(2), c.sender().close, gotorch.chan.nil().close):
        with pytest.raises(gotorch.ChanError):
            misuse()
    with pytest.raises(gotorch.ChanError):
        gotorch.select(gotorch.send(c, 2))
    assert c.recv() == 1  # what was accepted is not lost
    assert issubclass(gotorch.ChanClosed, gotorch.ChanError)
    assert issubclass(gotorch.ChanError, RuntimeError)


def test_closing_wakes_who_waits():
    c, d = gotorch.chan(), gotorch.chan(1)
    d.send(0)
    receivers = [gotorch.go(c.recv_ok) for _ in range(5)]
    senders = [gotorch.go(d.send, i) for i in range(5)]
    time.sleep(0.01)
    c.close()
    d.close()
    assert [h.result(FOREVER) for h in receivers] == [(None, False)] * 5
    for h in senders:
        assert isinstance(h.exception(FOREVER), gotorch.ChanError)


def test_a_channel_may_be_closed_with_an_exception():
    c = gotorch.chan(3)
    c.send(1)
    error = ValueError("no more")
    c.close(error)
    assert c.recv() == 1
    for receive in (c.recv, c.recv_ok, c.try_recv, lambda: next(c), lambda: gotorch.select(gotorch.recv(c))):
        with pytest.raises(ValueError, match="no more") as caught:
            receive()
        assert caught.value is error


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda: gotorch.chan(-1), ValueError),
        (lambda: gotorch.chan(2**62), MemoryError),
        (lambda: gotorch.chan(2**70), TypeError),
        (lambda: gotorch.chan("a"), TypeError),
        (lambda: gotorch.chan().recv(timeout=-1), ValueError),
        (lambda: gotorch.chan().recv(timeout=float("nan")), ValueError),
        (lambda: gotorch.chan().recv(timeout="soon"), TypeError),
        (lambda: gotorch.chan(1).send(), TypeError),
        (lambda: gotorch.chan(1).close("text"), TypeError),
        (lambda: gotorch.select(3), TypeError),
        (lambda: gotorch.select(gotorch.chan()), TypeError),
        (lambda: gotorch.select(gotorch.recv(gotorch.chan().sender())), TypeError),
        (lambda: gotorch.select(gotorch.send(gotorch.chan().receiver(), 1)), TypeError),
        (lambda: gotorch.select(gotorch.send(gotorch.after(FOREVER), 1)), TypeError),
        (lambda: gotorch.select(gotorch.recv(None), timeout=-1), ValueError),
        (lambda: gotorch.sleep(-1), ValueError),
        (lambda: gotorch.after(-1), ValueError),
        (lambda: gotorch.ticker(0), ValueError),
        (lambda: gotorch.ticker(-1), ValueError),
        (lambda: gotorch.ticker(float("inf")), ValueError),
        (lambda: gotorch.wait_group().done(), ValueError),
        (lambda: gotorch.wait_group().add(-1), ValueError),
        (lambda: gotorch.go(3), TypeError),
        (lambda: gotorch.go(), TypeError),
        (lambda: context.with_timeout(None, -1), ValueError),
        (lambda: context.with_timeout(3, 1), TypeError),
        (lambda: context.with_value(None, None, 1), TypeError),
        (lambda: context.with_cancel()[1]("text"), TypeError),
        (lambda: gotorch.scope(timeout=-1), ValueError),
    ],
    ids=range(29),
)
def test_bad_input_has_its_error(call, error):
    with pytest.raises(error):
        call()


def test_ends_do_one_thing_only():
    c = gotorch.chan(2)
    s, r = c.sender(), c.receiver()
    s.send(1)
    assert s.try_send(2)
    assert not any(hasattr(s, name) for name in ("recv", "recv_ok", "try_recv", "arecv", "__iter__"))
    assert not any(hasattr(r, name) for name in ("send", "try_send", "asend", "close"))
    assert (len(r), r.capacity, len(s), s.capacity) == (2, 2, 2, 2)
    assert gotorch.select(gotorch.recv(r)) == (0, 1, True)
    s.close()
    assert list(r) == [2]
    assert "chan 0 of 2" in repr(c) and "Sender" in repr(s) and "Receiver" in repr(r)


def test_a_nil_channel_is_never_ready():
    nil = gotorch.chan.nil()
    assert not nil and len(nil) == 0 and nil.capacity == 0
    assert not nil.try_send(1) and nil.try_recv() == (None, False)
    for wait in (nil.recv, nil.recv_ok, lambda timeout: nil.send(1, timeout)):
        with pytest.raises(TimeoutError):
            wait(timeout=0.01)
    cases = gotorch.recv(None), gotorch.send(None, 1), gotorch.recv(nil), gotorch.send(nil, 1)
    assert gotorch.select(*cases, timeout=0.01) == (-1, None, False)


# Values


class Object:
    pass


def test_references_are_counted():
    o = Object()
    before = sys.getrefcount(o)
    c = gotorch.chan(3)
    c.send(o)
    assert sys.getrefcount(o) == before + 1
    assert c.recv() is o
    assert sys.getrefcount(o) == before
    for wait in (lambda: c.send(o, 0.001), lambda: gotorch.select(gotorch.send(c, o), timeout=0.001)):
        for _ in range(3):
            c.try_send(o)
        with pytest.raises(TimeoutError):
            assert wait()[0] < 0
            raise TimeoutError
        assert sys.getrefcount(o) == before + 3
        for _ in range(3):
            c.recv()
    c.close()
    with pytest.raises(gotorch.ChanError):
        c.send(o)
    assert sys.getrefcount(o) == before
    assert gotorch.select(gotorch.recv(c), gotorch.recv(None))[0] == 0


def test_a_dropped_channel_drops_its_values():
    o = Object()
    alive = weakref.ref(o)
    c = gotorch.chan(1)
    c.send(o)
    del o
    assert alive()
    del c
    assert alive() is None


@pytest.mark.parametrize("cycle", range(4))
def test_cycles_through_a_channel_are_collected(cycle):
    o, c = Object(), gotorch.chan(2)
    alive = weakref.ref(o)
    o.channel = [c, c.sender(), c.receiver(), [c, c.sender()]][cycle]
    c.send(o)
    c.send(c.receiver())
    del o, c
    gc.collect()
    assert alive() is None


def test_what_somebody_still_waits_for_is_not_collected():
    c, o = gotorch.chan(1), Object()
    alive = weakref.ref(o)
    o.channel = c
    c.send(o)
    h = gotorch.go(lambda s: s.send("second"), c.sender())
    del o
    gc.collect()
    assert c.recv() is alive()
    assert c.recv() == "second"
    h.result(FOREVER)


def test_tensors_are_not_copied():
    x = gotorch.arange(6.0).reshape(2, 3)
    c = gotorch.chan(1)
    h = gotorch.go(lambda: c.recv().mul_(2))
    c.send(x)
    assert h.result(FOREVER) is x
    assert x.tolist() == [[0, 2, 4], [6, 8, 10]]


def test_values_pass_through_a_goroutine_of_cpp():
    into, out = gotorch.chan(), gotorch.chan(1)
    gotorch._C._relay(into, out)
    o = Object()
    before = sys.getrefcount(o)
    h = gotorch.go(lambda: [into.send(o) for _ in range(200)] and into.close())
    assert sum(v is o for v in out) == 200
    h.result(FOREVER)
    del h
    wait_until(lambda: sys.getrefcount(o) == before)


def test_objects_dropped_by_a_goroutine_of_cpp_are_let_go_in_python():
    """A value that never arrives ends on a goroutine, where Python must not run."""
    seen = []

    class Tells:
        def __del__(self):
            seen.append(threading.current_thread())

    into, out = gotorch.chan(), gotorch.chan()
    out.close()
    gotorch._C._relay(into, out)
    into.send(Tells())
    wait_until(lambda: seen)
    assert seen == [threading.main_thread()]


# Select


def test_select_takes_what_is_ready():
    a, b = gotorch.chan(1), gotorch.chan(1)
    assert gotorch.select(gotorch.recv(a), gotorch.send(b, 1)) == (1, None, True)
    assert gotorch.select(gotorch.recv(a), gotorch.send(b, 1), default=True) == (-1, None, False)
    assert gotorch.select(gotorch.recv(a), gotorch.send(b, 1), timeout=0.01) == (-1, None, False)
    assert gotorch.select(gotorch.recv(a), gotorch.recv(b), gotorch.send(b, 2)) == (1, 1, True)
    a.close()
    assert gotorch.select(gotorch.recv(a), gotorch.recv(b)) == (0, None, False)
    assert gotorch.select(default=True) == (-1, None, False)


def test_select_waits():
    channels = [gotorch.chan() for _ in range(20)]
    for i in (0, 7, 19):
        h = gotorch.go(lambda i=i: (gotorch.sleep(0.005), channels[i].send(i)))
        assert gotorch.select(*map(gotorch.recv, channels)) == (i, i, True)
        h.result(FOREVER)
        h = gotorch.go(channels[i].recv)
        n, value, ok = gotorch.select(*(gotorch.send(c, k) for k, c in enumerate(channels)))
        assert (n, value, ok, h.result(FOREVER)) == (i, None, True, i)


def test_select_is_fair():
    channels = [gotorch.chan(1) for _ in range(5)]
    seen = [0] * 5
    for _ in range(1000):
        for c in channels:
            c.try_send(0)
        seen[gotorch.select(*map(gotorch.recv, channels))[0]] += 1
    assert min(seen) > 100  # 200 expected, 12.6 the standard deviation


def test_the_same_channel_on_both_sides_of_a_select():
    c = gotorch.chan()
    h = gotorch.go(c.recv)
    i = gotorch.select(gotorch.recv(c), gotorch.send(c, "x"), gotorch.recv(c))
    assert i == (1, None, True) and h.result(FOREVER) == "x"


def test_select_of_a_tensor_is_pytorchs():
    x = gotorch.arange(6).reshape(2, 3)
    assert gotorch.select(x, 0, 1).tolist() == [3, 4, 5]
    assert gotorch.select(input=x, dim=1, index=-1).tolist() == [2, 5]
    assert x.select(1, 0).tolist() == [0, 3]
    with pytest.raises(IndexError):
        gotorch.select(x, 5, 0)


def test_many_threads_meet_at_one_channel():
    c, total = gotorch.chan(3), 0
    with gotorch.scope() as s:
        consumers = [s.go(lambda: sum(c)) for _ in range(4)]
        producers = [s.go(lambda: [c.send(i) for i in range(250)]) for _ in range(4)]
        for p in producers:
            p.result(FOREVER)
        c.close()
        total = sum(h.result(FOREVER) for h in consumers)
    assert total == 4 * sum(range(250))
