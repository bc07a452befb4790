"""Statistics of the training images that a model is built with: channels, size, mean, deviation."""

from typing import Any

import numpy as np
from torch import Tensor

from sightline.config.schema import DataConfig
from sightline.data.image_sizes import ImageSizes
from sightline.data.reading.decode import Reading, UnreadableImage
from sightline.data.reading.raster import ImageData, channels
from sightline.data.reading.transforms import ToMode
from sightline.data.source_data import SourceData
from sightline.errors import UserError
from sightline.types import DatasetInfo, PixelSpec

MAX_IMAGES = 256  # enough for a mean to two digits, quick enough for photographs


def describe_data(
    source: SourceData, images: list[ImageData], class_names: tuple[str, ...], config: DataConfig,
    pixels: PixelSpec,
) -> DatasetInfo:  # fmt: skip
    """Channels, typical size and geometry, mean and deviation of training images.

    Args:
        source: of the images.
        images: see `sample_images`.
        class_names: in the order of the model's outputs.
        config: background, decoding and geometry.
        pixels: the values and channels that are read.
    """
    in_chans = max(channels(image) for image in images)
    to_mode = ToMode(in_chans, config.background, pixels.names)
    arrays = [np.asarray(_as_array(to_mode(image))) for image in images]
    total = sum(each.shape[0] * each.shape[1] for each in arrays)
    mean = sum(each.sum(axis=(0, 1), dtype=np.float64) for each in arrays) / total
    square = sum(np.square(each, dtype=np.float64).sum(axis=(0, 1)) for each in arrays) / total
    std = np.sqrt(np.maximum(square - mean**2, 1.0))  # one grey level at least
    sizes = ImageSizes.of(images)
    wanted = config.geometry or "crop"
    geometry = sizes.suited_geometry() if wanted == "auto" else wanted
    return DatasetInfo(
        name=source.name,
        class_names=class_names,
        in_chans=in_chans,
        img_size=source.img_size or sizes.side(geometry),
        mean=tuple(round(float(value) / 255, 4) for value in mean),
        std=tuple(round(float(value) / 255, 4) for value in std),
        background=config.background,
        decode=config.decode,
        geometry=geometry,
        geometry_given=config.geometry not in ("auto", None),
        pixels=pixels,
    )


def sample_images(source: SourceData, config: DataConfig, pixels: PixelSpec) -> list[ImageData]:
    """A seeded sample of the training images; of a stream its first ones.

    Raises:
        UnreadableImage: one cannot be read, and `config.on_error` is not skip.
        UserError: none can be read.
    """
    reading = Reading(pixels)
    if source.stream is not None:
        return source.stream.sample(MAX_IMAGES, reading)
    train = source.whole_train
    count = min(MAX_IMAGES, len(train))
    images = []
    for index in np.random.default_rng(0).choice(len(train), size=count, replace=False):
        try:
            images.append(train.read(int(index), reading))
        except UnreadableImage:
            if config.on_error == "raise":
                raise
    if not images:
        raise UserError(f"{source.location}: none of the inspected training images can be read.")
    return images


def _as_array(image: Any) -> np.ndarray:
    """(H, W, C) of an image or of a tensor (C, H, W)."""
    if isinstance(image, Tensor):
        return image.numpy().transpose(1, 2, 0)
    array = np.asarray(image)
    return array[:, :, None] if array.ndim == 2 else array
