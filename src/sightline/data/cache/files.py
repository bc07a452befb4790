"""Files of decoded and resized images, which every later run reads instead of decoding again.

A file holds all images of one collection in uint8. Its name is a digest of their content and of
the geometry. Processes that want the same file wait for the first; a file appears when it is
complete.
"""

import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from filelock import FileLock

from sightline.data.cache.entries import GIB, list_entries, remove
from sightline.data.cache.pixel_digests import pixel_digests
from sightline.data.reading.images import Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import Failure, decode_all
from sightline.errors import UserError
from sightline.io.atomic import atomic_path
from sightline.io.digests import CHANGED
from sightline.io.sealed import read_sealed, write_sealed
from sightline.paths import image_cache_dir
from sightline.types import PreprocessSpec

log = logging.getLogger(__name__)

PIXELS = "pixels"  # the key of the digest of all pixels


@dataclass(frozen=True)
class DecodedImages:
    """Decoded images of one collection.

    Attributes:
        array: shape (N, C, S, S), uint8; a mapped file where it is cached on disk.
        failures: images that could not be read; their rows are zeros.
        digests: of each image's pixels, shape (N,), uint64.
    """

    array: np.ndarray
    failures: list[Failure]
    digests: np.ndarray


def cache_bytes(images: list[Images], spec: PreprocessSpec) -> int:
    """Size of the decoded images, in bytes."""
    return sum(len(each) for each in images) * spec.in_chans * spec.img_size**2


def load_or_decode(
    images: Images, contents: np.ndarray, spec: PreprocessSpec, name: str, max_gib: float
) -> DecodedImages:
    """All images with the geometry of evaluation, from the cache's file, written where missing.

    Args:
        images: the images; those in memory are decoded without a file.
        contents: their content digests.
        spec: the geometry.
        name: of the data set, for `sightline cache`.
        max_gib: limit of the cache folder, in GiB; the least recently used files make room.

    Raises:
        UserError: there is no room for the file.
    """
    shape = (len(images), spec.in_chans, spec.img_size, spec.img_size)
    transform = ImageTransform(spec)
    if images.in_memory:
        array = np.zeros(shape, np.uint8)
        failures = decode_all(images, transform, transform.reading, array, name)
        return DecodedImages(array, failures, pixel_digests(array))
    key = _key(contents, spec)
    folder = image_cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path, about = folder / f"{key}.npy", folder / f"{key}.json"
    with FileLock(folder / f"{key}.lock"):
        found = _load(path, about, shape)
        if found is None:
            _make_room(folder, int(np.prod(shape)), max_gib)
            with atomic_path(path) as partial:
                found = _decode_to(partial, images, transform, shape, name)
                facts = {"name": name, "shape": shape, "failures": found.failures}
                write_sealed(about, facts | {PIXELS: _digest(found.digests)})
        os.utime(about)
    return found


def _load(path: Path, about: Path, shape: tuple[int, ...]) -> DecodedImages | None:
    """The cached images; None where there are none, or they are damaged."""
    if not (path.is_file() and about.is_file()):
        return None
    try:
        facts = read_sealed(about)
        failures = [(int(index), str(why)) for index, why in facts["failures"]]
        array = np.load(path, mmap_mode="r")
        if array.shape != shape:
            raise ValueError(f"its shape is {array.shape}")
        digests = pixel_digests(array)
        if facts.get(PIXELS) not in (None, _digest(digests)):  # older files have none
            raise ValueError(CHANGED)
    except (UserError, LookupError, TypeError, ValueError, EOFError, OSError) as error:
        log.warning("%s is damaged (%s): the images are decoded anew.", path, error)
        return None
    return DecodedImages(array, failures, digests)


def _digest(digests: np.ndarray) -> str:
    return hashlib.blake2b(digests.tobytes(), digest_size=16).hexdigest()


def _key(contents: np.ndarray, spec: PreprocessSpec) -> str:
    geometry = spec.to_dict()
    if spec.crop_mode != "border":  # whose borders have the colour of the mean
        geometry = {k: v for k, v in geometry.items() if k not in ("mean", "std")}
    facts = json.dumps([geometry, PIL.__version__], sort_keys=True)
    return hashlib.blake2b(contents.tobytes() + facts.encode(), digest_size=16).hexdigest()


def _decode_to(
    path: Path, images: Images, transform: ImageTransform, shape: tuple[int, ...], name: str
) -> DecodedImages:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as stream:  # finds a full disk now, rather than as a bus error
        try:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        except OSError as error:  # without a name, it would seem to be the run's folder
            raise OSError(error.errno, error.strerror, str(path)) from error
    failures = decode_all(images, transform, transform.reading, array, f"decoding {name}")
    array.flush()
    return DecodedImages(np.load(path, mmap_mode="r"), failures, pixel_digests(array))


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
