"""Checks of every image: whether it decodes, its size and mode, and near duplicates."""

from collections import Counter
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from sightline.data.reading.decode import ImageData, UnreadableImage, size
from sightline.data.reading.images import Images
from sightline.data.reading.workers import for_each_image
from sightline.data.source_data import Split
from sightline.doctor.findings import Report

NEAR_BITS = 2  # of 64 bits of the perceptual hash may differ between near duplicates
CHUNK = (
    1024  # hashes that are compared at once with all hashes that have a quarter in common with them
)
SHOWN = 5  # unreadable images that the terminal names
SMALL_SIDE = 8  # pixels: a smaller image shows hardly anything


@dataclass(frozen=True)
class ImageFacts:
    """Size, mode and perceptual hash of an image; `error` is None where it could be read."""

    error: str | None
    width: int = 0
    height: int = 0
    mode: str = ""
    perceptual_hash: int = 0


def inspect_images(images: Images, title: str) -> list[ImageFacts]:
    """Facts of every image, read in parallel, with a progress bar in a terminal."""

    def inspect(index: int) -> ImageFacts:
        try:
            image = images.read(index)
        except UnreadableImage as error:
            return ImageFacts(str(error))
        width, height = size(image)
        mode = image.mode if isinstance(image, Image.Image) else f"{image.shape[2]} channels"
        return ImageFacts(None, width, height, mode, _perceptual_hash(image))

    return for_each_image(images, inspect, title)


def _perceptual_hash(image: ImageData) -> int:
    """imagehash's pHash (64 bits) of the image in grey."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image.mean(axis=2).astype(np.uint8))
    bits = imagehash.phash(image.convert("L")).hash.flatten()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


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


def near_duplicates(hashes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of positions whose 64-bit hashes differ in at most NEAR_BITS bits.

    Of images with the same hash the first represents all: each of the others makes a pair with
    it. Hashes that differ in up to 3 bits agree in at least one of four 16-bit quarters, so only
    hashes that agree in a quarter are compared.
    """
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    representative = first[inverse]
    copies = np.flatnonzero(representative != np.arange(len(hashes)))
    pairs = {(int(representative[each]), int(each)) for each in copies}
    for quarter in range(4):
        part = (unique >> np.uint64(16 * quarter)) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        edges = np.flatnonzero(np.diff(part[order])) + 1
        for bucket in np.split(order, edges):
            for start in range(0, len(bucket) if len(bucket) > 1 else 0, CHUNK):
                some = bucket[start : start + CHUNK]
                differing = np.bitwise_count(unique[some][:, None] ^ unique[bucket][None, :])
                near = (differing <= NEAR_BITS) & (some[:, None] < bucket[None, :])
                ours, theirs = np.nonzero(near)
                pairs |= {
                    (int(min(a, b)), int(max(a, b)))
                    for a, b in zip(first[some[ours]], first[bucket[theirs]], strict=True)
                }
    return sorted(pairs)


def check_near_duplicates(
    report: Report,
    splits: dict[str, Split],
    facts: dict[str, list[ImageFacts]],
    contents: dict[str, np.ndarray],
) -> None:
    """Report pairs of images that look alike and have different bytes."""
    names, hashes, digests = [], [], []
    for name, split in splits.items():
        of_images, digest_of = facts[name], contents[name]
        for index, row in enumerate(split.rows):
            if of_images[row].error is None:
                names.append((name, index))
                hashes.append(of_images[row].perceptual_hash)
                digests.append(digest_of[row])
    pairs = near_duplicates(np.array(hashes, np.uint64))
    near = [(a, b) for a, b in pairs if not np.array_equal(digests[a], digests[b])]
    across = [(a, b) for a, b in near if names[a][0] != names[b][0]]

    def where(position: int) -> str:
        split, index = names[position]
        return f"{split}:{splits[split].ids[index].as_py()}"

    if not near:
        report.add("near duplicates", "ok", "none")
        return
    details = [[where(a), where(b)] for a, b in across or near]
    report.add(
        "near duplicates", "warning",
        f"{len(near):,} pair{'s' * (len(near) > 1)} look alike (at most {NEAR_BITS} of 64 bits of "
        "pHash differ), "
        f"{len(across):,} of them across splits: {' ~ '.join(details[0])}",
        details,
    )  # fmt: skip
