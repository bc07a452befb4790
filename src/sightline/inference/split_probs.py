"""Probabilities of a model on a split, for several views of each image."""

import logging
from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import torch
from rich import get_console
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from sightline.data.loading.datasets import FileImageDataset, SourceReader
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.transforms import ImageTransform
from sightline.data.reading.workers import start_worker, usable_cores
from sightline.data.source_data import Split
from sightline.inference.model import LoadedModel
from sightline.inference.views import View

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


def probs_on(
    model: LoadedModel, split: Split, views: Mapping[K, View], num_workers: int | str
) -> dict[K, np.ndarray]:
    """Probabilities (N, C), float32 and uncalibrated, of each view of the split's images.

    Args:
        model: on the device to compute on.
        split: read once, in its order.
        views: by name.
        num_workers: processes that read images; auto: one for each core, none for a single batch.

    Raises:
        UnreadableImage: an image cannot be read.
    """
    if num_workers == "auto":
        num_workers = 0 if len(split) <= model.batch_size else usable_cores()
    loader = DataLoader(
        FileImageDataset(split, SourceReader(split, ImageTransform(model.preprocess)), seed=0),
        batch_size=model.batch_size,
        num_workers=int(num_workers),
        worker_init_fn=start_worker,
        pin_memory=model.device.type == "cuda",
    )
    parts: dict[K, list[Tensor]] = {name: [] for name in views}
    quiet = not get_console().is_terminal
    for batch in track(loader, "evaluating", transient=True, disable=quiet):
        for name, view in views.items():
            logits = model.logits(view(batch["image"]))
            parts[name].append(model.label_mode.probs(logits))
    return {name: torch.cat(each).numpy() for name, each in parts.items()}


def readable(model: LoadedModel, split: Split) -> tuple[Split, list[str]]:
    """The split without unreadable images, and their errors, for `data.on_error=skip`."""
    transform = ImageTransform(model.preprocess)
    good, reasons = [], []
    for position in range(len(split)):
        try:
            transform(split.read(position, transform.reading))
        except UnreadableImage as error:
            reasons.append(str(error))
        else:
            good.append(position)
    return split.select(np.array(good, np.int64)), reasons
