"""The order of the training samples."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DistributedSampler

from sightline.data.loading.rng import ORDER, SampleDraw, sample_seed
from sightline.data.source import Split


class EpochSampler(DistributedSampler[SampleDraw]):
    """Each epoch's training samples in an order of its own, shared out over ranks in equal parts.

    The order depends on the seed and the epoch alone, not on the number of ranks. Lightning leaves
    a DistributedSampler as it is and tells it the epoch.

    Args:
        split: the samples.
        seed: of the order.
        weights: how often to draw each sample, with replacement; None: each once.
        rank: this process among `world`.
        world: processes that train together.
    """

    def __init__(
        self, split: Split, seed: int, weights: Tensor | None, rank: int, world: int
    ) -> None:
        super().__init__(split, num_replicas=world, rank=rank, seed=seed)  # type: ignore[arg-type]
        self.weights = weights
        self.begun: tuple[int, int] = (0, 0)

    def begin_at(self, epoch: int, samples: int) -> None:
        """Start in an epoch, after so many samples of this rank."""
        self.begun = (epoch, samples)
        self.set_epoch(epoch)

    def __iter__(self) -> Iterator[SampleDraw]:
        generator = torch.Generator().manual_seed(sample_seed(self.seed, ORDER, self.epoch))
        size = self.total_size  # the first samples once more, where the ranks' parts are unequal
        if self.weights is None:
            order = torch.randperm(len(self.dataset), generator=generator)  # type: ignore[arg-type]
            order = order[torch.arange(size) % len(order)]
        else:
            order = torch.multinomial(self.weights, size, replacement=True, generator=generator)
        done = self.begun[1] if self.begun[0] == self.epoch else 0
        mine = torch.arange(self.rank, size, self.num_replicas)[done:]
        first = self.epoch * size
        for position, draw in zip(order[mine].tolist(), mine.tolist(), strict=True):
            yield position, first + draw
