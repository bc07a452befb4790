"""Where the decoded images of a training are kept, and which of them cannot be read."""

import logging
import shutil
from dataclasses import dataclass

import numpy as np
import psutil
import torch

from sightline.config.schema import DataConfig
from sightline.data.cache.files import GIB, MIB, CacheFile, cache_bytes, keep
from sightline.data.loading.transforms import ImageTransform
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.images import Images
from sightline.data.reading.workers import Failure, decode_all
from sightline.data.source import Split
from sightline.errors import UserError
from sightline.paths import cache_dir
from sightline.types import PreprocessSpec

log = logging.getLogger(__name__)

SHARE = 0.25  # of the free memory may be taken by images, when `auto` chooses


@dataclass(frozen=True)
class Skipped:
    """A sample that was left out because its image cannot be read."""

    split: str
    id: str
    reason: str


@dataclass(frozen=True)
class CachedImages:
    """What the loaders read from.

    Attributes:
        mode: device, ram, disk or none.
        kept: the decoded images of each `Split.images`, by its id(); empty for none.
    """

    mode: str
    kept: dict[int, CacheFile]


def cache_images(
    splits: dict[str, Split],
    contents: dict[int, np.ndarray],
    spec: PreprocessSpec,
    config: DataConfig,
    name: str,
    on_gpu: bool,
    batched: bool,
) -> tuple[CachedImages, dict[str, Split], list[Skipped]]:
    """Decode the images where they are to be kept, and leave out what cannot be read.

    Args:
        splits: what is trained and evaluated on.
        contents: content digests of each `Split.images`, by its id().
        spec: the model's preprocessing.
        config: `cache`, `cache_max_gib`, `on_error` and `max_skipped_fraction`.
        name: of the data set.
        on_gpu: whether the training's device is a GPU.
        batched: whether the augmentation can be done there, on whole batches.

    Returns:
        The images, the splits without what was skipped, and what was skipped.

    Raises:
        UnreadableImage: with `on_error=raise`, the first one that cannot be read.
        UserError: too many cannot be read, or there is no room.
    """
    images = list({id(split.images): split.images for split in splits.values()}.values())
    mode, why = choose_cache(config, images, spec, on_gpu, batched)
    log.info("reading: cache=%s (%s)", mode, why)
    kept: dict[int, CacheFile] = {}
    failures: dict[int, list[Failure]] = {}
    for each in images:
        if mode != "none":
            found = keep(each, contents[id(each)], spec, name, config.cache_max_gib)
            kept[id(each)] = CacheFile(np.array(found.array), []) if mode == "ram" else found
            failures[id(each)] = found.failures
        elif config.on_error == "skip":
            transform = ImageTransform(spec)
            title = f"checking {name}"
            failures[id(each)] = decode_all(each, transform, transform.side, None, title)
    good, skipped = _leave_out(splits, failures, config)
    return CachedImages(mode, kept), good, skipped


def choose_cache(
    config: DataConfig, images: list[Images], spec: PreprocessSpec, on_gpu: bool, batched: bool
) -> tuple[str, str]:
    """The mode, and why."""
    needed = cache_bytes(images, spec)
    unit, name = (GIB, "GiB") if needed >= GIB else (MIB, "MiB")
    size = f"{needed / unit:.3g} {name} decoded"
    if config.cache == "device" and not batched:
        raise UserError(
            "data.cache=device augments whole batches on the device, which the chosen augment "
            "cannot (augment.batch_transforms is null); use data.cache=ram, or another augment."
        )
    if config.cache != "auto":
        return config.cache, f"{size}; as asked"
    device_free = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
    if batched and needed <= SHARE * device_free:
        return "device", size
    if needed <= SHARE * psutil.virtual_memory().available:
        return "ram", size
    folder = next(f for f in (cache_dir(), *cache_dir().parents) if f.exists())
    if needed <= min(config.cache_max_gib * GIB, 0.5 * shutil.disk_usage(folder).free):
        return "disk", size
    return "none", f"{size}; over data.cache_max_gib={config.cache_max_gib:g} or half the disk"


def _leave_out(
    splits: dict[str, Split], failures: dict[int, list[Failure]], config: DataConfig
) -> tuple[dict[str, Split], list[Skipped]]:
    good, skipped = {}, []
    for name, split in splits.items():
        reasons = dict(failures.get(id(split.images), []))
        bad = np.isin(split.rows, np.fromiter(reasons, np.int64, len(reasons)))
        for position in np.flatnonzero(bad):
            reason = reasons[int(split.rows[position])]
            skipped.append(Skipped(name, split.ids[int(position)].as_py(), reason))
        good[name] = split.select(np.flatnonzero(~bad)) if bad.any() else split
    if not skipped:
        return good, skipped
    if config.on_error == "raise":
        more = f" {len(skipped) - 1:,} more cannot be read either." if len(skipped) > 1 else ""
        raise UnreadableImage(
            f"{skipped[0].reason}{more} data.on_error=skip leaves such images out and lists them."
        )
    total = sum(len(split) for split in splits.values())
    share = len(skipped) / total
    if share > config.max_skipped_fraction:
        raise UserError(
            f"{len(skipped):,} of {total:,} images cannot be read, a share of {share:.3g}, over "
            f"data.max_skipped_fraction={config.max_skipped_fraction:g}. The first: "
            f"{skipped[0].reason}"
        )
    for name, split in good.items():
        if len(split) == 0:
            raise UserError(f"No image of the split {name} can be read: {skipped[0].reason}")
    log.warning("%d of %d images cannot be read and are left out: skipped.csv lists them.",
                len(skipped), total)  # fmt: skip
    return good, skipped
