"""Odd and damaged images: each is read right, or is refused by its name."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from support.fuzz import originals, read_all

from sightline.data.reading.decode import Reading, UnreadableImage, read_image
from sightline.data.reading.images import FileImages
from sightline.data.reading.transforms import ToMode
from sightline.types import AS_STORED, PixelSpec


def test_damaged_files_are_read_or_refused_by_name() -> None:
    """`make fuzz` reads 100,000."""
    found = read_all(2000)
    formats = {name.split("-")[0] for name, _ in originals()}
    assert len(formats) >= 12
    for kind in formats:
        assert any(key.startswith(kind) and "refused" in key for key in found), kind
    assert sum(count for key, count in found.items() if key.endswith("read")) > 500


def png(image: Image.Image, **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", **options)  # type: ignore[arg-type]
    return written.getvalue()


def palette() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 100])
    image.putpixel((1, 0), 1)
    return image


def colour() -> Image.Image:
    image = Image.new("RGB", (2, 1), (200, 0, 0))
    image.putpixel((1, 0), (0, 0, 100))
    return image


def grey() -> Image.Image:
    image = Image.new("L", (2, 1), 10)
    image.putpixel((1, 0), 90)
    return image


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(palette(), transparency=0), [[0, 255, 0], [0, 0, 100]]),
        (png(colour(), transparency=(200, 0, 0)), [[0, 255, 0], [0, 0, 100]]),
        (png(grey(), transparency=10), [[0, 255, 0], [90, 90, 90]]),
        (png(colour()), [[200, 0, 0], [0, 0, 100]]),
    ],
    ids=["palette", "colour", "grey", "none"],
)
def test_a_transparent_colour_is_laid_on_the_background(
    content: bytes, expected: list[list[int]]
) -> None:
    """tRNS in a PNG of a palette, of RGB and of grey: the same."""
    image = ToMode(3, "#00ff00")(read_image(content, "a.png"))
    assert np.asarray(image)[0].tolist() == expected
    [first, *_] = np.asarray(ToMode(1, "#ffffff")(read_image(content, "a.png")))[0].tolist()
    assert first == (255 if expected[0] == [0, 255, 0] else 60)


def png_of(values: list[list[int]], bits: int, transparent: list[int]) -> bytes:
    """A PNG of one row, with a tRNS chunk, as the specification lays it out."""
    digits = "".join(f"{value:0{bits}b}" for pixel in values for value in pixel)
    row = int(digits.ljust(-(-len(digits) // 8) * 8, "0"), 2).to_bytes(-(-len(digits) // 8), "big")
    kind = 0 if len(transparent) == 1 else 2
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", len(values), 1, bits, kind, 0, 0, 0),
        b"tRNS": struct.pack(f">{len(transparent)}H", *transparent),
        b"IDAT": zlib.compress(b"\0" + row),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


@pytest.mark.parametrize("pixels", [AS_STORED, PixelSpec(0.0, 65535.0)], ids=["plain", "ranged"])
@pytest.mark.parametrize(
    ("values", "bits", "grey"),
    [([[1], [0]], 1, 0), ([[1], [2]], 2, 170), ([[3], [9]], 4, 153), ([[30], [90]], 8, 90),
     ([[300], [301]], 16, 1), ([[300, 600, 900], [300, 600, 40000]], 16, None)],
)  # fmt: skip
def test_a_transparent_value_of_any_number_of_bits(
    values: list[list[int]], bits: int, grey: int | None, pixels: PixelSpec
) -> None:
    image = read_image(png_of(values, bits, values[0]), "a.png", Reading(pixels))
    shown = np.asarray(ToMode(3, "#00ff00")(image))[0].tolist()
    assert shown == [[0, 255, 0], [1, 2, 156] if grey is None else [grey] * 3]


def test_other_colour_spaces_are_converted() -> None:
    """LAB, which Pillow does not convert to grey."""
    lab = Image.merge("LAB", [Image.new("L", (4, 4), each) for each in (136, 128, 128)])
    written = io.BytesIO()
    lab.save(written, "TIFF")
    image = read_image(written.getvalue(), "a.tif")
    [value, *_] = np.asarray(ToMode(1, "white")(image)).ravel().tolist()
    assert abs(value - 127) <= 3  # L* 53.3 is the middle grey of sRGB


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    """In a folder that somebody made: one without a writer, one without an end."""
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("/dev/zero")
    (tmp_path / "c.png").mkdir()
    images = FileImages(tmp_path, pa.array(["a.png", "b.png", "c.png"]))
    for index in range(3):
        with pytest.raises(UnreadableImage, match=r"[abc]\.png: it is no regular file"):
            images.read(index)
        with pytest.raises(UnreadableImage, match="it is no regular file"):
            images.facts(index, AS_STORED)
        with pytest.raises(OSError, match="no regular file"):
            images.content(index)


def test_errors_that_are_not_about_files_name_the_file() -> None:
    """An EXIF orientation of another type than a number."""
    content = bytearray(png(colour()))
    with pytest.raises(UnreadableImage, match=r"broken\.png"):
        read_image(bytes(content[:40]), "broken.png")
    with pytest.raises(UnreadableImage, match=r"empty\.jpg: the file is empty"):
        read_image(b"", "empty.jpg")
