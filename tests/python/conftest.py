import os
import threading

import pytest

# PyTorch's threads would fight with ours and with the other test processes for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if "CI" in os.environ:
    import torch  # noqa: F401 (in CI a test that compares with PyTorch must not be skipped)


@pytest.fixture
def reported(monkeypatch):
    """What reaches threading.excepthook."""
    calls = []
    monkeypatch.setattr(threading, "excepthook", lambda args: calls.append(args.exc_type))
    return calls
