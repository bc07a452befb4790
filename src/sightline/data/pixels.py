"""Range of values and channels of a set's images, chosen once, from its training images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sightline.config.schema import DataConfig
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.facts import Facts
from sightline.data.reading.images import Images, SelectedImages
from sightline.data.reading.raster import range_words
from sightline.data.reading.workers import for_each_image
from sightline.data.source_data import SourceData
from sightline.errors import UserError, counted
from sightline.types import PixelSpec

INSPECTED = 1024  # training images, of which those with more than 8 bits are decoded
STREAMED = 256  # of a stream
FIRST = 64  # images that tell whether all are decoded, and so whether worker processes help
BITS = (8, 10, 12, 14, 16)
FEW = 0.05  # of an image's values may be outside of a range that others' least and greatest give


def choose_pixels(source: SourceData, config: DataConfig) -> tuple[SourceData, PixelSpec]:
    """The source with notes on how its files are read, and the range and channels for all of them.

    The range is `data.range` or that of `data.bits`. With `auto`, whole numbers from 0 to 65,535
    take the least of 8, 10, 12, 14 and 16 bits that holds them and that no file contradicts.
    Others are taken from 0 to 1, if all are in between, or from the least to the greatest. Values
    outside of a number of bits are an error, of up to 5 % of an image otherwise clipped; all that
    are outside of `data.range` are clipped.

    Args:
        source: with its training images.
        config: `bits`, `range` and `channels`.

    Raises:
        UserError: `bits` or `range` has no effect on the images, or does not suit them.
    """
    given = tuple(config.channels) if isinstance(config.channels, list) else config.channels
    chosen = PixelSpec(channels=given)
    facts = _facts(source, chosen)
    deep = [each for each in facts if each.kind]
    low, high, outside = _range(deep, config, source, len(facts))
    names = Counter(each.names for each in facts if each.names)
    common = names.most_common(1)[0][0] if names else ()
    pixels = PixelSpec(low, high, outside, given, common)
    return replace(source, notes=(*source.notes, *_notes(facts, deep, pixels))), pixels


def _facts(source: SourceData, pixels: PixelSpec) -> list[Facts]:
    """Facts of a seeded sample of training images, without those that cannot be read."""
    if source.stream is not None:
        return source.stream.facts(STREAMED, pixels)
    train = source.whole_train
    count = min(INSPECTED, len(train))
    drawn = np.sort(np.random.default_rng(0).choice(len(train), size=count, replace=False))
    images: Images = SelectedImages(train.images, train.rows[drawn])

    def of(index: int) -> Facts | None:
        try:
            return images.facts(index, pixels)
        except UnreadableImage:
            return None  # which is reported where all are read

    found = [of(index) for index in range(min(FIRST, count))]
    if any(each is not None and each.kind for each in found):
        found = for_each_image(images, of, "inspecting values")
    else:
        found += [of(index) for index in range(len(found), count)]
    return [each for each in found if each is not None]


def _range(
    deep: Sequence[Facts], config: DataConfig, source: SourceData, inspected: int
) -> tuple[float | None, float | None, float]:
    """Lower and upper end, and the share of values that may lie outside."""
    low = min((each.low for each in deep), default=0)
    high = max((each.high for each in deep), default=0)
    if not deep and inspected and (config.range is not None or config.bits not in ("auto", 16)):
        key = "bits" if config.range is None else "range"
        raise UserError(
            f"data.{key} has no effect: none of the {inspected:,} training images of "
            f"{source.location} that were inspected has more than 8 bits a channel without a range "
            f"of its own. Leave data.{key} out."
        )
    if config.range is not None:
        return config.range[0], config.range[1], 1.0
    kinds = {each.kind for each in deep}
    whole = not any(kind.startswith("float") for kind in kinds)
    if config.bits != "auto":
        if not whole:
            raise UserError(
                f"data.bits={config.bits} is for whole numbers, but images of {source.location} "
                f"are floating-point numbers from {low:g} to {high:g}; use data.range=[LOW,HIGH]."
            )
        return _of_bits(config.bits)
    if not deep:
        return None, None, 0.0
    if whole and low >= 0 and high <= 65535:
        stated = [each.bits for each in deep if each.bits is not None and each.bits <= 16]
        held = max([int(high).bit_length(), *stated])
        return _of_bits(min(n for n in BITS if n >= held))
    if len({kind.startswith("float") for kind in kinds}) > 1:
        raise UserError(
            f"{source.location}: some images are whole numbers and others floating-point numbers "
            f"({', '.join(sorted(kinds))}); say what is black and white: data.range=[LOW,HIGH]."
        )
    if not whole and low >= 0 and high <= 1:
        return 0.0, 1.0, FEW
    return float(low), float(high if high > low else low + 1), FEW


def _of_bits(bits: int) -> tuple[float | None, float | None, float]:
    """The range of whole numbers of so many bits; of all 16, as without any range."""
    return (None, None, 0.0) if bits == 16 else (0.0, float(2**bits - 1), 0.0)


def _notes(facts: Sequence[Facts], deep: Sequence[Facts], pixels: PixelSpec) -> list[str]:
    notes = []
    if deep:
        kinds = ", ".join(sorted({each.kind for each in deep}))
        low, high = min(each.low for each in deep), max(each.high for each in deep)
        shown = pixels if pixels.low is not None else PixelSpec(0.0, 65535.0)
        beyond = "; values outside are clipped" if pixels.outside else ""
        if clipped := sum(each.is_clipped(pixels) for each in deep):
            beyond += f", which {counted(clipped, 'of these images has', 'of these images have')}"
        notes.append(
            f"{kinds} values from {range_words(shown)} as 0 to 255 (found {low:,.6g} to "
            f"{high:,.6g} in {len(deep):,} of {len(facts):,} inspected training images){beyond}"
        )
    for text, count in Counter(each.note for each in facts if each.note).items():
        share = "" if count == len(facts) else f" ({count:,} of {len(facts):,} inspected)"
        notes.append(text + share)
    return notes
