"""Facts of an image file that decide how a set is read, from its header where that is enough."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from sightline.data.reading.decode import naming
from sightline.data.reading.dicom import count_frames
from sightline.data.reading.formats import form_of
from sightline.data.reading.opening import deep_grey, has_16_bits, open_image, raster_of_bands
from sightline.data.reading.raster import BANDS, Raster
from sightline.errors import counted
from sightline.types import PixelSpec

ANIMATIONS = frozenset({"GIF", "PNG", "WEBP", "AVIF"})


@dataclass(frozen=True)
class Facts:
    """What a file holds beside 8 bits of grey or colour.

    Attributes:
        kind: type of its values (`uint16`); empty where they are 8 bits, or state their range.
        low, high: the least and the greatest of them.
        bits: significant bits that the file states.
        names: of its channels, where they are neither grey nor colour; else empty.
        note: how it was read, or what of it was not, where its form allows other readings.
    """

    kind: str = ""
    low: float = 0.0
    high: float = 0.0
    bits: int | None = None
    names: tuple[str, ...] = ()
    note: str = ""

    def is_clipped(self, pixels: PixelSpec) -> bool:
        """Whether values lie outside of the range that images are read in, and are clipped."""
        if not self.kind or pixels.low is None or pixels.high is None:
            return False
        return self.low < pixels.low or self.high > pixels.high


ORDINARY = Facts()


def facts_of_file(file: Path | bytes, name: str, pixels: PixelSpec) -> Facts:
    """Facts of a file.

    Args:
        file: a path, or a file's bytes.
        name: of the image.
        pixels: the channels that are read.

    Raises:
        UnreadableImage: names the image and the reason.
    """
    with naming(name, file):
        if form_of(file, name) == "dicom":
            return _frames(count_frames(file if isinstance(file, Path) else io.BytesIO(file)))
        opened = open_image(file, name, pixels, deep=False)
        if isinstance(opened, Raster):
            return facts_of_raster(opened, pixels)
        with opened:
            return _facts_of_image(opened, pixels)


def facts_of_raster(raster: Raster, pixels: PixelSpec) -> Facts:
    """Facts of the pixels of a file, of the channels that are read.

    Raises:
        ValueError: it does not have these channels, or a value is not a finite number.
    """
    chosen = raster.choose(pixels)
    names = () if chosen.is_image(pixels) else chosen.names
    notes = [raster.note] if raster.note else []
    if pixels.chooses or not (chosen.alpha or chosen.names in BANDS.values()):
        notes.append(f"{counted(len(chosen.names), 'channel')}: {', '.join(chosen.names)}")
    facts = Facts(names=names, note="; ".join(notes))
    if not chosen.deep:
        return facts
    low, high = chosen.extent()
    return replace(facts, kind=chosen.array.dtype.name, low=low, high=high, bits=chosen.bits)


def _facts_of_image(image: Image.Image, pixels: PixelSpec) -> Facts:
    raster = deep_grey(image)
    if raster is not None:
        return facts_of_raster(raster, pixels)
    deep = has_16_bits(image)
    if deep or pixels.chooses:
        image.load()
        raster = raster_of_bands(image)
        facts = facts_of_raster(raster, pixels)
        # Pillow has the upper 8 bits, from which as many bits follow as from all 16.
        high = int(raster.shown.max()) * 256 + 255
        return replace(facts, kind="uint16", high=high) if deep else facts
    moving = image.format in ANIMATIONS and getattr(image, "is_animated", False)
    return _frames(getattr(image, "n_frames", 1) if moving else 1)


def _frames(count: int) -> Facts:
    return Facts(note=f"the first of {count} frames is read") if count > 1 else ORDINARY
