"""From a picture to the uint8 tensor a model takes; normalising is the model's own first step."""

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import Transform, functional

from sightline.types import MODES, PreprocessSpec


class ToMode:
    """Convert a picture to grey or colour; transparency is laid on white."""

    def __init__(self, in_chans: int) -> None:
        self.mode = MODES[in_chans]

    def __call__(self, image: Image.Image) -> Image.Image:
        """The picture in the mode asked for."""
        if image.mode == self.mode:
            return image
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            rgba = image.convert("RGBA")
            white = Image.new("RGBA", rgba.size, "white")
            image = Image.alpha_composite(white, rgba)
        return image.convert(self.mode)


class Geometry:
    """timm's evaluation geometry for a spec's `crop_mode`: resize, then cut out the middle.

    Called on torchvision's functions, not its transform classes, whose bookkeeping costs more than
    the work on a small picture.
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

    def __call__(self, image: Image.Image) -> Image.Image:
        """The picture at (img_size, img_size)."""
        if self.crop_mode == "border":
            for step in self.border:
                image = step(image)
            return image
        size = [self.side, self.side] if self.crop_mode == "squash" else [self.side]
        image = functional.resize(image, size, self.interpolation)
        if image.size == (self.img_size, self.img_size):
            return image
        return functional.center_crop(image, [self.img_size, self.img_size])


class PictureTransform:
    """From a picture to uint8 of shape (in_chans, img_size, img_size).

    Args:
        spec: the model's preprocessing.
        augmentations: for training alone; they come between the geometry and the tensor.
    """

    def __init__(self, spec: PreprocessSpec, augmentations: Sequence[Transform] = ()) -> None:
        self.steps = [ToMode(spec.in_chans), Geometry(spec), *augmentations]

    def __call__(self, image: Image.Image) -> Tensor:
        """The tensor; normalising it is left to the model."""
        for step in self.steps:
            image = step(image)
        return functional.pil_to_tensor(image)
