"""The interface of a training geometry: sampled crops, apart from the images they are cut from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sightline.types import Size

Interpolation = Literal["bilinear", "bicubic", "random"]
Padding = Literal["constant", "reflect"]


@dataclass(frozen=True)
class Crops:
    """What is cut out of each of B images, and how; whole pixels throughout.

    An image is resized to `resized`, padded where the box lies outside, cut to the box, and the box
    is resized to the size of the output. No geometry needs both resizings.

    Attributes:
        resized: shape (B, 2), height and width of each whole image; its own where it stays as is.
        boxes: shape (B, 4), top, left, height and width in the resized image.
        cubic: shape (B,), whether an image is resized by cubic and not by linear interpolation.
    """

    resized: Tensor
    boxes: Tensor
    cubic: Tensor


class TrainingGeometry(ABC):
    """How images become the model's input in training; evaluation has its own geometry.

    Samples by torch's default generator, so that whoever seeds it decides the crops. Both forms of
    augmentation sample here: an image alone is a batch of one.

    Args:
        interpolation: bilinear, bicubic, or random: one of the two for each image.
        padding: what lies beside an image: constant (black), or reflect.
    """

    def __init__(self, interpolation: Interpolation, padding: Padding = "constant") -> None:
        self.interpolation = interpolation
        self.padding = padding

    @abstractmethod
    def sample(self, sizes: Tensor, out: Size) -> Crops:
        """Crops of images.

        Args:
            sizes: shape (B, 2), height and width of each image, in pixels.
            out: height and width of the model's input.

        Raises:
            UserError: an image is too small to be padded.
        """

    @abstractmethod
    def frame_size(self, out: Size) -> int:
        """The longer side of the whole images that a cache must hold, in pixels.

        Larger ones would take room that the crops do not need.
        """

    def cubic(self, count: int) -> Tensor:
        """Which of `count` images are resized by cubic interpolation."""
        if self.interpolation == "random":
            return torch.rand(count) < 0.5
        return torch.full((count,), self.interpolation == "bicubic")
