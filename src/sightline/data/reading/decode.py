"""Decoding of one image of any common kind to 8 bits, upright; errors name the image."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from sightline.data.reading.formats import EXTRAS, needed_extra
from sightline.data.reading.opening import (
    deep_grey,
    has_16_bits,
    in_kept_mode,
    open_image,
    raster_of_bands,
)
from sightline.data.reading.raster import ImageData, Raster
from sightline.errors import UserError, first_line
from sightline.io.regular import PROBLEM, check_regular
from sightline.types import AS_STORED, PixelSpec

EXTRA_OF = {"pydicom": "dicom", "imagecodecs": "tiff"}  # the extra that brings a package


class UnreadableImage(UserError):
    """An image is missing, damaged, or of a kind that cannot be read."""


@dataclass(frozen=True)
class Reading:
    """How a file is read, beyond what it says itself.

    Attributes:
        pixels: the values and channels that are read.
        min_side: a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its scale as long as its shorter
            side stays twice this many pixels (libjpeg's scaled decoding, as in Pillow's
            `thumbnail` with its default `reducing_gap`); None: never.
    """

    pixels: PixelSpec = AS_STORED
    min_side: int | None = None


PLAIN = Reading()


def read_image(file: Path | bytes, name: str, reading: Reading = PLAIN) -> ImageData:
    """The image, rotated as its EXIF data says, 8 bits a channel; of an animation the first frame.

    Args:
        file: a path, or a file's bytes.
        name: of the image, for messages.
        reading: the range of its values, and its channels.

    Raises:
        UnreadableImage: names the image and the reason.
    """
    with naming(name, file):
        opened = open_image(file, name, reading.pixels, reading.pixels.low is not None)
        if isinstance(opened, Raster):
            return opened.to_image(reading.pixels)
        with opened:
            return finish(opened, reading)


@contextmanager
def naming(name: str, file: Path | bytes | None = None) -> Iterator[None]:
    """Any error of a decoder as an UnreadableImage that names the image.

    Args:
        name: of the image.
        file: its path or bytes, where it is a file.
    """
    try:
        if isinstance(file, Path):
            check_regular(file)
        yield
    except Image.UnidentifiedImageError as error:
        raise UnreadableImage(f"Cannot read the image {name}: {_unknown(file)}.") from error
    except FileNotFoundError as error:
        raise UnreadableImage(f"Cannot read the image {name}: there is no such file.") from error
    except ImportError as error:
        raise UnreadableImage(
            f"Cannot read the image {name}: the package {error.name} is not installed "
            f"(pip install 'sightline[{EXTRA_OF.get(str(error.name), error.name)}]')."
        ) from error
    except Exception as error:  # damaged and odd files make decoders raise anything
        raise UnreadableImage(f"Cannot read the image {name}: {_reason(error)}.") from error


def _unknown(file: Path | bytes | None) -> str:
    """Why no reader takes a file."""
    if file is not None and not (file.stat().st_size if isinstance(file, Path) else file):
        return "the file is empty"
    needed = None if file is None else needed_extra(file)
    if needed is None:
        return "it is not an image that can be read"
    return f"it is {needed}, which pip install 'sightline[{EXTRAS[needed]}]' reads"


def _reason(error: Exception) -> str:
    """An error of a decoder in a line; of those that are not about files with their type."""
    line = first_line(error).rstrip(".")
    if PROBLEM in line:
        return PROBLEM
    if "libjxl" in line:  # whose only message is about building it
        return "libjxl cannot decode it"
    if isinstance(error, (OSError, ValueError, SyntaxError, Image.DecompressionBombError)):
        return line
    name = type(error).__name__
    return line if line == name else f"{name}: {line}"


def finish(image: Image.Image, reading: Reading) -> ImageData:
    """The result of `read_image` for an image that Pillow has opened.

    Raises:
        Exception: the file is damaged, or its values or channels are not those to be read.
    """
    pixels = reading.pixels
    if pixels.low is not None and has_16_bits(image):
        raise ValueError(f"of its 16 bits a channel Pillow reads 8 from a {image.format} file")
    raster = deep_grey(image)
    if raster is not None:
        return raster.to_image(pixels)
    if reading.min_side is not None and image.format == "JPEG":
        image.draft(None, (2 * reading.min_side, 2 * reading.min_side))
    image.load()
    kept = in_kept_mode(ImageOps.exif_transpose(image))
    return raster_of_bands(kept).to_image(pixels) if pixels.chooses else kept
