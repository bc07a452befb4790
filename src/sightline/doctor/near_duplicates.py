"""Near duplicates: images that look alike, or mirrored, by their perceptual hashes.

Of 200 photographs (benchmarks/README.md), 10 of 64 bits find every crop by 2 % and no false pair
among 19,900; 2 bits find 46 % of the crops. Images smaller than the hash's own grid differ in so
little that 10 bits would join different ones.
"""

from collections.abc import Iterator

import numpy as np

from sightline.data.source_data import Split
from sightline.doctor.findings import Report
from sightline.doctor.images import HASHED_SIDE, ImageFacts
from sightline.errors import counted

NEAR_BITS = 10  # of 64 that may differ between near duplicates
FEW_BITS = 2  # the same for images under HASHED_SIDE pixels, and in large data sets
COMPARED = 25_000  # different hashes, up to which each is compared with each
MAX_PAIRS = 100_000  # found ones, after which the search ends
CHUNK = 256  # hashes that are compared at once


def near_duplicates(hashes: np.ndarray, mirrored: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Pairs of positions of images that look alike, shape (P, 2), sorted; at most MAX_PAIRS.

    Of images with the same hash the first represents all: each of the others makes a pair with it.

    Args:
        hashes: shape (N,), uint64.
        mirrored: shape (N,), of the mirrored images.
        small: shape (N,), whether an image is under HASHED_SIDE pixels.
    """
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    representative = first[inverse]
    copies = np.flatnonzero(representative != np.arange(len(hashes)))
    found = [np.stack([representative[copies], copies], axis=1)]
    search = _all_pairs if len(unique) <= COMPARED else _pairs_in_buckets
    for pairs in search(unique, mirrored[first], small[first]):
        found.append(np.sort(first[pairs], axis=1))
        if sum(map(len, found)) >= MAX_PAIRS:
            break
    return np.unique(np.concatenate(found), axis=0)[:MAX_PAIRS]


def _all_pairs(hashes: np.ndarray, mirrored: np.ndarray, small: np.ndarray) -> Iterator[np.ndarray]:
    """Chunks of pairs (P, 2): each hash with each, and with each mirror image's."""
    for start in range(0, len(hashes), CHUNK):
        some = slice(start, start + CHUNK)
        limit = np.where(small[some, None] | small[None, start:], FEW_BITS, NEAR_BITS)
        near = np.bitwise_count(hashes[some, None] ^ hashes[None, start:]) <= limit
        near |= np.bitwise_count(hashes[some, None] ^ mirrored[None, start:]) <= limit
        ours, theirs = np.nonzero(np.triu(near, 1))
        yield np.stack([ours, theirs], axis=1) + start


def _pairs_in_buckets(
    hashes: np.ndarray, mirrored: np.ndarray, small: np.ndarray
) -> Iterator[np.ndarray]:
    """Chunks of pairs that differ in FEW_BITS or fewer.

    Hashes that differ in up to 3 bits agree in at least one of four 16-bit quarters, so only
    hashes that agree in a quarter are compared.
    """
    both = np.concatenate([hashes, mirrored])
    for quarter in range(4):
        part = (both >> np.uint64(16 * quarter)) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        edges = np.flatnonzero(np.diff(part[order])) + 1
        for bucket in np.split(order, edges):
            for start in range(0, len(bucket) if len(bucket) > 1 else 0, CHUNK):
                some = bucket[start : start + CHUNK]
                differing = np.bitwise_count(both[some][:, None] ^ both[bucket][None, :])
                ours, theirs = np.nonzero(differing <= FEW_BITS)
                pairs = np.stack([some[ours], bucket[theirs]], axis=1) % len(hashes)
                yield pairs[pairs[:, 0] < pairs[:, 1]]


def check_near_duplicates(
    report: Report,
    splits: dict[str, Split],
    facts: dict[str, list[ImageFacts]],
    contents: dict[str, np.ndarray],
) -> None:
    """Report pairs of images that look alike and have different bytes."""
    names, found, digests = [], [], []
    for name, split in splits.items():
        of_images, digest_of = facts[name], contents[name]
        for index, row in enumerate(split.rows):
            if of_images[row].error is None:
                names.append((name, index))
                found.append(of_images[row])
                digests.append(digest_of[row])
    pairs = near_duplicates(
        np.array([fact.perceptual_hash for fact in found], np.uint64),
        np.array([fact.mirrored_hash for fact in found], np.uint64),
        np.array([min(fact.width, fact.height) < HASHED_SIDE for fact in found], bool),
    )
    near = [(a, b) for a, b in pairs.tolist() if not np.array_equal(digests[a], digests[b])]
    across = [(a, b) for a, b in near if names[a][0] != names[b][0]]

    def where(position: int) -> str:
        split, index = names[position]
        return f"{split}:{splits[split].ids[index].as_py()}"

    if not near:
        report.add("near duplicates", "ok", "none")
        return
    least = "at least " if len(pairs) == MAX_PAIRS else ""
    bits = NEAR_BITS if len(found) <= COMPARED else FEW_BITS
    details = [[where(a), where(b)] for a, b in across or near]
    report.add(
        "near duplicates", "warning",
        f"{least}{counted(len(near), 'pair looks', 'pairs look')} alike, some perhaps mirrored (at "
        f"most {bits} of 64 bits of pHash differ, of images under {HASHED_SIDE} pixels "
        f"{FEW_BITS}), {len(across):,} of them across splits: {' ~ '.join(details[0])}",
        details,
    )  # fmt: skip
