"""Decoding of one image of any common kind to 8 bits, upright; errors name the image."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from sightline.data.reading.dicom import DICOM_SUFFIXES, read_dicom
from sightline.data.reading.formats import ARRAY_SUFFIXES, register_plugins
from sightline.errors import UserError, first_line

TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
# An image of up to twice this many pixels is read without a warning, a larger one is refused.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Pillow warns of odd metadata on its way to reading an image, or to an error of its own.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\..*")

ImageData = Image.Image | np.ndarray  # an array is (H, W, C) of uint8, C other than 1, 3 and 4
# Modes that are kept; those of other colour spaces (LAB, HSV, ...) become RGB.
KEPT_MODES = ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr")


class UnreadableImage(UserError):
    """An image is missing, damaged, or of a kind that cannot be read."""


def read_image(file: Path | bytes, name: str, min_side: int | None = None) -> ImageData:
    """The first frame, rotated as its EXIF data says, 8 bits a channel (16 bits are scaled down).

    Args:
        file: a path, or a file's bytes.
        name: of the image, for messages.
        min_side: a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its scale as long as its shorter
            side stays twice this many pixels (libjpeg's scaled decoding, as in Pillow's
            `thumbnail` with its default `reducing_gap`); None: never.

    Raises:
        UnreadableImage: names the image and the reason.
    """
    suffix = Path(name).suffix.lower()
    try:
        if suffix in ARRAY_SUFFIXES:
            stored = file if isinstance(file, Path) else io.BytesIO(file)
            return image_from_array(np.load(stored, allow_pickle=False))
        source = file if isinstance(file, Path) else io.BytesIO(file)
        if suffix in DICOM_SUFFIXES:
            return read_dicom(source)
        register_plugins()
        try:
            image = Image.open(source)
        except Image.UnidentifiedImageError:
            if suffix in TIFF_SUFFIXES:
                return _read_tiff(source)
            raise
        with image:
            return normalise_image(image, min_side)
    except Image.UnidentifiedImageError as error:
        size = file.stat().st_size if isinstance(file, Path) else len(file)
        reason = "the file is empty" if size == 0 else "it is not an image that can be read"
        raise UnreadableImage(f"Cannot read the image {name}: {reason}.") from error
    except FileNotFoundError as error:
        raise UnreadableImage(f"Cannot read the image {name}: there is no such file.") from error
    except ImportError as error:
        raise UnreadableImage(
            f"Cannot read the image {name}: the package {error.name} is not installed "
            "(pip install 'sightline[dicom]')."
        ) from error
    except Exception as error:  # damaged and odd files make decoders raise anything
        raise UnreadableImage(f"Cannot read the image {name}: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """An error of a decoder in a line; of those that are not about files with their type."""
    line = first_line(error).rstrip(".")
    if isinstance(error, (OSError, ValueError, SyntaxError, Image.DecompressionBombError)):
        return line
    name = type(error).__name__
    return line if line == name else f"{name}: {line}"


def normalise_image(image: Image.Image, min_side: int | None = None) -> Image.Image:
    """The result of `read_image` for an image that Pillow has opened."""
    if min_side is not None and image.format == "JPEG":
        image.draft(None, (2 * min_side, 2 * min_side))
    image.load()
    return _in_kept_mode(to_8_bits(ImageOps.exif_transpose(image)))


def _in_kept_mode(image: Image.Image) -> Image.Image:
    """The image in one of KEPT_MODES, with its transparency where it has any."""
    if image.mode in KEPT_MODES:
        return image
    transparent = image.mode == "PA" or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def to_8_bits(image: Image.Image) -> Image.Image:
    """Integers of 16 bits scaled by 1/257, so that 65,535 becomes 255 and nothing is clipped."""
    if image.mode.startswith("I"):  # I;16, I;16B, and I, which holds 16 bits in PNG files
        pixels = np.asarray(image).astype(np.int64)
        low, high = int(pixels.min(initial=0)), int(pixels.max(initial=0))
        if low < 0 or high > 65535:
            raise ValueError(f"its values reach from {low} to {high}; expected 16 bits")
        return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers; save it with 8 or 16 bits")
    return image


def _read_tiff(source: Any) -> ImageData:
    """A TIFF with a number of channels that Pillow does not know."""
    import tifffile

    try:
        with tifffile.TiffFile(source) as tiff:
            series = tiff.series[0]
            array = series.asarray()
            if "S" in series.axes and not series.axes.endswith("S"):  # stored plane by plane
                array = np.moveaxis(array, series.axes.index("S"), -1)
    except Exception as error:  # a damaged file makes tifffile raise anything
        raise Image.UnidentifiedImageError(str(error)) from error
    return image_from_array(array)


def image_from_array(array: np.ndarray) -> ImageData:
    """(H, W) or (H, W, C) of 8 or 16 bits as an image."""
    if array.dtype == np.uint16:
        array = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"an array of shape {array.shape} and type {array.dtype}; expected (height, width) or "
            "(height, width, channels) of uint8 or uint16"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2 or array.shape[2] in (3, 4):
        return Image.fromarray(np.ascontiguousarray(array))
    return np.ascontiguousarray(array)


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
