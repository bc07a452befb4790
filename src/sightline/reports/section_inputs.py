"""Inputs of a report section: what its function may name as parameters, and the types of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from sightline.data.reading.raster import ImageData
from sightline.reports.evaluated_split import EvaluatedSplit

Point = tuple[str, int, float]  # key such as `val/loss`, epoch from 0, value
ReadImage = Callable[[str], ImageData]  # from a sample's id; raises UnreadableImage
Embed = Callable[[Sequence[str]], np.ndarray]  # from N ids to penultimate features (N, D)
# From N ids and a class index for each (N,) to images (N, C, H, W), uint8, and heat (N, H, W)
# in [0, 1].
Explain = Callable[[Sequence[str], np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class SectionInputs:
    """Everything that is offered to a section; it receives the attributes that it names.

    Attributes:
        evaluated: the split with its predictions and decisions.
        per_class: one row a class, as in per_class/SPLIT.csv.
        history: the metrics of each epoch, in the order in which they were logged; empty for an
            evaluation.
        best_epoch: epoch of the evaluated checkpoint, from 0; None where it is not known.
        read_image: reads an image as it lies in the source.
        embed: computes features with the model; raises UserError where there is no model.
        explain: computes Grad-CAM with the model; raises UserError where there is no model.
    """

    evaluated: EvaluatedSplit
    per_class: list[dict[str, object]]
    history: list[Point]
    best_epoch: int | None
    read_image: ReadImage
    embed: Embed
    explain: Explain


INPUT_NAMES = tuple(field.name for field in fields(SectionInputs))
