"""From a picture to the uint8 tensor a model takes; normalising is the model's own first step."""

from collections.abc import Callable, Sequence

from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2 as transforms

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


def build_transform(
    spec: PreprocessSpec, augmentations: Sequence[transforms.Transform] = ()
) -> transforms.Compose:
    """The transform of every split: uint8 of shape (in_chans, img_size, img_size).

    The geometry is timm's evaluation transform for the spec's `crop_mode`. `augmentations`, for
    training alone, come between that and the tensor.
    """
    steps = [ToMode(spec.in_chans), *_geometry(spec), *augmentations, transforms.PILToTensor()]
    return transforms.Compose(steps)


def _geometry(spec: PreprocessSpec) -> list[Callable[[Image.Image], Image.Image]]:
    side = int(spec.img_size / spec.crop_pct)
    mode = InterpolationMode(spec.interpolation)
    if spec.crop_mode == "border":
        from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio

        resize = ResizeKeepRatio((side, side), longest=1.0, interpolation=spec.interpolation)
        return [resize, CenterCropOrPad((spec.img_size, spec.img_size))]
    size = (side, side) if spec.crop_mode == "squash" else side
    return [transforms.Resize(size, interpolation=mode), transforms.CenterCrop(spec.img_size)]
