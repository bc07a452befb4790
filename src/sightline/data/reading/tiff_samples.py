"""Meaning of a TIFF's samples and channels, by its tags and its OME-XML."""

from typing import Any
from xml.etree import ElementTree

from PIL import Image

from sightline.data.reading.raster import ALPHA, BANDS, COLOUR, GREY
from sightline.types import PixelSpec

# Numbers of tags, and of values in them.
WIDTH_OF_VALUES, COMPRESSION, PHOTOMETRIC, SAMPLES, EXTRA, FORMAT = 258, 259, 262, 277, 338, 339
UNSPECIFIED = 0
SIGNED = 2
WEBP = 50001
BASES = {2: COLOUR, 5: BANDS["CMYK"], 6: COLOUR, 8: COLOUR}  # others: grey


def is_plain(image: Image.Image, deep: bool) -> bool:
    """Whether Pillow reads the first page of an opened TIFF as what it is.

    Args:
        image: opened, not loaded.
        deep: whether more than 8 bits of colours matter, of which Pillow keeps the upper 8.
    """
    tags: Any = image.tag_v2  # type: ignore[attr-defined]  # of a TiffImageFile
    bits, samples = tags.get(WIDTH_OF_VALUES, (1,)), tags.get(SAMPLES, 1)
    extra = numbers(tags.get(EXTRA, ()))
    base = len(BASES.get(tags.get(PHOTOMETRIC, 1), GREY))
    kinds = tags.get(FORMAT, (1,))
    undecoded = tags.get(COMPRESSION) == WEBP  # Pillow's own libtiff is built without it
    misread = (SIGNED in kinds and max(bits) == 8) or (kinds[0] == 1 and max(bits) == 32)
    return not (
        UNSPECIFIED in extra or samples > base + len(extra) or misread or undecoded
        or (deep and samples > 1 and max(bits) > 8)
    )  # fmt: skip


def sample_names(
    page: Any, extra: tuple[int, ...], count: int, pixels: PixelSpec
) -> tuple[tuple[str, ...], bool]:
    """Names of a page's samples, and whether the last one is transparency.

    Args:
        page: Tifffile's.
        extra: its ExtraSamples.
        count: samples a pixel.
        pixels: the channels that are read.

    Raises:
        ValueError: the file does not say what some samples are.
    """
    base = BASES.get(int(page.photometric), GREY)
    missing = count - len(base) - len(extra)
    if missing > 0 and len(base) > 1 and pixels.channels == "auto":
        raise ValueError(
            f"it has {count} samples a pixel, and does not say what the last {missing} are; "
            "data.channels=rgba: transparency; data.channels=all: data"
        )
    extra = extra + (UNSPECIFIED,) * missing
    if base == GREY and UNSPECIFIED in extra:
        return numbered(count), False
    names = [*base, *(ALPHA if kind else "extra" for kind in extra)]
    if names.count("extra") > 1:
        first = names.index("extra")
        names = [n if n != "extra" else f"extra {i - first + 1}" for i, n in enumerate(names)]
    alpha = len(extra) == 1 and (extra[0] != UNSPECIFIED or pixels.channels == "rgba")
    return tuple(names), alpha


def numbered(count: int) -> tuple[str, ...]:
    """Names of channels that have none."""
    return GREY if count == 1 else tuple(str(index) for index in range(count))


def ome_channels(tiff: Any) -> tuple[tuple[str, ...], int | None]:
    """Names of the channels, and the significant bits, that OME-XML states."""
    if not tiff.is_ome:
        return (), None
    root = ElementTree.fromstring(tiff.ome_metadata)
    pixels = root.find(".//{*}Image/{*}Pixels")
    if pixels is None:
        return (), None
    found = [each.get("Name") or str(i) for i, each in enumerate(pixels.findall("{*}Channel"))]
    bits = pixels.get("SignificantBits")
    return tuple(found), int(bits) if bits else None


def numbers(values: Any) -> tuple[int, ...]:
    """The values of a tag."""
    return tuple(int(each) for each in (values if isinstance(values, tuple) else (values,)))
