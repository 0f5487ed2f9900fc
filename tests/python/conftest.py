import os

# PyTorch's threads would fight with ours and with the other test processes for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if "CI" in os.environ:
    import torch  # noqa: F401 (in CI a test that compares with PyTorch must not be skipped)
