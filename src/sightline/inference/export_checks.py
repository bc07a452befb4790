"""Images that an exported file is checked on, and the printed table of the results."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from rich import box, get_console
from rich.table import Table
from sklearn.datasets import load_sample_images

from sightline.data.reading.arrays import image_from_array
from sightline.data.reading.decode import UnreadableImage
from sightline.data.reading.transforms import ImageTransform
from sightline.data.source_data import Split
from sightline.errors import UserError, counted
from sightline.inference.inputs import read_inputs
from sightline.inference.model import LoadedModel
from sightline.inference.model_export import Checks, FormatCheck

log = logging.getLogger(__name__)

CHECKED = 256  # images that a file is checked on
MEASURED = 2_000  # images that the accuracy of an int8 file is measured on
MIB = 2**20


def checks_of_input(model: LoadedModel, path: str) -> Checks:
    """Checks on the images of an input, without labels.

    Raises:
        UserError: none of the images can be read.
    """
    inputs = read_inputs(path)
    images, _ = _prepared(model, inputs.images.read, _spaced(len(inputs), CHECKED))
    if not len(images):
        raise UserError(f"input={path}: none of these images can be read.")
    return Checks(images, None)


def checks_of_splits(
    model: LoadedModel, splits: Mapping[str, Split] | None, int8: bool
) -> tuple[Checks, np.ndarray]:
    """Checks on the run's own images, and images for the ranges of int8 activations.

    Args:
        model: that is exported.
        splits: the run's own data with encoded targets; None where it is gone: photographs are
            taken instead.
        int8: whether the accuracy is measured, which takes more images.

    Raises:
        UserError: int8 without the run's own data.
    """
    if splits is None:
        if int8:
            raise UserError("int8: the accuracy is measured on the run's own images, which are "
                            "not there.")  # fmt: skip
        log.warning("The run's own images are not there; checked on sample photographs.")
        photographs = _photographs(model)
        return Checks(photographs, None), photographs
    name = "test" if "test" in splits else "val"
    split, val = splits[name], splits["val"]
    images, read = _prepared(model, split.read, _spaced(len(split), MEASURED if int8 else CHECKED))
    log.info("checked on %s of %s; decisions by the run's rule", counted(len(read), "image"), name)
    ranges, _ = _prepared(model, val.read, _spaced(len(val), CHECKED))
    return Checks(images, split.targets[read]), ranges


def _prepared(model: LoadedModel, read: Any, positions: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Images as the model takes them (uint8, N, C, S, S), and the positions of those read."""
    transform = ImageTransform(model.preprocess)
    images, done = [], []
    for position in positions.tolist():
        try:
            images.append(transform(read(position, transform.reading)))
        except UnreadableImage:
            continue
        done.append(position)
    return torch.stack(images).numpy() if images else np.empty(0, np.uint8), done


def _photographs(model: LoadedModel) -> np.ndarray:
    """Crops of scikit-learn's two photographs, of several sizes."""
    parts = [
        image_from_array(image[top : top + side, left : left + side])
        for image in load_sample_images().images
        for side in (64, 200, 400)
        for top in range(0, image.shape[0] - side + 1, 100)
        for left in range(0, image.shape[1] - side + 1, 120)
    ]
    return model.prepare(parts).numpy()


def _spaced(count: int, wanted: int) -> np.ndarray:
    """At most `wanted` of `count` positions, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int))


def print_checks(rows: list[FormatCheck], checks: Checks) -> None:
    """Print size, speed, differences and accuracy of the model and of each file."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for title in ("MiB", "images/s (CPU)", "difference", "other decisions", "accuracy"):
        table.add_column(title, justify="right")
    for check in rows:
        accuracy = "" if check.accuracy is None else f"{check.accuracy:.4f}"
        cells = [
            f"{check.size_bytes / MIB:.2f}", f"{check.images_per_second:,.0f}",
            f"{check.difference:.1e}", f"{check.changed} of {len(checks.images)}", accuracy,
        ]  # fmt: skip
        table.add_row(check.name, *cells)
    get_console().print(table)
