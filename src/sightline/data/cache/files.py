"""Images decoded and resized once, kept in a file that every later run uses again.

A file holds the images of one place in uint8, named by a digest of their content and of the
geometry. Jobs that want the same file at once wait for the first; a file appears when it is whole.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from filelock import FileLock

from sightline.data.loading.transforms import ImageTransform
from sightline.data.reading.images import Images
from sightline.data.reading.workers import Failure, decode_all
from sightline.errors import UserError
from sightline.paths import image_cache_dir
from sightline.types import PreprocessSpec

GIB = 2**30
MIB = 2**20
SUFFIXES = (".npy", ".arrow")  # decoded images; tables larger than memory


@dataclass(frozen=True)
class CacheFile:
    """Decoded images.

    Attributes:
        array: shape (N, C, S, S), uint8; a mapped file where it is kept on disk.
        failures: images that could not be read; their rows are zeros.
    """

    array: np.ndarray
    failures: list[Failure]


@dataclass(frozen=True)
class Entry:
    """One file of the cache, as `sightline cache` lists it."""

    key: str
    name: str
    images: int
    shape: tuple[int, ...]
    size_bytes: int
    used: float


def cache_bytes(images: list[Images], spec: PreprocessSpec) -> int:
    """What keeping these images takes."""
    return sum(len(each) for each in images) * spec.in_chans * spec.img_size**2


def keep(
    images: Images, contents: np.ndarray, spec: PreprocessSpec, name: str, max_gib: float
) -> CacheFile:
    """All images as evaluation sees them, from the cache's file, which is made where missing.

    Args:
        images: the images.
        contents: their content digests.
        spec: the geometry.
        name: what `sightline cache` calls them.
        max_gib: the most that the folder may take; what was not used for longest makes room.

    Raises:
        UserError: there is no room for it.
    """
    shape = (len(images), spec.in_chans, spec.img_size, spec.img_size)
    transform = ImageTransform(spec)
    if images.in_memory:
        array = np.zeros(shape, np.uint8)
        return CacheFile(array, decode_all(images, transform, transform.side, array, name))
    key = _key(contents, spec)
    folder = image_cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path, about = folder / f"{key}.npy", folder / f"{key}.json"
    with FileLock(folder / f"{key}.lock"):
        if not (path.is_file() and about.is_file()):
            _make_room(folder, int(np.prod(shape)), max_gib)
            partial = folder / f"{key}.partial"
            failures = _build(images, transform, shape, name, partial)
            about.write_text(json.dumps({"name": name, "shape": shape, "failures": failures}))
            partial.replace(path)
        os.utime(about)
    facts = json.loads(about.read_text())
    failures = [(int(index), str(reason)) for index, reason in facts["failures"]]
    return CacheFile(np.load(path, mmap_mode="r"), failures)


def _key(contents: np.ndarray, spec: PreprocessSpec) -> str:
    geometry = spec.to_dict()
    if spec.crop_mode != "border":  # whose borders have the colour of the mean
        geometry = {k: v for k, v in geometry.items() if k not in ("mean", "std")}
    facts = json.dumps([geometry, PIL.__version__], sort_keys=True)
    return hashlib.blake2b(contents.tobytes() + facts.encode(), digest_size=16).hexdigest()


def _build(
    images: Images, transform: ImageTransform, shape: tuple[int, ...], name: str, partial: Path
) -> list[Failure]:
    try:
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        with partial.open("r+b") as stream:  # a full disk is found now, not as a bus error
            os.posix_fallocate(stream.fileno(), 0, partial.stat().st_size)
        failures = decode_all(images, transform, transform.side, array, f"decoding {name}")
        array.flush()
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return failures


def _make_room(folder: Path, needed: int, max_gib: float) -> None:
    limit = max_gib * GIB
    if needed > limit:
        raise UserError(
            f"data.cache: the decoded images take {needed / GIB:.1f} GiB, but "
            f"data.cache_max_gib={max_gib:g}; allow more, or use data.cache=none."
        )
    entries = sorted(list_entries(), key=lambda entry: entry.used)
    total = sum(entry.size_bytes for entry in entries)
    for entry in entries:
        if total + needed <= limit and needed <= shutil.disk_usage(folder).free:
            break
        remove(entry.key)
        total -= entry.size_bytes
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"data.cache: {folder} has {free / GIB:.1f} GiB free, but the decoded images take "
            f"{needed / GIB:.1f} GiB; move SIGHTLINE_CACHE, or use data.cache=none."
        )


def list_entries() -> list[Entry]:
    """What the cache holds."""
    entries = []
    for about in sorted((image_cache_dir()).glob("*.json")):
        for path in filter(Path.is_file, map(about.with_suffix, SUFFIXES)):
            facts = json.loads(about.read_text())
            images, *shape = facts["shape"]
            stat = path.stat()
            entries.append(
                Entry(about.stem, facts["name"], images, tuple(shape), stat.st_size,
                      about.stat().st_mtime)
            )  # fmt: skip
    return entries


def remove(key: str) -> None:
    """Forget one file; a job that uses it keeps its images until it ends."""
    for suffix in (".json", *SUFFIXES):
        (image_cache_dir() / f"{key}{suffix}").unlink(missing_ok=True)
