"""The facts that pass between rooms: about a data set, and about the preprocessing of an image."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

# PIL modes by number of channels; an image is converted to it. Other numbers are arrays.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
MISSING = -1  # a multilabel target that nobody knows: masked in the loss and in the metrics
Size = tuple[int, int]  # height and width, in pixels
ImgSize = int | Size  # the side of a square, or height and width
# `data.geometry` as `PreprocessSpec.crop_mode`, which has timm's word for it where there is one.
CROP_MODES = {"crop": "center", "squash": "squash", "pad": "pad", "letterbox": "letterbox"}


@dataclass(frozen=True)
class PixelSpec:
    """The values and channels that are read of image files, the same for every image of a set.

    Attributes:
        low, high: values that become 0 and 255, of files with more than 8 bits a channel that state
            no range of their own; None: 0 and 65,535, and floating-point numbers are refused.
        outside: largest share of an image's values that may lie outside, and are clipped.
        channels: see `conf/data_common.yaml`; None: as Pillow reads a file.
        names: of the channels, where images are neither grey nor colour; else empty.
    """

    low: float | None = None
    high: float | None = None
    outside: float = 0.0
    channels: str | tuple[int | str, ...] | None = "auto"
    names: tuple[str, ...] = ()

    @property
    def chooses(self) -> bool:
        """Whether the channels are named one by one, and so are data, not transparency."""
        return self.channels == "all" or isinstance(self.channels, tuple)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `asdict`, in which lists may stand for tuples."""
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


AS_STORED = PixelSpec()


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
        pixels: which values and channels of the files are read.
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
    pixels: PixelSpec = AS_STORED


@dataclass(frozen=True)
class PreprocessSpec:
    """The preprocessing of every image, in training, evaluation and prediction alike.

    The image is resized, the middle of `img_size` is cut out, and the values are scaled to
    [0, 1] and normalised by `mean` and `std`. `img_size` is the side of a square, or height and
    width. The words are timm's: with `crop_mode` center the image is resized until it just covers
    `img_size / crop_pct`, with squash it becomes that, with border it just fits into it.
    letterbox is border on `background`; pad is letterbox that never enlarges an image. Transparent
    pixels are laid on `background`. With `decode` exact a JPEG is decoded at its full
    size; with fast a large one at 1/2, 1/4 or 1/8, still twice as large as it is resized to.
    `pixels` says which values and channels of the file are read.
    """

    img_size: ImgSize
    in_chans: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    crop_pct: float = 1.0
    crop_mode: str = "center"
    background: str = "white"
    decode: str = "exact"
    pixels: PixelSpec = AS_STORED

    @property
    def size(self) -> Size:
        """Height and width of the model's input, in pixels."""
        return as_size(self.img_size)

    @property
    def input(self) -> tuple[int, int, int]:
        """Channels, height and width of the model's input."""
        return (self.in_chans, *self.size)

    @classmethod
    def from_data(cls, info: DatasetInfo, img_size: ImgSize, in_chans: int) -> Self:
        """The spec for a model without pretrained weights: the data's own mean and deviation."""
        mean = adapt_channels(info.mean, in_chans)
        std = adapt_channels(info.std, in_chans)
        spec = cls(
            img_size, in_chans, mean, std, background=info.background, decode=info.decode,
            pixels=info.pixels,
        )  # fmt: skip
        return spec.with_geometry(info.geometry)

    def with_geometry(self, geometry: str) -> Self:
        """The spec with another geometry, a key of CROP_MODES.

        But for crop the whole image is seen, so that `crop_pct` of the weights becomes 1.
        """
        crop_pct = self.crop_pct if geometry == "crop" else 1.0
        return replace(self, crop_mode=CROP_MODES[geometry], crop_pct=crop_pct)

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, as a checkpoint holds them."""
        return as_lists(asdict(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Before `decode` was stored, it was fast; before `pixels` was, as Pillow read a file.
        """
        plain: dict[str, Any] = {"decode": "fast"} | {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        pixels = values.get("pixels", {"channels": None})
        return cls(**plain | {"pixels": PixelSpec.from_dict(pixels)})


def as_size(img_size: int | Sequence[int]) -> Size:
    """Height and width of the side of a square, or of both."""
    if isinstance(img_size, int):
        return img_size, img_size
    height, width = img_size
    return height, width


def as_img_size(size: ImgSize) -> ImgSize:
    """`img_size` as it is stored and given to models: a square by its side alone."""
    height, width = as_size(size)
    return height if height == width else (height, width)


def size_words(size: ImgSize) -> str:
    """`img_size` as a config has it: 224, or [224,160]."""
    size = as_img_size(size)
    return str(size) if isinstance(size, int) else f"[{size[0]},{size[1]}]"


def as_lists(node: dict[str, Any]) -> dict[str, Any]:
    """The same values with lists in place of tuples, at any depth of dictionaries."""
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in node.items()}
    return {key: as_lists(v) if isinstance(v, dict) else v for key, v in plain.items()}


def adapt_channels(values: tuple[float, ...], in_chans: int) -> tuple[float, ...]:
    """Per-channel statistics for another number of channels: kept, or their mean repeated."""
    if len(values) == in_chans:
        return tuple(values)
    return (sum(values) / len(values),) * in_chans
