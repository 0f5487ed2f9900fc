"""The default random generator."""

import contextlib
import threading

from gotorch import _C

default_generator = _C.default_generator
_own = threading.local()


def _current():
    return getattr(_own, "generator", default_generator)


def _use_own_generator(seed):
    """Gives the calling thread, a loader's worker, a default generator that no other thread draws from."""
    _own.generator = _C.Generator().manual_seed(seed)
    _C._set_thread_generator(_own.generator)


def manual_seed(seed):
    """Seeds the default generator; returns it."""
    return _current().manual_seed(int(seed))


def seed():
    """Seeds the default generator from the system's entropy; returns the seed."""
    return _current().seed()


def initial_seed():
    """The last seed of the default generator."""
    return _current().initial_seed()


def get_rng_state():
    """The state of the default generator as a uint8 tensor, in PyTorch's layout."""
    return _current().get_state()


def set_rng_state(new_state):
    """Brings the default generator into a state that get_rng_state returned."""
    _current().set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, device_type="cpu"):
    """A context after which the default generator is as it was before."""
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
