"""The facts that pass between rooms: about a data set, and about the preprocessing of an image."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

# PIL modes by number of channels; an image is converted to it. Other numbers are arrays.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# `data.geometry` as `PreprocessSpec.crop_mode`, which has timm's word for it where there is one.
CROP_MODES = {"crop": "center", "squash": "squash", "pad": "pad", "letterbox": "letterbox"}


@dataclass(frozen=True)
class DatasetInfo:
    """The facts about a data set that a model and its preprocessing need.

    Attributes:
        name: short name of the data set.
        class_names: one name a class (or label), in the order of the model's outputs; for binary
            the negative class first.
        in_chans: channels of the images.
        img_size: side of a typical image in pixels.
        mean: mean of each channel over training images, in [0, 1].
        std: standard deviation of each channel, in [0, 1].
        background: the colour under transparent pixels.
        decode: how JPEGs are decoded, see `PreprocessSpec`.
        geometry: a key of CROP_MODES, as the config says or as the images' aspect suggests.
        geometry_given: whether the config says it; then it holds for pretrained weights too.
    """

    name: str
    class_names: tuple[str, ...]
    in_chans: int
    img_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    background: str = "white"
    decode: str = "exact"
    geometry: str = "crop"
    geometry_given: bool = False


@dataclass(frozen=True)
class PreprocessSpec:
    """The preprocessing of every image, in training, evaluation and prediction alike.

    The image is resized, the middle `img_size` square is cut out, and the values are scaled to
    [0, 1] and normalised by `mean` and `std`. The words are timm's: with `crop_mode` center the
    shorter side becomes `img_size / crop_pct`, with squash both sides, with border the longer one.
    letterbox is border on `background`; pad is letterbox that never enlarges an image. Transparent
    pixels are laid on `background`. With `decode` exact a JPEG is decoded at its full
    size; with fast a large one at 1/2, 1/4 or 1/8, still twice as large as it is resized to.
    """

    img_size: int
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    crop_pct: float = 1.0
    crop_mode: str = "center"
    background: str = "white"
    decode: str = "exact"

    @classmethod
    def from_data(cls, info: DatasetInfo, img_size: int, in_chans: int) -> Self:
        """The spec for a model without pretrained weights: the data's own mean and deviation."""
        mean = adapt_channels(info.mean, in_chans)
        std = adapt_channels(info.std, in_chans)
        spec = cls(img_size, in_chans, mean, std, background=info.background, decode=info.decode)
        return spec.with_geometry(info.geometry)

    def with_geometry(self, geometry: str) -> Self:
        """The spec with another geometry, a key of CROP_MODES.

        But for crop the whole image is seen, so that `crop_pct` of the weights becomes 1.
        """
        crop_pct = self.crop_pct if geometry == "crop" else 1.0
        return replace(self, crop_mode=CROP_MODES[geometry], crop_pct=crop_pct)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as a checkpoint holds them."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; before `decode` was stored, it was fast."""
        plain: dict[str, Any] = {"decode": "fast"} | {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


def adapt_channels(values: tuple[float, ...], in_chans: int) -> tuple[float, ...]:
    """Per-channel statistics for another number of channels: kept, or their mean repeated."""
    if len(values) == in_chans:
        return tuple(values)
    return (sum(values) / len(values),) * in_chans
