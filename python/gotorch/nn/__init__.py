"""Layers, containers, losses and their functions."""

from gotorch.nn import functional, init, layers, modules, parameter, utils
from gotorch.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from gotorch.nn.layers import *  # noqa: F403 (the classes of the C++ table)
from gotorch.nn.module import Module
from gotorch.nn.parameter import Buffer, Parameter
from gotorch.nn.recurrent import *  # noqa: F403
from gotorch.nn.transformer import *  # noqa: F403
from gotorch.nn.unpool import *  # noqa: F403
