"""Content digests of images, stored by path, size and time of change so that they are read once."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sightline.data.reading.images import Images
from sightline.data.source_data import Split, once_per_images
from sightline.io.atomic import atomic_path
from sightline.paths import cache_dir

SIZE = 16  # bytes of a digest
THREADS = 16  # more than processors, because reading waits for disks and networks
BLOCK = 256  # images a task


def contents_of_splits(splits: dict[str, Split]) -> dict[str, np.ndarray]:
    """The content digests of each split's images, by the split's name; see `content_digests`."""
    return once_per_images(splits, lambda _, images: content_digests(images))


def content_digests(images: Images) -> np.ndarray:
    """A digest of each image's bytes, shape (N, 16) of uint8; zeros where it cannot be read."""
    fingerprint = images.fingerprint()
    stored = None if fingerprint is None else cache_dir() / "digests" / f"{fingerprint}.npy"
    if stored is not None and stored.is_file():
        return np.load(stored)
    blocks = range(0, len(images), BLOCK)
    ends = (min(start + BLOCK, len(images)) for start in blocks)
    with ThreadPoolExecutor(1 if images.in_memory else THREADS) as pool:
        spans = zip(blocks, ends, strict=True)
        parts = list(pool.map(lambda span: _digests(images, range(*span)), spans))
    digests = np.concatenate(parts) if parts else np.zeros((0, SIZE), np.uint8)
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(stored) as partial, partial.open("wb") as stream:
            np.save(stream, digests)
    return digests


def _digests(images: Images, indices: Iterable[int]) -> np.ndarray:
    rows = []
    for index in indices:
        try:
            digest = hashlib.blake2b(images.content(index), digest_size=SIZE).digest()
        except OSError:
            digest = bytes(SIZE)
        rows.append(np.frombuffer(digest, np.uint8))
    return np.stack(rows)
