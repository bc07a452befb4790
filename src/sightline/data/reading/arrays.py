"""Arrays of .npy and .npz files as images: which axis holds the channels, and what they are."""

import numpy as np

from sightline.data.reading.raster import ALPHA, COLOUR, GREY, ImageData, Raster
from sightline.types import AS_STORED, PixelSpec

COLOURS = 3


def image_from_array(array: np.ndarray, pixels: PixelSpec = AS_STORED) -> ImageData:
    """(H, W), (H, W, C) or (C, H, W) of numbers as an image."""
    return raster_of_array(array, pixels).to_image(pixels)


def raster_of_array(array: np.ndarray, pixels: PixelSpec) -> Raster:
    """The pixels of an array, channels last.

    The axis of the channels is the one that is smaller than both others, or that differs from two
    equal others. Of 4 channels the last one may be transparency or data: `pixels` must say.

    Args:
        array: whole or floating-point numbers.
        pixels: the channels that are read; `first` and `last` are places of their axis.

    Raises:
        ValueError: it is no image, or it could be read in two ways.
    """
    if array.dtype.kind not in "iuf" or array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"an array of shape {array.shape} and type {array.dtype}; expected (height, width), "
            "(height, width, channels) or (channels, height, width) of numbers"
        )
    if array.ndim == 2:
        return Raster(array[:, :, None], GREY)
    note = ""
    if _are_first(array.shape, pixels.channels):
        array = np.moveaxis(array, 0, 2)
        note = "arrays are (channels, height, width)"
    count = array.shape[2]
    if count == 4 and pixels.channels in ("auto", "first", "last"):
        raise ValueError(
            f"an array of shape {array.shape}, whose fourth channel may be transparency or data; "
            "say data.channels=rgba or data.channels=all"
        )
    if count == 4 and pixels.channels in (None, "rgba"):
        return Raster(array, (*COLOUR, ALPHA), alpha=True, note=note)
    known = {1: GREY, COLOURS: COLOUR}
    names = known.get(count, tuple(str(index) for index in range(count)))
    return Raster(array, names, note=note)


def _are_first(shape: tuple[int, ...], channels: str | tuple[int | str, ...] | None) -> bool:
    """Whether the first axis of three, and not the last, holds the channels."""
    if channels is None or channels in ("first", "last"):
        return channels == "first"
    first, middle, last = shape
    if last < min(first, middle) or (first == middle != last):
        return False
    if first < min(middle, last) or (middle == last != first):
        return True
    raise ValueError(
        f"an array of shape {shape}, of which the first or the last axis may hold the channels; "
        "say data.channels=first or data.channels=last"
    )
