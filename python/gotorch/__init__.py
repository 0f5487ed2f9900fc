"""GoTorch: PyTorch's programming model on CPUs, on a goroutine runtime."""

from gotorch._C import __version__, get_num_threads

__all__ = ["__version__", "get_num_threads"]
