"""What the tests of goroutines, channels and scopes share."""

import time

FOREVER = 20  # seconds after which a test that hangs fails


def wait_until(condition):
    end = time.monotonic() + FOREVER
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.001)


def fails():
    raise KeyError("lost")
