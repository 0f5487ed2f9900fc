"""Optimizers and schedules of the learning rate."""

from gotorch.optim import lr_scheduler
from gotorch.optim.optimizer import Optimizer
from gotorch.optim.rules import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
)
