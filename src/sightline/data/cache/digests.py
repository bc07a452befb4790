"""Content digests of images, stored by path, size and time of change so that they are read once."""

import hashlib
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sightline.data.reading.images import Images
from sightline.data.source_data import Split, once_per_images
from sightline.io.atomic import atomic_path
from sightline.io.digests import CHANGED
from sightline.paths import cache_dir

log = logging.getLogger(__name__)

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
    known = None if stored is None else _load(stored, len(images))
    if known is not None:
        return known
    blocks = range(0, len(images), BLOCK)
    ends = (min(start + BLOCK, len(images)) for start in blocks)
    with ThreadPoolExecutor(1 if images.in_memory else THREADS) as pool:
        spans = zip(blocks, ends, strict=True)
        parts = list(pool.map(lambda span: _digests(images, range(*span)), spans))
    digests = np.concatenate(parts) if parts else np.zeros((0, SIZE), np.uint8)
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(stored) as partial, partial.open("wb") as stream:
            np.save(stream, np.concatenate([digests, _digest_of(digests)]))
    return digests


def _load(path: Path, count: int) -> np.ndarray | None:
    """Stored digests of so many images, whose last row is a digest of the others; None where there
    are none, or they are damaged."""
    try:
        found = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        if path.is_file():
            log.warning("%s is damaged (%s): the images are read again.", path, error)
        return None
    if found.shape == (count, SIZE) and found.dtype == np.uint8:  # of before, without that row
        return found
    if found.shape == (count + 1, SIZE) and (_digest_of(found[:-1]) == found[-1:]).all():
        return found[:-1]
    log.warning("%s is damaged (%s): the images are read again.", path, CHANGED)
    return None


def _digest_of(digests: np.ndarray) -> np.ndarray:
    content = hashlib.blake2b(digests.tobytes(), digest_size=SIZE).digest()
    return np.frombuffer(content, np.uint8)[None]


def _digests(images: Images, indices: Iterable[int]) -> np.ndarray:
    rows = []
    for index in indices:
        try:
            digest = hashlib.blake2b(images.content(index), digest_size=SIZE).digest()
        except OSError:
            digest = bytes(SIZE)
        rows.append(np.frombuffer(digest, np.uint8))
    return np.stack(rows)
