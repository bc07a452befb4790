"""PNG files beyond what Pillow reads right: 16 bits of colours, and transparent values (tRNS)."""

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.data.reading.raster import ALPHA, BANDS, Raster
from sightline.data.reading.tiff import ORIENTATION, upright

TRANSPARENT = "transparency"  # Pillow's name of the value that tRNS states
# Pillow spreads grey of 2 and 4 bits over 8, but not the transparent value.
SPREAD = {"L;2": 85, "L;4": 17}
OPAQUE = 65535


def read_deep_png(file: Path | bytes, image: Image.Image) -> Raster:
    """The pixels of a PNG with colours of 16 bits; a transparent colour becomes a channel.

    Args:
        file: a path, or a file's bytes.
        image: the same, opened by Pillow.
    """
    import torch
    from torchvision.io import ImageReadMode, decode_png

    content = file.read_bytes() if isinstance(file, Path) else file
    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    array = decode_png(data, ImageReadMode.UNCHANGED).numpy().transpose(1, 2, 0)
    if array.shape[2] == len(BANDS["RGB"]) and TRANSPARENT in image.info:
        array = with_opacity(array, np.array(image.info[TRANSPARENT], array.dtype))
    names = {len(bands): bands for bands in (BANDS["LA"], BANDS["RGB"], BANDS["RGBA"])}
    bands = names[array.shape[2]]
    return Raster(upright(array, image.getexif().get(ORIENTATION, 1)), bands, bands[-1] == ALPHA)


def with_opacity(array: np.ndarray, transparent: np.ndarray | int) -> np.ndarray:
    """The pixels with a last channel that is 0 where all others have the transparent value.

    Args:
        array: shape (H, W, C), of 16 bits.
        transparent: one value, or one for each channel.
    """
    opacity = np.where((array == transparent).all(axis=2, keepdims=True), 0, OPAQUE)
    return np.concatenate([array, opacity.astype(array.dtype)], axis=2)


def spread_transparent(image: Image.Image) -> None:
    """Spread the transparent value of a PNG over 8 bits, as Pillow does with its pixels."""
    value = image.info.get(TRANSPARENT)
    kinds = {str(tile.args) for tile in getattr(image, "tile", ())}
    if image.format == "PNG" and isinstance(value, int):
        for kind in kinds & SPREAD.keys():
            image.info[TRANSPARENT] = value * SPREAD[kind]
