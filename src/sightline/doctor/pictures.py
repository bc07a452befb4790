"""Looking at every picture once: does it decode, how large is it, does it occur twice?"""

from collections import Counter
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from sightline.data.decoding import for_each_picture
from sightline.data.images import Images
from sightline.data.pictures import Picture, UnreadablePicture, size
from sightline.data.source import Split
from sightline.doctor.findings import Report

NEAR_BITS = 2  # of 64 bits of the perceptual hash may differ between near duplicates
MAX_BUCKET = 200  # pictures with the same quarter of a hash that are compared with each other
SMALL_SIDE = 8  # pixels: a picture below this has hardly anything to see


@dataclass(frozen=True)
class Facts:
    """What one picture showed; `error` is None where it could be read."""

    error: str | None
    width: int = 0
    height: int = 0
    mode: str = ""
    perceptual_hash: int = 0


def look_at_pictures(images: Images, title: str) -> list[Facts]:
    """Facts of every picture, read in parallel, with a progress bar in a terminal."""

    def look(index: int) -> Facts:
        try:
            picture = images.read(index)
        except UnreadablePicture as error:
            return Facts(str(error))
        width, height = size(picture)
        mode = picture.mode if isinstance(picture, Image.Image) else f"{picture.shape[2]} channels"
        return Facts(None, width, height, mode, _perceptual_hash(picture))

    return for_each_picture(images, look, title)


def _perceptual_hash(picture: Picture) -> int:
    """imagehash's pHash (64 bits) of the picture in grey."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture.mean(axis=2).astype(np.uint8))
    bits = imagehash.phash(picture.convert("L")).hash.flatten()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def check_pictures(report: Report, splits: dict[str, Split], facts: dict[int, list[Facts]]) -> None:
    """Report what cannot be read, and sizes and modes."""
    unreadable, sizes, modes = [], [], Counter[str]()
    for name, split in splits.items():
        of_images = facts[id(split.images)]
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
            "pictures", "error",
            f"{len(unreadable):,} of {total:,} cannot be read. {unreadable[0]['reason']}",
            unreadable,
        )  # fmt: skip
    else:
        report.add("pictures", "ok", f"all {total:,} can be read")
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

    Hashes that differ in up to 3 bits agree in at least one of four quarters, so only pictures
    that share a quarter are compared.
    """
    pairs: set[tuple[int, int]] = set()
    for quarter in range(4):
        part = (hashes >> np.uint64(16 * quarter)) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        edges = np.flatnonzero(np.diff(part[order])) + 1
        for bucket in np.split(order, edges):
            if 1 < len(bucket) <= MAX_BUCKET:
                differing = np.bitwise_count(hashes[bucket][:, None] ^ hashes[bucket][None, :])
                first, second = np.nonzero(np.triu(differing <= NEAR_BITS, 1))
                pairs |= {
                    (int(min(a, b)), int(max(a, b)))
                    for a, b in zip(bucket[first], bucket[second], strict=True)
                }
    return sorted(pairs)


def check_near_duplicates(
    report: Report,
    splits: dict[str, Split],
    facts: dict[int, list[Facts]],
    contents: dict[int, np.ndarray],
) -> None:
    """Report pictures that look alike without being the same to the byte."""
    names = [(name, index) for name, split in splits.items() for index in range(len(split))]
    hashes, digests = [], []
    for split in splits.values():
        of_images = facts[id(split.images)]
        hashes += [of_images[row].perceptual_hash for row in split.rows]
        digests.append(contents[id(split.images)][split.rows])
    digest = np.concatenate(digests)
    pairs = near_duplicates(np.array(hashes, np.uint64))
    near = [(a, b) for a, b in pairs if not np.array_equal(digest[a], digest[b])]
    across = [(a, b) for a, b in near if names[a][0] != names[b][0]]

    def where(position: int) -> str:
        split, index = names[position]
        return f"{split}:{splits[split].ids[index].as_py()}"

    if not near:
        report.add("near duplicates", "ok", "none")
        return
    details = [[where(a), where(b)] for a, b in (across or near)[:20]]
    report.add(
        "near duplicates", "warning",
        f"{len(near):,} pairs look alike ({NEAR_BITS} of 64 bits of pHash differ at most), "
        f"{len(across):,} of them across splits: {' ~ '.join(details[0])}",
        details,
    )  # fmt: skip
