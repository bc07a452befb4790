"""Geometry of images: how one of any size becomes the model's input."""

from typing import Any

from PIL import Image, ImageColor
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from sightline.types import MODES, PreprocessSpec

FITTED = ("border", "letterbox", "pad")  # the whole image, and colour beside it


class Geometry:
    """The geometry of a spec's `crop_mode`: resize, then cut out the middle, or pad around it.

    Called on torchvision's functions, not its transform classes, whose bookkeeping costs more than
    the work on a small image. The sizes are timm's for center, squash and border, and those of
    Pillow's `ImageOps.contain` for letterbox and pad.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        self.out = spec.size
        self.target = [int(each / spec.crop_pct) for each in spec.size]
        self.crop_mode = spec.crop_mode
        self.interpolation = InterpolationMode(spec.interpolation)
        self.fill = _fill(spec) if spec.crop_mode in FITTED else None

    def __call__(self, image: Image.Image | Tensor) -> Image.Image | Tensor:
        """The image at the model's input size."""
        height, width = functional.get_size(image)
        size = self.resized(height, width)
        result: Any = functional.resize(image, size, self.interpolation)
        if self.fill is not None:
            down, right = (max(0, o - each) for o, each in zip(self.out, size, strict=True))
            edges = [right // 2, down // 2, (right + 1) // 2, (down + 1) // 2]
            result = functional.pad(result, edges, fill=self.fill) if any(edges) else result
        if functional.get_size(result) == list(self.out):
            return result
        return functional.center_crop(result, list(self.out))

    @property
    def side(self) -> int:
        """The longer side to which images are resized, for decoding at a smaller scale."""
        return max(self.target)

    def resized(self, height: int, width: int) -> list[int]:
        """Height and width to which an image is resized before it is cut or padded."""
        if self.crop_mode == "squash":
            return list(self.target)
        down, along = self.target
        higher = height * along >= width * down  # than the target's shape
        if self.crop_mode == "center" and down == along:  # in whole pixels, as torchvision
            return (
                [int(down * height / width), down] if higher else [down, int(down * width / height)]
            )
        by_height = higher != (self.crop_mode == "center")
        own, side = (height, down) if by_height else (width, along)
        if self.crop_mode in ("center", "border"):
            ratio = own / side
            return [max(1, round(each / ratio)) for each in (height, width)]
        side = min(side, own) if self.crop_mode == "pad" else side
        return [max(1, round(each / own * side)) for each in (height, width)]

    def unseen(self, height: int, width: int) -> float:
        """The share of an image's pixels that is cut away, in [0, 1)."""
        seen = 1.0
        for side, out in zip(self.resized(height, width), self.out, strict=True):
            seen *= min(side, out) / side
        return 1 - seen


def _fill(spec: PreprocessSpec) -> list[int]:
    """The colour beside an image, a value for each channel: timm's border has that of the mean."""
    if spec.crop_mode == "border":
        return [round(255 * value) for value in spec.mean]
    mode = MODES.get(spec.in_chans)
    colour = ImageColor.getcolor(spec.background, mode or "L")
    values = [colour] if isinstance(colour, int) else list(colour)
    return values if mode is not None else values * spec.in_chans
