"""Random crop: the whole image at the input's scale, padded, and cut at a random place."""

import torch
from torch import Tensor

from sightline.data.geometries.base import Crops, Interpolation, Padding, TrainingGeometry
from sightline.errors import UserError
from sightline.types import Size

FRAME = 2  # times the input's longer side: frames of up to 2:1 cover the input


class RandomCrop(TrainingGeometry):
    """The crop of CIFAR's recipes (He et al. 2016), and of DeiT III's with reflection.

    The image is resized so that it just covers the input, as in evaluation without a crop; images
    of the input's size stay as they are.

    Args:
        pad: pixels on each side.
        padding: see `TrainingGeometry`.
        interpolation: see `TrainingGeometry`.
    """

    def __init__(self, pad: int, padding: Padding, interpolation: Interpolation) -> None:
        super().__init__(interpolation, padding)
        if pad < 0:
            raise UserError(f"augment.geometry.pad: expected pixels from 0, but got {pad}.")
        self.pad = pad

    def sample(self, sizes: Tensor, out: Size) -> Crops:
        """Boxes of the input's size, at whole pixels of the resized images."""
        wanted = torch.tensor(out)
        if self.padding == "reflect" and self.pad >= min(out):
            raise UserError(
                f"augment.geometry.pad={self.pad}: an image of {out[0]}×{out[1]} pixels can be "
                f"reflected by up to {min(out) - 1}."
            )
        tightest = (wanted / sizes).argmax(1, keepdim=True)  # the side that just covers the input
        factors = wanted.expand(len(sizes), 2).gather(1, tightest), sizes.gather(1, tightest)
        resized = sizes * factors[0] // factors[1]  # cut off, as torchvision does
        room = resized - wanted + 2 * self.pad + 1
        place = (torch.rand(len(sizes), 2, dtype=torch.double) * room).floor().long()
        boxes = torch.cat([place - self.pad, wanted.expand(len(sizes), 2)], 1)
        return Crops(resized, boxes, self.cubic(len(sizes)))

    def frame_size(self, out: Size) -> int:
        """Twice the longer side of the input."""
        return FRAME * max(out)
