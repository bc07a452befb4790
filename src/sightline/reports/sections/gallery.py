"""Galleries of the worst errors and of the least certain decisions."""

import numpy as np

from sightline.errors import counted
from sightline.reports.evaluated_split import EvaluatedSplit
from sightline.reports.parts import Gallery, Section
from sightline.reports.section_inputs import ReadImage
from sightline.reports.thumbnails import sample_tile


def least_certain(evaluated: EvaluatedSplit, count: int) -> np.ndarray:
    """The `count` rows with the smallest margin to another decision, right or wrong."""
    margins = evaluated.tuned.margins(evaluated.tuning.rule)
    rows: np.ndarray = np.argsort(margins, kind="stable")[:count]
    return rows


def gallery_report(evaluated: EvaluatedSplit, read_image: ReadImage, count: int) -> Section:
    """Section with both galleries.

    Args:
        evaluated: the split.
        read_image: reads an image by its id.
        count: images in each gallery.
    """
    errors = [
        sample_tile(evaluated, i, read_image, _first(-evaluated.gaps[i]))
        for i in evaluated.worst_errors(count)
    ]
    uncertain = [
        sample_tile(evaluated, i, read_image, _first(np.abs(evaluated.probs[i] - 0.5)))
        for i in least_certain(evaluated, count)
    ]
    worst = f"The worst {len(errors)} of {counted(int(evaluated.wrong.sum()), 'error')}"
    galleries = [
        Gallery("worst_errors", f"{worst}, {evaluated.rule}", errors),
        Gallery(
            "least_certain",
            f"The least certain decisions, right or wrong, {evaluated.rule}",
            uncertain,
        ),
    ]
    text = (
        "The worst errors are those whose probability of a class was furthest from the truth. "
        f"Below each image: its target, the decision by {evaluated.decided_by}, and the two most "
        "relevant probabilities."
    )
    return Section("Images", text, [gallery for gallery in galleries if gallery.tiles])


def _first(keys: np.ndarray) -> list[int]:
    """The two classes with the smallest keys."""
    return [int(c) for c in np.argsort(keys, kind="stable")[:2]]
