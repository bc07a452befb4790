"""Facts of every image, and checks of them: whether it decodes, its size and mode."""

from collections import Counter
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image, ImageOps

from sightline.data.reading.decode import Reading, UnreadableImage
from sightline.data.reading.images import Images
from sightline.data.reading.raster import ImageData, size
from sightline.data.reading.workers import for_each_image
from sightline.data.source_data import Split
from sightline.doctor.findings import Report
from sightline.types import PixelSpec

SHOWN = 5  # unreadable images that the terminal names
HASHED_SIDE = 32  # pixels; pHash makes every image so large
SMALL_SIDE = 8  # pixels: a smaller image shows hardly anything


@dataclass(frozen=True)
class ImageFacts:
    """Size, mode and perceptual hashes of an image; `error` is None where it could be read.

    Attributes:
        mirrored_hash: of the image mirrored left to right.
        transparent: whether a pixel is transparent, at least in part.
        clipped: whether values are outside of the range that images are read in.
    """

    error: str | None
    width: int = 0
    height: int = 0
    mode: str = ""
    perceptual_hash: int = 0
    mirrored_hash: int = 0
    transparent: bool = False
    clipped: bool = False


def inspect_images(images: Images, pixels: PixelSpec, title: str) -> list[ImageFacts]:
    """Facts of every image, read in parallel, with a progress bar in a terminal.

    Args:
        images: all of them.
        pixels: the values and channels that are read.
        title: of the progress bar.
    """

    def inspect(index: int) -> ImageFacts:
        try:
            image = images.read(index, Reading(pixels))
            clipped = pixels.outside > 0 and images.facts(index, pixels).is_clipped(pixels)
        except UnreadableImage as error:
            return ImageFacts(str(error))
        width, height = size(image)
        mode = image.mode if isinstance(image, Image.Image) else f"{image.shape[2]} channels"
        hashes = perceptual_hashes(image)
        return ImageFacts(None, width, height, mode, *hashes, is_transparent(image), clipped)

    return for_each_image(images, inspect, title)


def is_transparent(image: ImageData) -> bool:
    """Whether a pixel of an image is transparent, at least in part."""
    if not isinstance(image, Image.Image) or not image.has_transparency_data:
        return False
    lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(lowest, (int, float)) and lowest < 255


def perceptual_hashes(image: ImageData) -> tuple[int, int]:
    """imagehash's pHash (64 bits) of the image in grey, and of its mirror image."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image.mean(axis=2).astype(np.uint8))
    grey = image.convert("L").resize((HASHED_SIDE, HASHED_SIDE), Image.Resampling.LANCZOS)
    hashes = [imagehash.phash(each).hash.flatten() for each in (grey, ImageOps.mirror(grey))]
    first, second = (int.from_bytes(np.packbits(bits).tobytes(), "big") for bits in hashes)
    return first, second


def check_images(
    report: Report, splits: dict[str, Split], facts: dict[str, list[ImageFacts]]
) -> None:
    """Report unreadable images, sizes and modes."""
    unreadable, sizes, modes = [], [], Counter[str]()
    for name, split in splits.items():
        of_images = facts[name]
        for position, row in enumerate(split.rows):
            fact = of_images[row]
            if fact.error is not None:
                unreadable.append({"split": name, "id": split.ids[position].as_py(),
                                   "reason": fact.error})  # fmt: skip
            else:
                sizes.append((fact.width, fact.height))
                modes[fact.mode] += 1
    total = sum(len(split) for split in splits.values())
    if unreadable:
        report.add(
            "images", "error",
            f"{len(unreadable):,} of {total:,} cannot be read: "
            + "; ".join(str(each["reason"]) for each in unreadable[:SHOWN])
            + (f" … {len(unreadable) - SHOWN:,} more in the JSON." * (len(unreadable) > SHOWN)),
            unreadable,
        )  # fmt: skip
    else:
        report.add("images", "ok", f"all {total:,} can be read")
    if not sizes:
        return
    widths, heights = np.array(sizes).T
    summary = (
        f"width {widths.min()} to {widths.max()} (median {int(np.median(widths))}), height "
        f"{heights.min()} to {heights.max()} (median {int(np.median(heights))}) pixels"
    )
    tiny = int((np.minimum(widths, heights) < SMALL_SIDE).sum())
    if tiny:
        report.add("sizes", "warning", f"{summary}; {tiny:,} are under {SMALL_SIDE} pixels")
    else:
        report.add("sizes", "ok", summary)
    kinds = ", ".join(f"{mode} {count:,}" for mode, count in modes.most_common())
    report.add("modes", "ok" if len(modes) == 1 else "warning", kinds)
