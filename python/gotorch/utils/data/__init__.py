"""Datasets, samplers and the loader that turns them into batches."""

from gotorch.utils.data import _utils, dataloader, dataset, distributed, sampler
from gotorch.utils.data._utils.collate import default_collate, default_convert
from gotorch.utils.data._utils.worker import WorkerInfo, get_worker_info
from gotorch.utils.data.dataloader import DataLoader
from gotorch.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from gotorch.utils.data.distributed import DistributedSampler
from gotorch.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
