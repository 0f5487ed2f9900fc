"""Anomaly mode: errors and NaN in backward name the forward call they belong to."""

from gotorch import _C


class set_detect_anomaly:  # noqa: N801 (PyTorch's name)
    """Turns anomaly mode on or off: from now on, or as a context."""

    def __init__(self, mode, check_nan=True):
        self._before = _C._anomaly_mode()
        _C._set_anomaly_mode(mode, check_nan)

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        _C._set_anomaly_mode(*self._before)


class detect_anomaly:  # noqa: N801 (PyTorch's name)
    """A context in which backward reports NaN and where the failing step was recorded."""

    def __init__(self, check_nan=True):
        self._check_nan = check_nan

    def __enter__(self):
        self._before = _C._anomaly_mode()
        _C._set_anomaly_mode(True, self._check_nan)

    def __exit__(self, *exc):
        _C._set_anomaly_mode(*self._before)
