"""What a model must know of the pictures before it is built, measured on the training split."""

from typing import Any

import numpy as np
from torch import Tensor

from sightline.config import DataConfig
from sightline.data.pictures import Picture, UnreadablePicture, channels, size
from sightline.data.source import SourceData
from sightline.data.transforms import ToMode
from sightline.errors import UserError
from sightline.types import DatasetInfo

MAX_PICTURES = 256  # enough for a mean to two digits, quick enough for photographs


def describe_data(
    source: SourceData, class_names: tuple[str, ...], config: DataConfig
) -> DatasetInfo:
    """Channels, typical size, mean and deviation of a seeded sample of training pictures.

    Raises:
        UnreadablePicture: one cannot be read, and `config.on_error` is not skip.
    """
    pictures = _sample(source, config)
    if not pictures:
        raise UserError(f"{source.location}: none of the training pictures looked at can be read.")
    in_chans = max(channels(picture) for picture in pictures)
    to_mode = ToMode(in_chans, config.background)
    pixels = [np.asarray(_as_array(to_mode(picture))) for picture in pictures]
    total = sum(each.shape[0] * each.shape[1] for each in pixels)
    mean = sum(each.sum(axis=(0, 1), dtype=np.float64) for each in pixels) / total
    square = sum(np.square(each, dtype=np.float64).sum(axis=(0, 1)) for each in pixels) / total
    std = np.sqrt(np.maximum(square - mean**2, 1.0))  # one grey level at least
    shorter = source.img_size or int(np.median([min(size(picture)) for picture in pictures]))
    return DatasetInfo(
        name=source.name,
        class_names=class_names,
        in_chans=in_chans,
        img_size=shorter,
        mean=tuple(round(float(value) / 255, 4) for value in mean),
        std=tuple(round(float(value) / 255, 4) for value in std),
        background=config.background,
    )


def _sample(source: SourceData, config: DataConfig) -> list[Picture]:
    if source.stream is not None:
        return source.stream.sample(MAX_PICTURES)
    train = source.splits["train"]
    count = min(MAX_PICTURES, len(train))
    pictures = []
    for index in np.random.default_rng(0).choice(len(train), size=count, replace=False):
        try:
            pictures.append(train.read(int(index)))
        except UnreadablePicture:
            if config.on_error == "raise":
                raise
    return pictures


def _as_array(picture: Any) -> np.ndarray:
    """(H, W, C) of a picture or of a tensor (C, H, W)."""
    if isinstance(picture, Tensor):
        return picture.numpy().transpose(1, 2, 0)
    array = np.asarray(picture)
    return array[:, :, None] if array.ndim == 2 else array
