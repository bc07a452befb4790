"""Damaged images: files of many formats with bytes changed, cut out, doubled and cut off.

`python -m support.fuzz 100000` reads so many and fails where one ends in anything but an image or
an UnreadableImage that names it.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np
from PIL import Image, features

from sightline.data.reading.decode import UnreadableImage, read_image
from sightline.data.reading.transforms import ToMode

FORMATS = {
    "JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "RGBA", "L", "LA", "P", "I;16", "1"),
    "GIF": ("P", "L"), "BMP": ("RGB", "P", "1"), "TIFF": ("RGB", "LAB", "I;16", "CMYK", "YCbCr"),
    "WEBP": ("RGB", "RGBA"), "PPM": ("RGB", "L"), "TGA": ("RGBA", "P"), "PCX": ("RGB", "P"),
    "ICO": ("RGBA",), "DDS": ("RGBA", "L"), "JPEG2000": ("RGB", "LA"), "AVIF": ("RGB",),
    "SGI": ("RGB",), "XBM": ("1",),
}  # fmt: skip
NEEDED = {"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"}


def originals() -> list[tuple[str, bytes]]:
    """A small image of each format and mode that Pillow writes here; JPEG and PNG with EXIF."""
    rng = np.random.default_rng(0)
    found = []
    for kind, modes in FORMATS.items():
        if kind in NEEDED and not features.check(NEEDED[kind]):
            continue
        for mode in modes:
            pixels = rng.integers(0, 255, (19, 23, 3), dtype=np.uint8)
            image = Image.fromarray(pixels)
            if mode == "I;16":
                image = Image.fromarray(rng.integers(0, 65535, (19, 23), dtype=np.uint16))
            elif mode == "LAB":
                image = Image.frombytes("LAB", (23, 19), pixels.tobytes())
            else:
                image = image.convert(mode)
            exif = Image.Exif()
            exif[0x0112] = 6
            options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
            written = io.BytesIO()
            image.save(written, kind, **options)
            found.append((f"{kind}-{mode}".replace(";", ""), written.getvalue()))
    return found


def damaged(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Names and contents of damaged files."""
    rng = np.random.default_rng(seed)
    files = originals()
    for number in range(count):
        kind, content = files[number % len(files)]
        data = bytearray(content)
        for _ in range(int(rng.integers(1, 4))):
            # Headers are damaged as often as pixels.
            reach = len(data) if rng.random() < 0.5 else min(len(data), 200)
            at = int(rng.integers(0, max(1, reach)))
            action = rng.integers(0, 20)
            if action == 0:
                data[at:at] = data[at : at + int(rng.integers(1, 40))]
            elif action == 1:
                del data[at : at + int(rng.integers(1, 40))]
            elif action == 2:
                data[at:] = b""
            elif at < len(data):
                data[at] = int(rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))]))
        yield f"{number}-{kind}.{kind.split('-')[0].lower()}", bytes(data)


def read_all(count: int, seed: int = 0) -> Counter[str]:
    """The number of files that were read and refused, by format.

    Raises:
        AssertionError: one raised anything else, or a message of two lines or without its name.
    """
    colour, grey = ToMode(3, "white"), ToMode(1, "white")
    found: Counter[str] = Counter()
    for name, content in damaged(count, seed):
        kind = name.split("-", 1)[1].split(".")[0]
        try:
            image = read_image(content, name)
        except UnreadableImage as refusal:
            if name not in str(refusal) or "\n" in str(refusal):
                raise AssertionError(f"{name}: {refusal!r}") from refusal
            found[f"{kind} refused"] += 1
            continue
        except BaseException as error:
            raise AssertionError(f"{name} raised {type(error).__name__}: {error}") from error
        if isinstance(image, Image.Image):
            colour(image)
            grey(image)
        found[f"{kind} read"] += 1
    return found


if __name__ == "__main__":
    for kind, number in sorted(read_all(int(sys.argv[1])).items()):
        print(f"{kind:20} {number:,}")
