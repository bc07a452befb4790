"""Images worth looking at: the worst errors, and those that the model is least certain of."""

import numpy as np
import torch

from sightline.reports.evaluated_split import EvaluatedSplit, ReadImage
from sightline.reports.parts import Gallery, Section
from sightline.reports.tiles import sample_tile


def worst_errors(evaluated: EvaluatedSplit, count: int) -> np.ndarray:
    """Rows whose decision is wrong, those first whose probability of some class is most off."""
    worst = np.argsort(-_gaps(evaluated).max(axis=1), kind="stable")
    rows: np.ndarray = worst[evaluated.wrong[worst]][:count]
    return rows


def least_certain(evaluated: EvaluatedSplit, count: int) -> np.ndarray:
    """Rows whose decision was closest to another, right or wrong."""
    probs, thresholds = torch.from_numpy(evaluated.probs), evaluated.tuning.thresholds
    margin = evaluated.label_mode.margin(probs, thresholds)
    rows: np.ndarray = np.argsort(margin.numpy(), kind="stable")[:count]
    return rows


def gallery_report(evaluated: EvaluatedSplit, read_image: ReadImage, count: int) -> Section:
    """Both galleries.

    Args:
        evaluated: the split.
        read_image: from an id.
        count: images in each.
    """
    gaps = _gaps(evaluated)
    errors = [
        sample_tile(evaluated, i, read_image, _first(-gaps[i]))
        for i in worst_errors(evaluated, count)
    ]
    uncertain = [
        sample_tile(evaluated, i, read_image, _first(np.abs(evaluated.probs[i] - 0.5)))
        for i in least_certain(evaluated, count)
    ]
    total = int(evaluated.wrong.sum())
    galleries = [
        Gallery("worst_errors", f"The worst {len(errors)} of {total:,} errors", errors),
        Gallery("least_certain", "The least certain decisions, right or wrong", uncertain),
    ]
    text = (
        "The worst errors are those whose probability of a class was furthest from the truth. "
        "Below each: the target, what was decided, and the probabilities that matter most."
    )
    return Section("Images", text, [gallery for gallery in galleries if gallery.tiles])


def _gaps(evaluated: EvaluatedSplit) -> np.ndarray:
    """Shape (N, C): how far each probability is from the truth; 0 where nobody knows it."""
    gaps: np.ndarray = np.nan_to_num(np.abs(evaluated.truth - evaluated.probs.astype(float)))
    return gaps


def _first(keys: np.ndarray) -> list[int]:
    """The two classes with the smallest keys."""
    return [int(c) for c in np.argsort(keys, kind="stable")[:2]]
