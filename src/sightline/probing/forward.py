"""The forward pass of a backbone over images, whose features are appended to their files."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from rich import get_console
from rich.progress import track
from torch import Tensor

from sightline.config.probe_names import Pooling
from sightline.data.cache.images import CachedImages
from sightline.data.loading.loaders import SplitLoaders
from sightline.data.source_data import Split
from sightline.inference.device import computing
from sightline.inference.partial_table import PartialTable
from sightline.models.pooling import pooled_features
from sightline.probing.backbone import Backbone
from sightline.probing.stored_features import as_batch

log = logging.getLogger(__name__)


def image_batches(
    backbone: Backbone, name: str, split: Split, cached: CachedImages, device: torch.device,
    start: int,
) -> Iterator[Tensor]:  # fmt: skip
    """Images of a split, by its name in the cache, from a position on."""
    config, spec = backbone.config, backbone.classifier.preprocess
    rest = split.select(np.arange(start, len(split)))
    loaders = SplitLoaders({name: rest}, cached, spec, config.data_common, config.seed)
    quiet = not get_console().is_terminal
    for batch in track(loaders.loader(name, device), backbone.name, transient=True, disable=quiet):
        yield batch["image"]


def append_features(
    backbone: Backbone, tables: Mapping[Pooling, PartialTable], images: Iterable[Tensor],
    start: int, device: torch.device,
) -> float:  # fmt: skip
    """Append the rows from a position on; images a second of the forward pass."""
    place, seconds, began = start, 0.0, time.perf_counter()
    for batch in images:
        before = time.perf_counter()
        found = _forward(backbone, batch, tuple(tables), device)
        seconds += time.perf_counter() - before
        for pooling, values in found.items():
            done = tables[pooling].rows - place  # of this batch; several poolings differ
            if done < len(values):
                tables[pooling].append(as_batch(values[max(0, done) :], tables[pooling]))
        place += len(batch)
    count = place - start
    speed = count / max(seconds, 1e-9)
    log.info("features: of %s, %s images in %.1f s, %s a second in the forward pass", backbone.name,
             f"{count:,}", time.perf_counter() - began, f"{speed:,.0f}")  # fmt: skip
    return speed


def _forward(
    backbone: Backbone, images: Tensor, poolings: tuple[Pooling, ...], device: torch.device
) -> dict[Pooling, np.ndarray]:
    with torch.inference_mode(), computing(device, backbone.speed.precision):
        found = pooled_features(backbone.classifier, images.to(device, non_blocking=True), poolings)
    return {pooling: each.float().cpu().numpy() for pooling, each in found.items()}
