"""TIFF files that Pillow does not read, or as something else: pages, planes, further samples.

The axes are those that Tifffile finds in the file's metadata (OME-XML, ImageJ, its own).
"""

import logging
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from sightline.data.reading.raster import Raster
from sightline.data.reading.tiff_pages import check_chain, check_page
from sightline.data.reading.tiff_samples import numbered, numbers, ome_channels, sample_names
from sightline.types import PixelSpec

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # of TIFF and BigTIFF
# Values of tags: Photometric, and ExtraSamples.
INVERTED: Final = 0
PALETTE: Final = 3
PREMULTIPLIED = 1
ORIENTATION = 274
PLANES = {"Z": "slices of a stack (Z)", "T": "times (T)"}


def is_tiff(file: Path | bytes) -> bool:
    """Whether a file begins as a TIFF does."""
    if isinstance(file, bytes):
        return file.startswith(SIGNATURES)
    with file.open("rb") as stream:
        return stream.read(4) in SIGNATURES


def read_tiff(source: Any, pixels: PixelSpec, plain: bool) -> Raster | None:
    """The first image of a file; None where it is a page that Pillow reads.

    Args:
        source: a path or a stream.
        pixels: the channels that are read.
        plain: whether Pillow reads the first page as what it is.

    Raises:
        ValueError: the file has several planes, and the config does not choose among them; or its
            pages are not what they declare.
        ImportError: its compression needs Imagecodecs.
        Exception: it is damaged; any type.
    """
    import tifffile

    # It logs what is odd in a file on its way to reading it, or to an error of its own.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    check_chain(source)
    with tifffile.TiffFile(source) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        planes = [
            (axis, length)
            for axis, length in zip(series.axes, series.shape, strict=True)
            if axis not in "YXSC" and length > 1
        ]
        _check_planes(planes, pixels)
        single = not planes and math.prod(_lengths(series, "C")) == 1
        if single and plain:
            return None  # its other pages are thumbnails, or smaller copies
        _check_readable(tiff, series)
        check_page(page)
        array = _channels_last(_values(source, series, plain), series.axes)
        bits = page.bitspersample if page.bitspersample % 8 else None
        if not single:
            names, stated = ome_channels(tiff)
            names = names if len(names) == array.shape[2] else numbered(array.shape[2])
            note = f"{planes[0][1]} {_axis_name(planes[0][0])} are channels" if planes else ""
            return Raster(array, names, bits=stated or bits, note=note)
        extra = numbers(page.extrasamples)
        names, alpha = sample_names(page, extra, array.shape[2], pixels)
        array = upright(array, _orientation(page))
        return Raster(array, names, alpha, alpha and PREMULTIPLIED in extra, bits=bits)


def _values(source: Any, series: Any, plain: bool) -> np.ndarray:
    """The values of all planes, of less than 8 bits as 8, black as 0."""
    page = series.keyframe
    try:
        array: np.ndarray = series.asarray()
    except (KeyError, ValueError, ImportError) as error:
        if not isinstance(error, ImportError) and "imagecodecs" not in str(error):
            raise
        if not plain:
            raise ImportError(str(error), name="imagecodecs") from error
        return _by_pillow(source, series)
    if page.bitspersample < 8:
        array = array.astype(np.uint8) * (255 // (2**page.bitspersample - 1))
    if page.photometric == INVERTED and array.dtype == np.uint8:
        array = 255 - array
    return array


def _by_pillow(source: Any, series: Any) -> np.ndarray:
    """The same from Pillow, which has more decoders, where it reads a page as what it is."""
    if not isinstance(source, Path):
        source.seek(0)
    pages = []
    with Image.open(source) as image:
        for page in series.pages:
            image.seek(page.index)
            pages.append(np.asarray(image.convert("L") if image.mode == "1" else image))
    return np.stack(pages).reshape(series.shape)


def _check_planes(planes: list[tuple[str, int]], pixels: PixelSpec) -> None:
    if not planes or (len(planes) == 1 and (pixels.chooses or pixels.channels is None)):
        return
    found = " and ".join(f"{n} {_axis_name(axis)}" for axis, n in planes)
    if len(planes) > 1:
        raise ValueError(f"it has {found}; save the plane that is meant as a file of its own")
    raise ValueError(
        f"it has {found}, of the same size, which its metadata does not call channels; "
        "data.channels=[0] reads the first one, data.channels=all each as a channel"
    )


def _axis_name(axis: str) -> str:
    return PLANES.get(axis, "pages")


def _check_readable(tiff: Any, series: Any) -> None:
    """Planes of an OME set may lie in other files, and pages may have palettes of their own."""
    if any(page is None or page.parent is not tiff for page in series.pages):
        raise ValueError("some of its planes are in other files; save it as one file")
    if series.keyframe.photometric == PALETTE:
        raise ValueError("its pages have palettes; save the page that is meant as one file")


def _lengths(series: Any, axes: str) -> list[int]:
    return [n for axis, n in zip(series.axes, series.shape, strict=True) if axis in axes]


def _channels_last(array: np.ndarray, axes: str) -> np.ndarray:
    """(H, W, C): all other axes, in the file's order, as channels."""
    other = [i for i, axis in enumerate(axes) if axis not in "YX"]
    array = np.transpose(array, [axes.index("Y"), axes.index("X"), *other])
    return array.reshape(*array.shape[:2], -1)


def _orientation(page: Any) -> int:
    tag = page.tags.get(ORIENTATION)
    return int(tag.value) if tag is not None else 1


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """An array (H, W, C) turned and mirrored as EXIF's orientation says."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array
