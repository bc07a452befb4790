"""Cache of a training's decoded images: on the device, in memory or on disk."""

import logging
import shutil
from dataclasses import dataclass

import numpy as np
import psutil
import torch

from sightline.config.schema import DataConfig
from sightline.data.cache.entries import GIB, MIB
from sightline.data.cache.files import DecodedImages, cache_bytes, load_or_decode
from sightline.data.cache.skipped import SkippedSample, skip_unreadable
from sightline.data.reading.images import Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import Failure, decode_all
from sightline.data.source_data import Split, once_per_images
from sightline.errors import UserError
from sightline.paths import cache_dir
from sightline.types import PreprocessSpec

log = logging.getLogger(__name__)

SHARE = 0.25  # of the free memory that images may take with cache=auto


@dataclass(frozen=True)
class CachedImages:
    """The decoded images of a training.

    Attributes:
        mode: device, ram, disk or none.
        decoded: the decoded images of each split, by the split's name, for all images of its
            `Split.images`; splits that share these share the object. Empty for none.
        nbytes: size of the decoded images, in bytes.
    """

    mode: str
    decoded: dict[str, DecodedImages]
    nbytes: int


def cache_images(
    splits: dict[str, Split],
    contents: dict[str, np.ndarray],
    spec: PreprocessSpec,
    config: DataConfig,
    name: str,
    on_gpu: bool,
    batched: bool,
) -> tuple[CachedImages, dict[str, Split], list[SkippedSample]]:
    """Decode the images into the chosen cache, and skip those that cannot be read.

    Args:
        splits: train, val and test.
        contents: content digests of each split's images, by the split's name.
        spec: the model's preprocessing.
        config: `cache`, `cache_max_gib`, `on_error` and `max_skipped_fraction`.
        name: of the data set.
        on_gpu: whether the training's device is a GPU.
        batched: whether the augmentation has a form for whole batches, on the device.

    Returns:
        The images, the splits without skipped samples, and the skipped samples.

    Raises:
        UnreadableImage: with `on_error=raise`, the first one that cannot be read.
        UserError: too many cannot be read, or there is no room.
    """
    distinct: list[Images] = []
    once_per_images(splits, lambda _, images: distinct.append(images))
    mode, reason = choose_cache(config, distinct, spec, on_gpu, batched)
    log.info("reading: cache=%s (%s)", mode, reason)

    def decode(split: str, images: Images) -> DecodedImages:
        found = load_or_decode(images, contents[split], spec, name, config.cache_max_gib)
        array = np.array(found.array) if mode == "ram" else found.array
        return DecodedImages(array, found.failures, found.digests)

    def check(_: str, images: Images) -> list[Failure]:
        transform = ImageTransform(spec)
        return decode_all(images, transform, transform.reading, None, f"checking {name}")

    decoded = once_per_images(splits, decode) if mode != "none" else {}
    failures = {split: each.failures for split, each in decoded.items()}
    if mode == "none" and config.on_error == "skip":
        failures = once_per_images(splits, check)
    good, skipped = skip_unreadable(splits, failures, config)
    nbytes = cache_bytes(distinct, spec) if decoded else 0
    return CachedImages(mode, decoded, nbytes), good, skipped


def choose_cache(
    config: DataConfig, images: list[Images], spec: PreprocessSpec, on_gpu: bool, batched: bool
) -> tuple[str, str]:
    """The cache mode, and the reason in words.

    Raises:
        UserError: `cache=device` with an augmentation that has no form for whole batches.
    """
    needed = cache_bytes(images, spec)
    unit, name = (GIB, "GiB") if needed >= GIB else (MIB, "MiB")
    size = f"{needed / unit:.3g} {name} decoded"
    if config.cache == "device" and not batched:
        raise UserError(
            "data.cache=device augments whole batches on the device, which the chosen augment "
            "cannot (augment.batch_transforms is null); use data.cache=ram, or another augment."
        )
    if config.cache != "auto":
        return config.cache, f"{size}; as requested"
    device_free = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
    if batched and needed <= SHARE * device_free:
        return "device", size
    if needed <= SHARE * psutil.virtual_memory().available:
        return "ram", size
    folder = next(f for f in (cache_dir(), *cache_dir().parents) if f.exists())
    if needed <= min(config.cache_max_gib * GIB, 0.5 * shutil.disk_usage(folder).free):
        return "disk", size
    return "none", f"{size}; over data.cache_max_gib={config.cache_max_gib:g} or half the disk"
