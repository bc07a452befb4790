"""Checks of a TIFF file's pages before they are read: a damaged file can declare pages without end.

Tifffile follows the chain of pages as far as it goes, and goes through as many strips as a page
declares, whether the file has them or not.
"""

import io
import math
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

BIG = 43  # the version number of BigTIFF


def check_chain(source: Path | io.BytesIO) -> None:
    """Follow the chain of pages; a stream is left at its beginning.

    Raises:
        ValueError: the chain comes back to one of its pages.
    """
    if isinstance(source, Path):
        with source.open("rb") as stream:
            _follow(stream)
    else:
        _follow(source)
        source.seek(0)


def _follow(stream: BinaryIO) -> None:
    seen: set[int] = set()
    # A chain that leaves the file ends there: its reader takes or refuses what comes before.
    with suppress(KeyError, OverflowError, OSError, struct.error):
        order = {b"II": "<", b"MM": ">"}[stream.read(2)]
        big = _number(stream, f"{order}H") == BIG
        stream.seek(8 if big else 4)
        counts, entry, places = ("Q", 20, "Q") if big else ("H", 12, "I")
        while place := _number(stream, order + places):
            if place in seen:
                raise ValueError("its pages follow each other in a circle")
            seen.add(place)
            stream.seek(place)
            entries = _number(stream, order + counts)
            stream.seek(place + struct.calcsize(counts) + entries * entry)


def check_page(page: Any) -> None:
    """Check that a page of Tifffile's is no larger than Pillow reads, and has all of its parts.

    Raises:
        ValueError: with what it declares.
    """
    height, width = page.imagelength, page.imagewidth
    most = 2 * (Image.MAX_IMAGE_PIXELS or math.inf)  # beyond it Pillow refuses an image too
    if height * width > most:
        raise ValueError(f"it declares {width:,} × {height:,} pixels; at most {most:,} are read")
    parts = math.prod(page.chunked)
    if parts > len(page.dataoffsets):
        raise ValueError(
            f"it declares {parts:,} strips or tiles, and has {len(page.dataoffsets):,}"
        )


def _number(stream: BinaryIO, form: str) -> int:
    [number] = struct.unpack(form, stream.read(struct.calcsize(form)))
    return int(number)
