"""Batches of images read by worker processes, in order; unreadable images become errors."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.images import Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import start_worker, usable_cores

log = logging.getLogger(__name__)

PARALLEL_FROM = 256  # images: fewer are read sooner than worker processes start


@dataclass(frozen=True)
class ImageBatch:
    """Consecutive images.

    Attributes:
        start: position of the first image.
        size: number of images, unreadable ones included.
        images: the G readable ones in order, uint8, shape (G, C, S, S).
        errors: messages, by position in the batch.
    """

    start: int
    size: int
    images: Tensor
    errors: dict[int, str]

    def pin_memory(self) -> "ImageBatch":
        """The same batch in page-locked memory; the loader calls this."""
        return ImageBatch(self.start, self.size, self.images.pin_memory(), self.errors)


class ImageBatches(Dataset[ImageBatch]):
    """Dataset whose item b is the b-th batch from `start` on.

    Args:
        images: all images.
        transform: the model's.
        start: position of the first image to read.
        batch_size: images in a batch.
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
                image = self.images.read(start + position, self.transform.reading)
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
    """A loader of ImageBatch over the images from `start` on.

    Args:
        images: all images.
        transform: the model's.
        start: position of the first image to read.
        batch_size: images in a batch.
        num_workers: processes that read; auto: one for each core from 256 images on, else none.
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
