"""Iterable dataset over a stream of training samples."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from sightline.config.schema import DataConfig
from sightline.data.geometries.frames import Frame
from sightline.data.loading.datasets import Batch
from sightline.data.loading.rng import ORDER, derived_seed, seed_image
from sightline.data.loading.sampler import is_lone
from sightline.data.reading.decode import UnreadableImage, read_image
from sightline.data.reading.stream import Stream
from sightline.data.reading.transforms import ImageTransform
from sightline.errors import UserError

log = logging.getLogger(__name__)

MIN_SEEN = 100  # samples that are read before the share of unreadable ones is judged


class StreamDataset(IterableDataset[Any]):
    """One epoch of a stream, shared out over ranks in equal parts, and over workers in batches.

    Whole batches: only the epoch's last one can be smaller, whatever the number of workers. A last
    batch of a single sample is left out: batch normalisation cannot learn from it.

    Args:
        stream: the samples.
        transform: from an image to a tensor.
        encode: from the stream's target to the label mode's.
        config: `on_error`, `max_skipped_fraction` and `batch_size`.
        seed: of each epoch's order and each image's augmentation, which are derived from it.
        rank: this process among `world`.
        world: number of processes that train together.
        frame: makes whole images of one shape, where crops are cut from batches of them.
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
        frame: Frame | None = None,
    ) -> None:
        self.stream = stream
        self.transform = transform
        self.encode = encode
        self.config = config
        self.seed = seed
        self.rank = rank
        self.world = world
        self.frame = frame
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # with persistent workers
        self.first_epoch, self.batches_done = 0, 0

    def __len__(self) -> int:
        samples, size = self.stream.samples // self.world, self.config.images_a_batch
        return samples - is_lone(samples, size)

    def begin_at(self, epoch: int, batches: int) -> None:
        """Start in an epoch, after a number of this rank's batches."""
        self.first_epoch, self.batches_done = epoch, batches
        self.start_epoch(epoch)

    def start_epoch(self, epoch: int) -> None:
        """Set the epoch that is read next, in worker processes too."""
        self.epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        workers = worker.num_workers if worker else 1
        epoch = int(self.epoch)
        batches = self.batches_done if epoch == self.first_epoch else 0
        # The loader takes batches from the workers in turn. When it resumes after `batches`, worker
        # 0 gives the first batch, so it takes the part of the worker whose turn it was.
        index = ((worker.id if worker else 0) + batches) % workers
        size = self.config.images_a_batch
        done = len(range(index, batches, workers)) * size
        firsts = range(index * size, len(self), workers * size)  # of this worker's batches
        quota = sum(min(size, len(self) - first) for first in firsts)
        part, parts = self.rank * workers + index, self.world * workers
        samples = self.stream.read(part, parts, derived_seed(self.seed, ORDER, epoch))
        seen = failed = 0
        while seen - failed < quota:
            name, content, target = next(samples)
            seen += 1
            number = seen - failed
            before_resume = number <= done
            if before_resume and self.config.on_error == "raise":
                continue
            seed_image(self.seed, epoch, part, number)
            try:
                image = self.transform(read_image(content, name, self.transform.reading))
            except UnreadableImage as error:
                failed += 1
                self._skip(error, failed, seen)
                continue
            if not before_resume:
                batch = Batch(image=image, target=self.encode(target), index=torch.tensor(-1))
                if self.frame is not None:
                    batch["image"], batch["size"] = self.frame.padded(image)
                yield batch

    def _skip(self, error: UnreadableImage, failed: int, seen: int) -> None:
        if self.config.on_error == "raise":
            raise error
        log.warning("left out: %s", error)
        if seen >= MIN_SEEN and failed / seen > self.config.max_skipped_fraction:
            raise UserError(
                f"{failed} of {seen} images of the stream cannot be read, over "
                f"data.max_skipped_fraction={self.config.max_skipped_fraction:g}. {error}"
            )
