"""Statistics of the training images that a model is built with: channels, size, mean, deviation."""

from typing import Any

import numpy as np
from torch import Tensor

from sightline.config.schema import DataConfig
from sightline.data.reading.decode import ImageData, UnreadableImage, channels, size
from sightline.data.reading.transforms import ToMode
from sightline.data.source_data import SourceData
from sightline.errors import UserError
from sightline.types import DatasetInfo

MAX_IMAGES = 256  # enough for a mean to two digits, quick enough for photographs


def describe_data(
    source: SourceData, class_names: tuple[str, ...], config: DataConfig
) -> DatasetInfo:
    """Channels, typical size, mean and deviation of a seeded sample of training images.

    Raises:
        UnreadableImage: one cannot be read, and `config.on_error` is not skip.
    """
    images = _sample(source, config)
    if not images:
        raise UserError(f"{source.location}: none of the inspected training images can be read.")
    in_chans = max(channels(image) for image in images)
    to_mode = ToMode(in_chans, config.background)
    pixels = [np.asarray(_as_array(to_mode(image))) for image in images]
    total = sum(each.shape[0] * each.shape[1] for each in pixels)
    mean = sum(each.sum(axis=(0, 1), dtype=np.float64) for each in pixels) / total
    square = sum(np.square(each, dtype=np.float64).sum(axis=(0, 1)) for each in pixels) / total
    std = np.sqrt(np.maximum(square - mean**2, 1.0))  # one grey level at least
    shorter = source.img_size or int(np.median([min(size(image)) for image in images]))
    return DatasetInfo(
        name=source.name,
        class_names=class_names,
        in_chans=in_chans,
        img_size=shorter,
        mean=tuple(round(float(value) / 255, 4) for value in mean),
        std=tuple(round(float(value) / 255, 4) for value in std),
        background=config.background,
        decode=config.decode,
    )


def _sample(source: SourceData, config: DataConfig) -> list[ImageData]:
    if source.stream is not None:
        return source.stream.sample(MAX_IMAGES)
    train = source.splits["train"]
    count = min(MAX_IMAGES, len(train))
    images = []
    for index in np.random.default_rng(0).choice(len(train), size=count, replace=False):
        try:
            images.append(train.read(int(index)))
        except UnreadableImage:
            if config.on_error == "raise":
                raise
    return images


def _as_array(image: Any) -> np.ndarray:
    """(H, W, C) of an image or of a tensor (C, H, W)."""
    if isinstance(image, Tensor):
        return image.numpy().transpose(1, 2, 0)
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array
