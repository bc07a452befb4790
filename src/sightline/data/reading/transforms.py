"""Transforms of an image to the uint8 tensor of a model, which normalises it in its first step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import Transform, functional

from sightline.data.reading.decode import ImageData, UnreadableImage, channels
from sightline.types import MODES, PreprocessSpec


class ToMode:
    """Convert an image to `in_chans` channels; transparency is laid on the background."""

    def __init__(self, in_chans: int, background: str) -> None:
        self.in_chans = in_chans
        self.mode = MODES.get(in_chans)
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
            f"train with model.in_chans={channels(image)}, or give images that have as many."
        )


class Geometry:
    """timm's evaluation geometry for a spec's `crop_mode`: resize, then cut out the middle.

    Called on torchvision's functions, not its transform classes, whose bookkeeping costs more than
    the work on a small image.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        self.side = int(spec.img_size / spec.crop_pct)
        self.img_size = spec.img_size
        self.crop_mode = spec.crop_mode
        self.interpolation = InterpolationMode(spec.interpolation)
        if self.crop_mode == "border":
            from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio

            resize = ResizeKeepRatio(self.side, longest=1.0, interpolation=spec.interpolation)
            colour: Any = [round(255 * value) for value in spec.mean]
            self.border = (resize, CenterCropOrPad(spec.img_size, fill=colour))

    def __call__(self, image: Image.Image | Tensor) -> Image.Image | Tensor:
        """The image at (img_size, img_size)."""
        if self.crop_mode == "border":
            for step in self.border:
                image = step(image)
            return image
        size = [self.side, self.side] if self.crop_mode == "squash" else [self.side]
        resized: Any = functional.resize(image, size, self.interpolation)
        if functional.get_size(resized) == [self.img_size, self.img_size]:
            return resized
        return functional.center_crop(resized, [self.img_size, self.img_size])


class ImageTransform:
    """From an image to uint8 of shape (in_chans, img_size, img_size).

    Args:
        spec: the model's preprocessing.
        augmentations: for training alone; they come between the geometry and the tensor.

    Attributes:
        min_side: what `read_image` may shrink a JPEG to; None: it is decoded at its full size.
    """

    def __init__(self, spec: PreprocessSpec, augmentations: Sequence[Transform] = ()) -> None:
        geometry = Geometry(spec)
        self.steps = [ToMode(spec.in_chans, spec.background), geometry, *augmentations]
        self.min_side = geometry.side if spec.decode == "fast" else None

    def __call__(self, image: ImageData) -> Tensor:
        """The tensor; normalising it is left to the model."""
        result: Any = image
        for step in self.steps:
            result = step(result)
        return result if isinstance(result, Tensor) else functional.pil_to_tensor(result)
