"""GoTorch: PyTorch's programming model on CPUs, on a goroutine runtime."""

import math as _math

from gotorch import _C, _setup, _tensor
from gotorch._device import device
from gotorch._numeric import finfo, iinfo
from gotorch._tensor_str import set_printoptions

__version__ = _C.__version__
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan
strided, sparse_coo = "torch.strided", "torch.sparse_coo"
contiguous_format, preserve_format = "torch.contiguous_format", "torch.preserve_format"
channels_last = "torch.channels_last"

# The ops, dtypes and functions of the extension: many, and some have names of Python's builtins.
globals().update(_setup.public_names())

from gotorch import cpu, cuda, nn, optim  # noqa: E402 (they use what is above)
