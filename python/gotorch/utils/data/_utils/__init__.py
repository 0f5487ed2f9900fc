"""The parts of DataLoader."""

from gotorch.utils.data._utils import collate, worker
