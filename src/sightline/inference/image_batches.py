"""Images read by worker processes, a batch at a time, in order; a bad one does not end it."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sightline.data.loading.transforms import ImageTransform
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.images import Images
from sightline.data.reading.workers import start_worker, usable_cores

log = logging.getLogger(__name__)

PARALLEL_FROM = 256  # images: fewer are read before worker processes have started


@dataclass(frozen=True)
class ImageBatch:
    """Consecutive images.

    Attributes:
        start: position of the first.
        size: how many there are, bad ones among them.
        images: uint8 of shape (G, C, S, S), those that could be read, in order.
        errors: what is wrong, by position in the batch.
    """

    start: int
    size: int
    images: Tensor
    errors: dict[int, str]

    def pin_memory(self) -> "ImageBatch":
        """The same in memory that a GPU copies from at once; the loader calls this."""
        return ImageBatch(self.start, self.size, self.images.pin_memory(), self.errors)


class ImageBatches(Dataset[ImageBatch]):
    """Item b is the b-th batch of what is left to read.

    Args:
        images: all images.
        transform: the model's.
        start: how many are done.
        batch_size: images a batch.
    """

    def __init__(
        self, images: Images, transform: ImageTransform, start: int, batch_size: int
    ) -> None:
        self.images = images
        self.transform = transform
        self.start = start
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-(len(self.images) - self.start) // self.batch_size)

    def __getitem__(self, number: int) -> ImageBatch:
        start = self.start + number * self.batch_size
        size = min(self.batch_size, len(self.images) - start)
        images, errors = [], {}
        for position in range(size):
            try:
                image = self.images.read(start + position, self.transform.side)
                images.append(self.transform(image))
            except UnreadableImage as error:
                errors[position] = str(error)
            except Exception as error:  # noqa: BLE001  damaged files make decoders raise anything
                errors[position] = f"{type(error).__name__}: {error}"
        stacked = torch.stack(images) if images else torch.empty(0, dtype=torch.uint8)
        return ImageBatch(start, size, stacked, errors)


def image_batches(
    images: Images, transform: ImageTransform, start: int, batch_size: int, num_workers: int | str
) -> DataLoader[ImageBatch]:
    """A loader of ImageBatch over all images from `start` on.

    Args:
        images: all images.
        transform: the model's.
        start: how many are done.
        batch_size: images a batch.
        num_workers: processes that read; auto: one a core where there are many images.
    """
    if num_workers == "auto":
        num_workers = usable_cores() if len(images) - start >= PARALLEL_FROM else 0
    return DataLoader(
        ImageBatches(images, transform, start, batch_size),
        batch_size=None,
        num_workers=int(num_workers),
        worker_init_fn=start_worker,
        pin_memory=torch.cuda.is_available(),
    )
