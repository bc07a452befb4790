"""What a model must know of the pictures before it is built, measured on the training split."""

import numpy as np
from PIL import ImageStat

from sightline.data.source import SourceData
from sightline.data.transforms import ToMode
from sightline.types import DatasetInfo

MAX_PICTURES = 256  # enough for a mean to two digits, quick enough for photographs


def describe_data(source: SourceData, class_names: tuple[str, ...]) -> DatasetInfo:
    """Channels, typical size, mean and deviation of a seeded sample of training pictures."""
    train = source.splits["train"]
    count = min(MAX_PICTURES, len(train))
    sample = np.random.default_rng(0).choice(len(train), size=count, replace=False)
    pictures = [train.images[int(index)] for index in sample]
    grey = all(picture.mode in ("L", "1", "LA", "I;16", "I", "F") for picture in pictures)
    in_chans = 1 if grey else 3
    to_mode = ToMode(in_chans)
    statistics = [ImageStat.Stat(to_mode(picture)) for picture in pictures]
    pixels = np.array([stat.count for stat in statistics], dtype=np.float64)  # (N, C)
    total = pixels.sum(axis=0)
    mean = np.array([stat.sum for stat in statistics]).sum(axis=0) / total
    square = np.array([stat.sum2 for stat in statistics]).sum(axis=0) / total
    std = np.sqrt(np.maximum(square - mean**2, 1.0))  # one grey level at least
    size = source.img_size or int(np.median([min(picture.size) for picture in pictures]))
    return DatasetInfo(
        name=source.name,
        class_names=class_names,
        in_chans=in_chans,
        img_size=size,
        mean=tuple(round(float(value) / 255, 4) for value in mean),
        std=tuple(round(float(value) / 255, 4) for value in std),
    )
