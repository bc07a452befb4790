"""Files of decoded and resized images, which every later run reads instead of decoding again.

A file holds all images of one collection in uint8. Its name is a digest of their content and of
the geometry. Processes that want the same file wait for the first; a file appears when it is
complete.
"""

import hashlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from sightline.data.cache.entries import make_room
from sightline.data.cache.keys import cache_key, packed_sizes, shape_of, unpacked_sizes
from sightline.data.cache.pixel_digests import pixel_digests
from sightline.data.geometries.frames import Frame
from sightline.data.reading.images import Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import Decoded, Failure, decode_all
from sightline.errors import UserError
from sightline.io.atomic import atomic_path
from sightline.io.digests import CHANGED
from sightline.io.sealed import read_sealed, write_sealed
from sightline.paths import image_cache_dir
from sightline.types import PreprocessSpec

log = logging.getLogger(__name__)

PIXELS, SIZES = "pixels", "sizes"  # keys: the digest of all pixels, and the frames' sizes


@dataclass(frozen=True)
class DecodedImages:
    """Decoded images of one collection.

    Attributes:
        array: shape (N, C, H, W), uint8; a mapped file where it is cached on disk.
        failures: images that could not be read; their rows are zeros.
        digests: of each image's pixels, shape (N,), uint64.
        sizes: shape (N, 2), height and width of each frame, which is in the corner; None where all
            images have the model's input size.
    """

    array: np.ndarray
    failures: list[Failure]
    digests: np.ndarray
    sizes: np.ndarray | None = None


def load_or_decode(
    images: Images, contents: np.ndarray, spec: PreprocessSpec, name: str, max_gib: float,
    frame: Frame | None = None,
) -> DecodedImages:  # fmt: skip
    """All images, from the cache's file, which is written where it is missing.

    Args:
        images: the images; those in memory are decoded without a file.
        contents: their content digests.
        spec: the geometry of evaluation.
        name: of the data set, for `sightline cache`.
        max_gib: limit of the cache folder, in GiB; the least recently used files make room.
        frame: makes whole images of them instead, for training crops.

    Raises:
        UserError: there is no room for the file.
    """
    shape = (len(images), *shape_of(spec, frame))
    transform = ImageTransform(spec, shape=frame)
    if images.in_memory:
        array = np.zeros(shape, np.uint8)
        decoded = decode_all(images, transform, transform.reading, array, name)
        return _with_facts(array, decoded, frame)
    key = cache_key(contents, spec, frame)
    folder = image_cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    path, about = folder / f"{key}.npy", folder / f"{key}.json"
    with FileLock(folder / f"{key}.lock"):
        found = _load(path, about, shape, frame is not None)
        if found is None:
            make_room(int(np.prod(shape)), max_gib, "the decoded images")
            with atomic_path(path) as partial:
                decoded = _decode_to(partial, images, transform, shape, name)
                found = _with_facts(np.load(partial, mmap_mode="r"), decoded, frame)
                facts = {"name": name, "shape": shape, "failures": found.failures}
                sizes = {} if found.sizes is None else {SIZES: packed_sizes(found.sizes)}
                write_sealed(about, facts | {PIXELS: _digest(found.digests)} | sizes)
            found = replace(found, array=np.load(path, mmap_mode="r"))  # under its own name
        os.utime(about)
    return found


def _with_facts(array: np.ndarray, decoded: Decoded, frame: Frame | None) -> DecodedImages:
    sizes = decoded.sizes if frame else None
    return DecodedImages(array, decoded.failures, pixel_digests(array), sizes)


def _load(
    path: Path, about: Path, shape: tuple[int, ...], with_sizes: bool
) -> DecodedImages | None:
    """The cached images; None where there are none, or they are damaged."""
    if not (path.is_file() and about.is_file()):
        return None
    try:
        facts = read_sealed(about)
        failures = [(int(index), str(why)) for index, why in facts["failures"]]
        sizes = unpacked_sizes(facts[SIZES]) if with_sizes else None
        array = np.load(path, mmap_mode="r")
        if array.shape != shape:
            raise ValueError(f"its shape is {array.shape}")
        digests = pixel_digests(array)
        if facts.get(PIXELS) not in (None, _digest(digests)):  # older files have none
            raise ValueError(CHANGED)
    except (UserError, LookupError, TypeError, ValueError, EOFError, OSError) as error:
        log.warning("%s is damaged (%s): the images are decoded anew.", path, error)
        return None
    return DecodedImages(array, failures, digests, sizes)


def _digest(digests: np.ndarray) -> str:
    return hashlib.blake2b(digests.tobytes(), digest_size=16).hexdigest()


def _decode_to(
    path: Path, images: Images, transform: ImageTransform, shape: tuple[int, ...], name: str
) -> Decoded:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as stream:  # finds a full disk now, rather than as a bus error
        try:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        except OSError as error:  # without a name, it would seem to be the run's folder
            raise OSError(error.errno, error.strerror, str(path)) from error
    decoded = decode_all(images, transform, transform.reading, array, f"decoding {name}")
    array.flush()
    return decoded
