"""Scores of a stranger's table as probabilities, once it is clear what they are."""

import numpy as np
import torch

from sightline.errors import UserError
from sightline.importing.foreign_table import ForeignTable, shown
from sightline.importing.score_forms import ColumnScores, Scores, UnnamedScores
from sightline.importing.settings import Kind
from sightline.label_modes.base import LabelMode

TOLERANCE = 1e-3  # of a sum: half precision, or numbers that were rounded when written
ROUNDING = 1e-6  # of one number


def probabilities(
    table: ForeignTable, scores: Scores, kind: Kind | None, mode: LabelMode
) -> tuple[np.ndarray, Kind]:
    """Probabilities (N, C), double, whose rows sum to 1 but for multilabel; and what was read.

    Args:
        table: whose rows are named in errors.
        scores: of the table.
        kind: as it is given; None: as the columns' names say, else probabilities.
        mode: of the data.

    Raises:
        UserError: the classes are others, or the numbers are not of this kind.
    """
    values, classes = _values(scores, mode)
    read = kind or scores.kind or "probabilities"
    single = values.shape[1] < len(mode.class_names)
    sums = None if mode.multi_label or single else values.sum(axis=1)
    if read == "logits":
        if sums is not None and _outside(values) is None and _off(sums) is None:
            raise UserError(
                f"{table.file}: {scores.form} was to hold logits, but all of it is in [0, 1] and "
                "the rows sum to 1: these are probabilities. Give kind=probabilities."
            )
        return _of_logits(values, mode), read
    if (outside := _outside(values)) is not None:
        row, column = outside
        raise UserError(
            f"{table.row(row)}: {values[row, column]:g} for {shown(classes[column])} is no "
            "probability. If these are logits, before softmax or sigmoid, give kind=logits."
        )
    off = None if sums is None else _off(sums)
    if sums is not None and off is not None:
        raise UserError(
            f"{table.row(off)}: the probabilities sum to {sums[off]:.4g}, not to 1. If several "
            "labels can be true at once, give label_mode=multilabel; if these are logits, "
            "kind=logits."
        )
    np.clip(values, 0, 1, out=values)
    if single:
        return np.concatenate([1 - values, values], axis=1), read
    if sums is not None:
        values /= values.sum(axis=1, keepdims=True)
    return values, read


def _values(scores: Scores, mode: LabelMode) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of all classes; of two, where the negative one has none, of the positive one."""
    positive = mode.class_names[-1:]
    if not mode.multi_label and mode.num_outputs == 1 and _named_by(scores) == set(positive):
        return scores.matrix(positive), positive
    return scores.matrix(mode.class_names), mode.class_names


def _named_by(scores: Scores) -> set[str]:
    if isinstance(scores, UnnamedScores):
        return set(scores.names)
    return set(scores.columns) if isinstance(scores, ColumnScores) else set()


def _outside(values: np.ndarray) -> tuple[int, int] | None:
    """The first number that is no probability."""
    bad = (values < -ROUNDING) | (values > 1 + ROUNDING)
    if not bad.any():
        return None
    row, column = np.unravel_index(int(bad.argmax()), bad.shape)
    return int(row), int(column)


def _off(sums: np.ndarray) -> int | None:
    """The first row whose sum is not 1."""
    bad = np.abs(sums - 1) > TOLERANCE
    return int(bad.argmax()) if bad.any() else None


def _of_logits(values: np.ndarray, mode: LabelMode) -> np.ndarray:
    logits = torch.from_numpy(values)
    if not mode.multi_label and values.shape[1] == len(mode.class_names):
        return np.asarray(logits.softmax(dim=1))  # of two classes too, each with a logit
    found = logits.sigmoid()
    if mode.multi_label:
        return np.asarray(found)
    return np.asarray(torch.cat([1 - found, found], dim=1))
