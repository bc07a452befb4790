"""Random resized crop: a box of random area and aspect, resized to the model's input."""

import math

import torch
from torch import Tensor

from sightline.data.geometries.base import Crops, Interpolation, TrainingGeometry
from sightline.errors import UserError
from sightline.types import Size

TRIES = 10  # as in torchvision and timm; then the middle is cut out
FRAME = 2  # times the input's side: a crop of a quarter of the frame keeps its pixels


class RandomResizedCrop(TrainingGeometry):
    """The crop of Inception and of every ImageNet recipe since (Szegedy et al. 2015).

    The boxes have torchvision's and timm's distribution.

    Args:
        scale: least and greatest share of the image's area, in (0, 1].
        ratio: least and greatest width through height of the box.
        interpolation: see `TrainingGeometry`; timm's default is random, torchvision's bilinear.

    Raises:
        UserError: the shares or ratios are not in order, or out of range.
    """

    def __init__(
        self, scale: list[float], ratio: list[float], interpolation: Interpolation
    ) -> None:
        super().__init__(interpolation)
        self.scale, self.ratio = _ordered("scale", scale, most=1), _ordered("ratio", ratio)

    def sample(self, sizes: Tensor, out: Size) -> Crops:
        """Boxes within the images."""
        count = len(sizes)
        height, width = sizes.double()[:, :, None].unbind(1)
        low, high = self.scale
        area = (low + (high - low) * _uniform(count)) * height * width
        low, high = map(math.log, self.ratio)
        ratio = (low + (high - low) * _uniform(count)).exp()
        widths, heights = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
        first = fits.int().argmax(1, keepdim=True)
        box = torch.cat([heights.gather(1, first), widths.gather(1, first)], 1)
        room = sizes - box + 1
        corner = (torch.rand(count, 2, dtype=torch.double) * room).floor()
        middle = self._middle(height[:, 0], width[:, 0])
        found = fits.any(1, keepdim=True)
        boxes = torch.where(found, torch.cat([corner, box], 1), middle).long()
        return Crops(sizes, boxes, self.cubic(count))

    def _middle(self, height: Tensor, width: Tensor) -> Tensor:
        """The largest box in the middle whose ratio is allowed, shape (B, 4)."""
        least, most = self.ratio
        aspect = width / height
        tall = torch.where(aspect < least, (width / least).round(), height)
        wide = torch.where(aspect > most, (height * most).round(), width)
        corner = [((height - tall) / 2).floor(), ((width - wide) / 2).floor()]
        return torch.stack([*corner, tall, wide], 1)

    def frame_size(self, out: Size) -> int:
        """Twice the longer side of the input."""
        return FRAME * max(out)


def _uniform(count: int) -> Tensor:
    return torch.rand(count, TRIES, dtype=torch.double)


def _ordered(name: str, ends: list[float], most: float = math.inf) -> tuple[float, float]:
    if len(ends) != 2 or not 0 < ends[0] <= ends[1] <= most:
        bound = f" and {most:g}" if most < math.inf else ""
        raise UserError(
            f"augment.geometry.{name}: expected two numbers, the lower one first, above 0{bound}"
            f"{' at most' if bound else ''}, but got {ends}."
        )
    return ends[0], ends[1]
