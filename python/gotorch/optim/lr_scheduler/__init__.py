"""Schedules of the learning rate: call step() after the optimizer's, usually once an epoch.

The formulas are C++'s (optim/schedule.cpp). What a schedule keeps has PyTorch's names, so state dicts can be exchanged.
"""

from gotorch.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from gotorch.optim.lr_scheduler.cycle import CyclicLR, OneCycleLR
from gotorch.optim.lr_scheduler.decay import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from gotorch.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gotorch.optim.lr_scheduler.schedule import LRScheduler

_LRScheduler = LRScheduler  # the name that older programs use
