"""TIFF files whose pages are not what they declare: each is one image's message, at once."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile

from sightline.data.reading.decode import UnreadableImage, read_image
from sightline.data.reading.tiff_pages import check_chain

PLANES = np.zeros((3, 19, 23, 5), np.uint8)  # five samples a pixel are Tifffile's to read


def written(order: str, big: bool) -> tuple[bytes, list[int]]:
    """A file of three pages, and the place of each page's tags."""
    stream = io.BytesIO()
    tifffile.imwrite(
        stream, PLANES, bigtiff=big, byteorder=order, metadata=None, photometric="minisblack",
        planarconfig="contig",
    )  # fmt: skip
    with tifffile.TiffFile(io.BytesIO(stream.getvalue())) as file:
        return stream.getvalue(), [page.offset for page in file.pages]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_in_a_circle_are_refused(order: str, big: bool) -> None:
    content, places = written(order, big)
    check_chain(io.BytesIO(content))
    counts, entry, next_place = ("Q", 20, "Q") if big else ("H", 12, "I")
    [entries] = struct.unpack_from(order + counts, content, places[-1])
    end = places[-1] + struct.calcsize(counts) + entries * entry
    for back_to in places:
        circle = bytearray(content)
        struct.pack_into(order + next_place, circle, end, back_to)
        with pytest.raises(UnreadableImage, match=r"a.tiff: .*follow each other in a circle"):
            read_image(bytes(circle), "a.tiff")


def test_a_chain_that_leaves_the_file_ends_there() -> None:
    content, places = written("<", False)
    check_chain(io.BytesIO(content[: places[-1] + 7]))
    check_chain(io.BytesIO(b"II"))


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [("ImageLength", 60_000, r"declares .* strips or tiles, and has 1"),
     ("ImageWidth", 2**31, r"declares 2,147,483,648 × 19 pixels; at most")],
)  # fmt: skip
def test_a_page_that_declares_more_than_it_has_is_refused(
    tag: str, value: int, message: str
) -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, PLANES[0], rowsperstrip=19, metadata=None, planarconfig="contig",
                     photometric="minisblack")  # fmt: skip
    content = bytearray(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        found = file.pages.first.tags[tag]
        width = {3: "H", 4: "I"}[int(found.dtype)]
        place = found.valueoffset
    if width == "H":  # as LONG, in the same four bytes
        struct.pack_into("<H", content, place - 6, 4)
    struct.pack_into("<I", content, place, value)
    with pytest.raises(UnreadableImage, match=message):
        read_image(bytes(content), "a.tiff")
