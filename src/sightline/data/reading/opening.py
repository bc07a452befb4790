"""Opening of an image's file: by Pillow, or by another reader where Pillow reads it otherwise."""

import io
import logging
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sightline.data.reading.arrays import raster_of_array
from sightline.data.reading.dicom import read_dicom
from sightline.data.reading.formats import NOT_DECODED, form_of, register_plugins
from sightline.data.reading.png import (
    TRANSPARENT,
    read_deep_png,
    spread_transparent,
    with_opacity,
)
from sightline.data.reading.raster import ALPHA, BANDS, GREY, Raster
from sightline.data.reading.tiff import is_tiff, read_tiff
from sightline.data.reading.tiff_samples import is_plain
from sightline.types import PixelSpec

# An image of up to twice this many pixels is read without a warning, a larger one is refused.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Pillow warns of odd metadata on its way to reading an image, or to an error of its own.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\..*")
# It logs that a TIFF has more channels than it reads, which then Tifffile does.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)

# Modes that are kept; those of other colour spaces (LAB, HSV, ...) become RGB.
KEPT_MODES = ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr")
PLAIN_MODES = {"1": "L", "La": "LA", "RGBa": "RGBA", "YCbCr": "RGB"}  # whose bands have names


def open_image(
    file: Path | bytes, name: str, pixels: PixelSpec, deep: bool
) -> Image.Image | Raster:
    """A file as Pillow opens it, not loaded; its pixels, where Pillow would misread it.

    Args:
        file: a path, or a file's bytes.
        name: of the image.
        pixels: its channels.
        deep: whether more than 8 bits of colours matter, of which Pillow keeps the upper 8.
    """
    form = form_of(file, name)
    if form == "array":
        return raster_of_array(np.load(_source(file), allow_pickle=False), pixels)
    if form == "dicom":
        return read_dicom(_source(file))
    register_plugins()
    try:
        image = Image.open(_source(file))
    except Image.UnidentifiedImageError:
        if not is_tiff(file):
            raise
        return _unidentified_tiff(file, pixels)
    try:
        if image.format in NOT_DECODED:
            raise Image.UnidentifiedImageError(f"{image.format} is not read")
        raster = _misread(file, image, pixels, deep)
    except Exception:
        image.close()
        raise
    if raster is None:
        spread_transparent(image)
        return image
    image.close()
    return raster


def _misread(
    file: Path | bytes, image: Image.Image, pixels: PixelSpec, deep: bool
) -> Raster | None:
    """The pixels of what Pillow has opened, but would misread."""
    if image.format == "TIFF" and pixels.channels is not None:
        plain = is_plain(image, deep)
        if not plain or getattr(image, "n_frames", 1) > 1:
            return read_tiff(_source(file), pixels, plain)
    if image.format == "PNG" and has_16_bits(image) and (deep or TRANSPARENT in image.info):
        return read_deep_png(file, image)
    return None


def _source(file: Path | bytes) -> Path | io.BytesIO:
    return file if isinstance(file, Path) else io.BytesIO(file)


def _unidentified_tiff(file: Path | bytes, pixels: PixelSpec) -> Raster:
    """A TIFF with a number of channels, or a type of numbers, that Pillow does not know."""
    try:
        raster = read_tiff(_source(file), pixels, plain=False)
    except (ImportError, ValueError):
        raise
    except Exception as error:  # a damaged file makes tifffile raise anything
        raise Image.UnidentifiedImageError(str(error)) from error
    assert raster is not None
    return raster


def has_16_bits(image: Image.Image) -> bool:
    """Whether an opened image has colours of 16 bits, of which Pillow keeps the upper 8."""
    return image.mode in BANDS and any(";16" in str(tile) for tile in getattr(image, "tile", ()))


def deep_grey(image: Image.Image) -> Raster | None:
    """The pixels of a grey image with more than 8 bits; None of others, which are not loaded."""
    if not image.mode.startswith(("I", "F")):
        return None
    # The reader of PGM spreads the values over 16 bits, by the greatest value that a file states.
    codecs = [(tile.codec_name, tile.args) for tile in getattr(image, "tile", ())]
    full = any(name.startswith("ppm") and 65535 not in args for name, args in codecs)
    bits = 12 if any("I;12" in str(args) for _, args in codecs) else None
    image.load()
    array = np.asarray(ImageOps.exif_transpose(image))[:, :, None]
    if TRANSPARENT in image.info:
        opaque = with_opacity(array, image.info[TRANSPARENT])
        return Raster(opaque, BANDS["LA"], alpha=True, full=full, bits=bits)
    return Raster(array, GREY, full=full, bits=bits)


def raster_of_bands(image: Image.Image) -> Raster:
    """The pixels of an image of 8 bits."""
    plain = in_kept_mode(image)
    plain = plain.convert(PLAIN_MODES.get(plain.mode, plain.mode))
    bands = BANDS[plain.mode]
    array = np.asarray(plain).reshape(plain.height, plain.width, len(bands))
    return Raster(array, bands, bands[-1] == ALPHA)


def in_kept_mode(image: Image.Image) -> Image.Image:
    """The image in one of KEPT_MODES, with its transparency where it has any."""
    if image.mode in KEPT_MODES:
        return image
    transparent = image.mode == "PA" or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")
