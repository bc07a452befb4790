"""Content digests of images, read once: later runs know them by path, size and time of change."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sightline.data.reading.images import Images
from sightline.paths import cache_dir

SIZE = 16  # bytes a digest
THREADS = 16  # reading waits for disks and networks more than for processors
BLOCK = 256


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
        save_array_atomically(stored, digests)
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


def save_array_atomically(path: Path, array: np.ndarray) -> None:
    """Write an array so that other processes see it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as stream:
        np.save(stream, array)
    partial.replace(path)
