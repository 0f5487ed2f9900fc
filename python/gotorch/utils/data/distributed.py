"""The part of a dataset that one of several processes reads."""

import math

import gotorch
from gotorch.utils.data.sampler import Sampler


class DistributedSampler(Sampler):
    """Every num_replicas-th index, from rank on, of an order that all processes share; PyTorch's order for the same seed."""

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            raise RuntimeError("DistributedSampler: num_replicas and rank must be given")
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last and n % num_replicas else math.ceil(n / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        n = len(self.dataset)
        indices = list(range(n))
        if self.shuffle:
            indices = gotorch.randperm(n, generator=gotorch.Generator().manual_seed(self.seed + self.epoch)).tolist()
        if not self.drop_last and indices:  # all get as many: the first ones again
            indices *= math.ceil(self.total_size / n)
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Gives each epoch its own order; call it before each."""
        self.epoch = epoch
