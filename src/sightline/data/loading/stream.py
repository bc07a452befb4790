"""Training samples that come in sequence, too many to index or to keep."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from sightline.config.schema import DataConfig
from sightline.data.loading.rng import seed_image
from sightline.data.loading.transforms import ImageTransform
from sightline.data.reading.decode import ImageData, UnreadableImage, read_image
from sightline.errors import UserError

log = logging.getLogger(__name__)

MIN_SEEN = 100  # samples, before the share of unreadable ones is judged
Sample = tuple[str, bytes, Any]  # name, the image's file, encoded target


class Stream(ABC):
    """Samples of the training split, in shards.

    Attributes:
        samples: how many an epoch has.
        shards: how many parts can be read at once.
    """

    samples: int
    shards: int

    @abstractmethod
    def read(self, part: int, parts: int, seed: int) -> Iterator[Sample]:
        """The samples of every `parts`-th shard from `part` on, shuffled; endless.

        Args:
            part: which one, from 0.
            parts: how many processes read in all.
            seed: another one each epoch.
        """

    def sample(self, count: int) -> list[ImageData]:
        """The first images, for statistics."""
        images = []
        for name, content, _ in self.read(0, 1, seed=0):
            images.append(read_image(content, name))
            if len(images) == min(count, self.samples):
                break
        return images


class StreamDataset(IterableDataset[Any]):
    """One epoch of a stream, shared out over ranks and worker processes in equal parts.

    Args:
        stream: the samples.
        transform: from an image to a tensor.
        encode: from the stream's target to the label mode's.
        config: what is done about images that cannot be read.
        seed: of the order, to which each epoch adds 1, and of what is drawn for each image.
        rank: this process among `world`.
        world: processes that train together.
    """

    def __init__(
        self,
        stream: Stream,
        transform: ImageTransform,
        encode: Callable[[Any], Tensor],
        config: DataConfig,
        seed: int,
        rank: int,
        world: int,
    ) -> None:
        self.stream = stream
        self.transform = transform
        self.encode = encode
        self.config = config
        self.seed = seed
        self.rank = rank
        self.world = world
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # with workers that persist
        self.begun = (0, 0)

    def __len__(self) -> int:
        return self.stream.samples // self.world

    def begin_at(self, epoch: int, batches: int) -> None:
        """Start in an epoch, after so many batches of this rank."""
        self.begun = (epoch, batches)
        self.start_epoch(epoch)

    def start_epoch(self, epoch: int) -> None:
        """Read this epoch next, in worker processes too."""
        self.epoch.fill_(epoch)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = get_worker_info()
        workers = worker.num_workers if worker else 1
        epoch = int(self.epoch)
        batches = self.begun[1] if self.begun[0] == epoch else 0
        # Batches come from the workers in turn; the one whose turn it is comes first.
        index = ((worker.id if worker else 0) + batches) % workers
        done = len(range(index, batches, workers)) * self.config.batch_size
        quota = len(self) // workers + (index < len(self) % workers)
        part, parts = self.rank * workers + index, self.world * workers
        samples = self.stream.read(part, parts, self.seed + epoch)
        seen = failed = 0
        while seen - failed < quota:
            name, content, target = next(samples)
            seen += 1
            number = seen - failed
            again = number <= done  # before the interruption
            if again and self.config.on_error == "raise":
                continue
            seed_image(self.seed, epoch, part, number)
            try:
                image = self.transform(read_image(content, name, self.transform.side))
            except UnreadableImage as error:
                failed += 1
                self._skip(error, failed, seen)
                continue
            if not again:
                yield {"image": image, "target": self.encode(target), "index": torch.tensor(-1)}

    def _skip(self, error: UnreadableImage, failed: int, seen: int) -> None:
        if self.config.on_error == "raise":
            raise error
        log.warning("left out: %s", error)
        if seen >= MIN_SEEN and failed / seen > self.config.max_skipped_fraction:
            raise UserError(
                f"{failed} of {seen} images of the stream cannot be read, over "
                f"data.max_skipped_fraction={self.config.max_skipped_fraction:g}. {error}"
            )
