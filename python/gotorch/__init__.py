"""GoTorch: PyTorch's programming model on CPUs, on a goroutine runtime."""

import math as _math

from gotorch import _C
from gotorch._C import *  # noqa: F403
from gotorch._device import device
from gotorch._tensor_str import set_printoptions
