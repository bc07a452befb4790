"""Cache of a training's decoded images: on the device, in memory or on disk."""

import logging
import shutil
from dataclasses import dataclass, replace

import numpy as np
import psutil
import torch

from sightline.config.schema import DataConfig
from sightline.data.cache.entries import GIB, MIB
from sightline.data.cache.files import DecodedImages, load_or_decode
from sightline.data.cache.keys import cache_bytes
from sightline.data.cache.skipped import SkippedSample, skip_unreadable
from sightline.data.geometries.frames import Frame
from sightline.data.reading.images import Images
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import Failure, check_all
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

    @property
    def device_bytes(self) -> int:
        """What they take of the training's device."""
        return self.nbytes if self.mode == "device" else 0


@dataclass(frozen=True)
class TrainingForm:
    """What the training's images are, as far as their cache goes.

    Attributes:
        on_device: whether they can be taken from the device: nothing is done to one at a time.
        frame: makes whole images, from which crops are cut; None: images of the input's size.
    """

    on_device: bool
    frame: Frame | None = None


def cache_images(
    splits: dict[str, Split], contents: dict[str, np.ndarray], spec: PreprocessSpec,
    config: DataConfig, name: str, on_gpu: bool, form: TrainingForm,
) -> tuple[CachedImages, dict[str, Split], list[SkippedSample]]:  # fmt: skip
    """Decode the images into the chosen cache, and skip those that cannot be read.

    Args:
        splits: train, val and test.
        contents: content digests of each split's images, by the split's name.
        spec: the model's preprocessing.
        config: `cache`, `cache_max_gib`, `on_error` and `max_skipped_fraction`.
        name: of the data set.
        on_gpu: whether the training's device is a GPU.
        form: of the training images.

    Returns:
        The images, the splits without skipped samples, and the skipped samples.

    Raises:
        UnreadableImage: with `on_error=raise`, the first one that cannot be read.
        UserError: too many cannot be read, or there is no room.
    """
    framed = {} if form.frame is None else {k: v for k, v in splits.items() if k == "train"}
    parts = [({k: v for k, v in splits.items() if k not in framed}, None), (framed, form.frame)]
    distinct: list[Images] = []
    once_per_images(parts[0][0], lambda _, images: distinct.append(images))
    frames = cache_bytes([split.images for split in framed.values()], spec, form.frame)
    mode, reason = choose_cache(config, distinct, spec, on_gpu, form.on_device, frames)
    if form.frame is not None and form.frame.side is None:
        mode, reason = "none", _uncached(config)
    log.info("reading: cache=%s (%s)", mode, reason + _frames_note(form.frame))

    def decode(split: str, images: Images) -> DecodedImages:
        frame = form.frame if split in framed else None
        found = load_or_decode(images, contents[split], spec, name, config.cache_max_gib, frame)
        array = np.array(found.array) if mode == "ram" else found.array
        return replace(found, array=array)

    def check(_: str, images: Images) -> list[Failure]:
        return check_all(images, ImageTransform(spec), f"checking {name}")

    decoded: dict[str, DecodedImages] = {}
    if mode != "none":
        decoded = {k: v for part, _ in parts for k, v in once_per_images(part, decode).items()}
    failures = {split: each.failures for split, each in decoded.items()}
    if mode == "none" and config.on_error == "skip":
        failures = once_per_images(splits, check)
    good, skipped = skip_unreadable(splits, failures, config)
    nbytes = cache_bytes(distinct, spec) + frames if decoded else 0
    return CachedImages(mode, decoded, nbytes), good, skipped


def _frames_note(frame: Frame | None) -> str:
    if frame is None:
        return ""
    size = "of their own size" if frame.side is None else f"of up to {frame.side} pixels"
    return f"; training crops are cut from whole images {size}"


def _uncached(config: DataConfig) -> str:
    """The reason why whole images of no common size are not cached; refused where they should."""
    if config.cache not in ("auto", "none"):
        raise UserError(
            f"data.cache={config.cache}: with augment.frame_size=null images keep their own sizes, "
            "and are not cached; give augment.frame_size=PIXELS or auto, or data.cache=none."
        )
    return "augment.frame_size=null"


def choose_cache(
    config: DataConfig, images: list[Images], spec: PreprocessSpec, on_gpu: bool, batched: bool,
    frames: int = 0,
) -> tuple[str, str]:  # fmt: skip
    """The cache mode, and the reason in words.

    Args:
        config: `cache` and `cache_max_gib`.
        images: that are cached at the model's input size.
        spec: the model's preprocessing.
        on_gpu: whether the training's device is a GPU.
        batched: whether training images are augmented in batches, and so may lie on the device.
        frames: size of the whole images that are cached, in bytes.
    """
    needed = cache_bytes(images, spec) + frames
    unit, name = (GIB, "GiB") if needed >= GIB else (MIB, "MiB")
    size = f"{needed / unit:.3g} {name} decoded"
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
