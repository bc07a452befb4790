"""Sampler of the training samples: a seeded order for each epoch, shared out over ranks."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from sightline.data.loading.rng import ORDER, SampleIndex, derived_seed
from sightline.data.source_data import Split


class EpochSampler(DistributedSampler[SampleIndex]):
    """Each epoch's training samples in an order of its own, shared out over ranks in equal parts.

    The order depends on the seed and the epoch alone, not on the number of ranks. Lightning leaves
    a DistributedSampler as it is and sets its epoch.

    Args:
        split: the samples.
        seed: of the order.
        weights: shape (N,), for sampling with replacement; None: each sample once.
        rank: this process among `world`.
        world: number of processes that train together.
        repeats: how often each of an epoch's images is in it, one after the other, so that ranks
            share the repetitions; an epoch is as long as without.
    """

    def __init__(
        self, split: Split, seed: int, weights: Tensor | None, rank: int, world: int,
        repeats: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(split, num_replicas=world, rank=rank, seed=seed)  # type: ignore[arg-type]
        self.weights = weights
        self.repeats = repeats
        self.first_epoch, self.samples_done = 0, 0

    def begin_at(self, epoch: int, samples: int) -> None:
        """Start in an epoch, after a number of this rank's samples."""
        self.first_epoch, self.samples_done = epoch, samples
        self.set_epoch(epoch)

    def __iter__(self) -> Iterator[SampleIndex]:
        generator = torch.Generator().manual_seed(derived_seed(self.seed, ORDER, self.epoch))
        size = self.total_size  # a multiple of the ranks: the first samples are repeated to fill it
        if self.weights is None:
            order = torch.randperm(len(self.dataset), generator=generator)  # type: ignore[arg-type]
            order = order[torch.arange(size) % len(order)]
        else:
            order = torch.multinomial(self.weights, size, replacement=True, generator=generator)
        order = order.repeat_interleave(self.repeats)[:size]
        done = self.samples_done if self.epoch == self.first_epoch else 0
        mine = torch.arange(self.rank, size, self.num_replicas)[done:]
        before = self.epoch * size
        for position, number in zip(order[mine].tolist(), mine.tolist(), strict=True):
            yield position, before + number


def is_lone(samples: int, batch_size: int) -> bool:
    """Whether the last of several batches has a single sample."""
    return samples > batch_size > 1 and samples % batch_size == 1
