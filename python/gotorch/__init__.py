"""GoTorch: PyTorch's programming model on CPUs, on a goroutine runtime."""

import math as _math

from gotorch import _C, _legacy, _setup, _tensor
from gotorch._device import device
from gotorch._numeric import finfo, iinfo
from gotorch._tensor_str import set_printoptions
from gotorch.random import (
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__version__ = _C.__version__
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
strided, sparse_coo = "torch.strided", "torch.sparse_coo"
contiguous_format, preserve_format = "torch.contiguous_format", "torch.preserve_format"
channels_last = "torch.channels_last"

# The ops, dtypes and functions of the extension: many, and some have names of Python's builtins.
globals().update(_setup.public_names(), **_legacy.types)
_int_mm = _C._int_mm  # PyTorch's name of it, too
from gotorch import (  # noqa: E402 (they use what is above)
    autograd,
    backends,
    context,
    cpu,
    cuda,
    nn,
    optim,
    profiler,
    random,
    runtime,
    safetensors,
    serialization,
    testing,
    utils,
)
from gotorch._channels import aselect, select, ticker  # noqa: E402
from gotorch._functions import *  # noqa: E402, F403 (some take the place of an op)
from gotorch._goroutines import Goroutine, go  # noqa: E402
from gotorch._scopes import scope, wait_group  # noqa: E402
from gotorch.serialization import load, save  # noqa: E402
