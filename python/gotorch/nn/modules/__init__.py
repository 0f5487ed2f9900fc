"""The layers under the name that PyTorch's own files have for them."""

from gotorch.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from gotorch.nn.layers import *  # noqa: F403 (the classes of the C++ table)
from gotorch.nn.modules import module
from gotorch.nn.modules.module import Module
from gotorch.nn.transformer import *  # noqa: F403
