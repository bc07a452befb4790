"""Frames: whole images that training crops are cut from, no larger than the crops need."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from sightline.types import PreprocessSpec


class Frame:
    """Resizes a whole image, whose aspect stays, until its longer side is at most `side`.

    Smaller images are never enlarged.

    Args:
        side: in pixels; None: images stay as they are.
        spec: says how it is interpolated.
    """

    def __init__(self, side: int | None, spec: PreprocessSpec) -> None:
        self.side = side
        self.interpolation = InterpolationMode(spec.interpolation)

    def __call__(self, image: Image.Image | Tensor) -> Image.Image | Tensor:
        """The image as a frame."""
        size = functional.get_size(image)
        longer = max(size)
        if self.side is None or longer <= self.side:
            return image
        smaller = [max(1, round(each / longer * self.side)) for each in size]
        resized: Any = functional.resize(image, smaller, self.interpolation)
        return resized

    def padded(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """A frame (C, h, w) in the corner of (C, side, side), and its height and width."""
        assert self.side is not None
        height, width = image.shape[1:]
        corner = pad(image, (0, self.side - width, 0, self.side - height))
        return corner, torch.tensor([height, width])


def frame_side(wanted: int | None, needed: int, longer: Iterable[int] | np.ndarray) -> int | None:
    """The longer side of frames: as the config says, or what the crops need of these images.

    Args:
        wanted: of the config; None: chosen.
        needed: by the geometry.
        longer: longer sides of a sample of the images.
    """
    return wanted or min(needed, max(int(each) for each in longer))
