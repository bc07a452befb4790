"""Transforms of an image to the uint8 tensor of a model, which normalises it in its first step."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional

from sightline.data.reading.decode import Reading, UnreadableImage
from sightline.data.reading.geometry import Geometry
from sightline.data.reading.raster import ImageData, channels
from sightline.types import MODES, PreprocessSpec

ImageStep = Callable[[Any], Any]  # from an image to an image, Pillow's or a tensor


class Shape(Protocol):
    """A resizing of images; files may be decoded at a scale at which it is still exact."""

    @property
    def side(self) -> int | None:
        """The longer side that images are resized to; None: their own."""

    def __call__(self, image: Image.Image | Tensor) -> Image.Image | Tensor:
        """The resized image."""


class ToMode:
    """Convert an image to `in_chans` channels; transparency is laid on the background.

    Args:
        in_chans: channels of the model.
        background: the colour under transparent pixels.
        names: of the training images' channels, where these are neither grey nor colour: images
            must have as many.
    """

    def __init__(self, in_chans: int, background: str, names: Sequence[str] = ()) -> None:
        self.in_chans = in_chans
        self.mode = None if names else MODES.get(in_chans)
        self.background = background

    def __call__(self, image: ImageData) -> Image.Image | Tensor:
        """An image in the requested mode; a tensor (C, H, W) where Pillow has no such mode.

        Raises:
            UnreadableImage: its channels cannot be converted.
        """
        if isinstance(image, np.ndarray) or self.mode is None:
            return self._tensor(image)
        if image.mode == "RGBA" == self.mode:
            return image
        if self.mode == "RGBA":
            return image.convert("RGBA")
        if image.mode in ("RGBA", "LA", "La", "RGBa") or "transparency" in image.info:
            rgba = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", rgba.size, self.background), rgba)
        return image if image.mode == self.mode else image.convert(self.mode)

    def _tensor(self, image: ImageData) -> Tensor:
        if isinstance(image, np.ndarray) and image.shape[2] == self.in_chans:
            return torch.from_numpy(np.moveaxis(image, 2, 0).copy())
        raise UnreadableImage(
            f"An image has {channels(image)} channels, but the model takes {self.in_chans}; "
            f"train with model.in_chans={channels(image)}, or give images that have as many, or "
            "name those that are read (data.channels)."
        )


class ImageTransform:
    """From an image to uint8 of shape (in_chans, height, width).

    Args:
        spec: the model's preprocessing.
        augmentations: for training alone; they come between the geometry and the tensor.
        shape: in place of the spec's geometry: whole images that crops are cut from.

    Attributes:
        reading: how the image's file is read.
    """

    def __init__(
        self, spec: PreprocessSpec, augmentations: Sequence[ImageStep] = (),
        shape: Shape | None = None,
    ) -> None:  # fmt: skip
        geometry: Shape = Geometry(spec) if shape is None else shape
        to_mode = ToMode(spec.in_chans, spec.background, spec.pixels.names)
        self.steps: list[ImageStep] = [to_mode, geometry, *augmentations]
        self.reading = Reading(spec.pixels, geometry.side if spec.decode == "fast" else None)

    def __call__(self, image: ImageData) -> Tensor:
        """The tensor; normalising it is left to the model."""
        result: Any = image
        for step in self.steps:
            result = step(result)
        return result if isinstance(result, Tensor) else functional.pil_to_tensor(result)
