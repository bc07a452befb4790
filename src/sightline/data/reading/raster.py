"""Pixels of an image file as they are stored, and the 8-bit image that is made of them."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from sightline.types import PixelSpec

# An array is (H, W, C) of uint8: neither grey nor colour, or four channels without transparency.
ImageData = Image.Image | np.ndarray
GREY = ("grey",)
COLOUR = ("R", "G", "B")
ALPHA = "A"
# Names of an image's bands by its Pillow mode.
BANDS = {
    "L": GREY, "LA": (*GREY, ALPHA), "RGB": COLOUR, "RGBA": (*COLOUR, ALPHA),
    "CMYK": ("C", "M", "Y", "K"),
}  # fmt: skip


@dataclass(frozen=True)
class Raster:
    """The pixels of a file.

    Attributes:
        array: shape (H, W, C), whole or floating-point numbers.
        names: of the channels.
        alpha: whether the last channel is transparency.
        premultiplied: whether the others were multiplied by it.
        full: whether the format itself has spread the values over all of 16 bits.
        bits: significant bits that the file states.
        note: of an axis that was taken for that of the channels.
    """

    array: np.ndarray
    names: tuple[str, ...]
    alpha: bool = False
    premultiplied: bool = False
    full: bool = False
    bits: int | None = None
    note: str = ""

    @property
    def deep(self) -> bool:
        """Whether a value needs to be scaled to 8 bits, by a range that the file does not state."""
        return self.array.dtype != np.uint8 and not self.full

    @property
    def shown(self) -> np.ndarray:
        """The channels without transparency."""
        return self.array[..., :-1] if self.alpha else self.array

    def extent(self) -> tuple[float, float]:
        """The least and the greatest value, transparency aside.

        Raises:
            ValueError: a value is not a finite number.
        """
        if self.array.dtype.kind == "f" and not np.isfinite(self.array).all():
            raise ValueError("some of its values are not finite numbers (NaN or infinite)")
        return self.shown.min().item(), self.shown.max().item()

    def choose(self, pixels: PixelSpec) -> "Raster":
        """The channels that are read; where they are named one by one, none is transparency.

        Raises:
            ValueError: the file does not have one of them.
        """
        if not pixels.chooses:
            return self
        if not isinstance(pixels.channels, tuple):
            return replace(self, alpha=False)
        indices = [self._index(each) for each in pixels.channels]
        names = tuple(self.names[index] for index in indices)
        return replace(self, array=self.array[..., indices], names=names, alpha=False)

    def is_image(self, pixels: PixelSpec) -> bool:
        """Whether the channels are grey or colour, with or without transparency."""
        inks = self.names == BANDS["CMYK"] and not pixels.chooses
        return self.alpha or inks or self.array.shape[2] in (1, 3)

    def _index(self, channel: int | str) -> int:
        known = [name.lower() for name in self.names]
        if isinstance(channel, str) and channel.lower() in known:
            return known.index(channel.lower())
        if isinstance(channel, int) and 0 <= channel < len(known):
            return channel
        raise ValueError(
            f"data.channels names {channel!r}, but its channels are "
            f"{', '.join(f'{i} ({name})' for i, name in enumerate(self.names))}"
        )

    def to_image(self, pixels: PixelSpec) -> ImageData:
        """The image of these pixels at 8 bits, with the channels that are read."""
        chosen = self.choose(pixels)
        array = np.ascontiguousarray(to_8_bits(chosen, pixels))
        if not chosen.is_image(pixels):
            return array
        side = (array.shape[1], array.shape[0])
        if chosen.names[:4] == BANDS["CMYK"]:
            inks = Image.frombytes("CMYK", side, array[..., :4].tobytes())
            if not chosen.alpha:
                return inks
            image = inks.convert("RGB")
            image.putalpha(Image.fromarray(np.ascontiguousarray(array[..., 4])))
            return image
        if chosen.premultiplied and array.shape[2] == 4:
            return Image.frombytes("RGBa", side, array.tobytes())
        return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def to_8_bits(raster: Raster, pixels: PixelSpec) -> np.ndarray:
    """The values from 0 to 255, uint8, shape (H, W, C).

    Without a range 16 bits are scaled by 1/257, so that 65,535 becomes 255.

    Raises:
        ValueError: values are outside of the range, or are not numbers.
    """
    array = raster.array
    if array.dtype == np.uint8:
        return array
    low, high = raster.extent()
    if pixels.low is None or pixels.high is None or raster.full:
        if array.dtype.kind == "f":
            raise ValueError(
                f"its values are floating-point numbers ({array.dtype}) from {low:g} to {high:g}, "
                "and their range is not known; data.range=[LOW,HIGH] gives it to a training"
            )
        if low < 0 or high > 65535:
            raise ValueError(f"its values reach from {low} to {high}; expected 16 bits")
        return ((array.astype(np.int64) + 128) // 257).astype(np.uint8)
    shown = raster.shown
    if low < pixels.low or high > pixels.high:
        share = float(((shown < pixels.low) | (shown > pixels.high)).mean())
        if share > pixels.outside:
            raise ValueError(
                f"its values reach from {low:g} to {high:g}, {share:.2%} of them outside of "
                f"{range_words(pixels)}, the range that images are read in; data.bits=N or "
                "data.range=[LOW,HIGH] gives a training another one"
            )
    scaled = _scaled(shown, pixels.low, pixels.high)
    if not raster.alpha:
        return scaled
    return np.concatenate([scaled, _opacity(array[..., -1:], pixels)], axis=2)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    share = (values.astype(np.float64) - low) / (high - low)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _opacity(alpha: np.ndarray, pixels: PixelSpec) -> np.ndarray:
    """Transparency: by the range where its values lie in it, else by all that its type holds."""
    assert pixels.high is not None
    largest = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)
    return _scaled(alpha, 0, pixels.high if alpha.max() <= pixels.high else largest)


def range_words(pixels: PixelSpec) -> str:
    """The range of a spec: `0 to 4,095 (12 bits)`, `-1.5 to 800`."""
    assert pixels.low is not None
    assert pixels.high is not None
    bits = round(float(np.log2(pixels.high + 1))) if pixels.high > 0 else 0
    if pixels.low == 0 and 8 <= bits <= 16 and pixels.high == 2**bits - 1:
        return f"0 to {pixels.high:,.0f} ({bits} bits)"
    return f"{pixels.low:,.6g} to {pixels.high:,.6g}"


def exact_range(pixels: PixelSpec) -> str:
    """The same, where it is of no number of bits with all digits."""
    words = range_words(pixels)
    return words if words.endswith("bits)") else f"{pixels.low!r} to {pixels.high!r}"


def channels(image: ImageData) -> int:
    """1 for grey, 3 for colour (transparency aside), else the array's number of channels."""
    if isinstance(image, np.ndarray):
        return int(image.shape[2])
    return 1 if image.mode in ("1", "L", "LA", "La") else 3


def size(image: ImageData) -> tuple[int, int]:
    """(width, height) in pixels."""
    if isinstance(image, np.ndarray):
        return int(image.shape[1]), int(image.shape[0])
    return image.size
