"""Pairs of runs: only those that were evaluated on the same samples can be compared."""

import numpy as np

from sightline.comparison.compared_run import ComparedRun
from sightline.errors import UserError
from sightline.predictions import Predictions


class NotComparable(UserError):
    """Two runs were not evaluated on the same samples."""


def check_same_split(first: ComparedRun, second: ComparedRun, split: str) -> None:
    """Refuse runs whose digests say that a split of the one is not that of the other.

    Raises:
        NotComparable: names both runs with their digests.
    """
    key = f"data.digest.{split}"
    one, other = first.params.get(key), second.params.get(key)
    if one != other and one is not None and other is not None:
        raise NotComparable(
            f"{first.name!r} ({first.run_id}) and {second.name!r} ({second.run_id}) have different "
            f"{split} sets ({key} {one[:8]} and {other[:8]}), so their predictions cannot be "
            "paired. Evaluate one of them on the other's data, or compare runs of the same data "
            "and data.split_seed."
        )


def check_same_samples(
    first: Predictions, second: Predictions, runs: tuple[ComparedRun, ComparedRun], split: str
) -> None:
    """Refuse tables, both in order, of other samples, targets, classes or kinds of label.

    Raises:
        NotComparable: says what differs.
    """
    names = " and ".join(f"{run.name!r} ({run.run_id})" for run in runs)
    if first.label_mode != second.label_mode or first.class_names != second.class_names:
        raise NotComparable(
            f"{names} answer different questions on {split}: {_question(first)} and "
            f"{_question(second)}."
        )
    if not np.array_equal(first.ids, second.ids):
        shared = len(np.intersect1d(first.ids, second.ids))
        raise NotComparable(
            f"{names} have different {split} sets: {len(first):,} and {len(second):,} samples, "
            f"{shared:,} of them in both, so their predictions cannot be paired. Evaluate one of "
            "them on the other's data."
        )
    if not np.array_equal(first.targets, second.targets):
        differing = first.targets != second.targets
        where = int(np.flatnonzero(differing.reshape(len(first), -1).any(axis=1))[0])
        raise NotComparable(
            f"{names} have different {split} sets: the targets of {first.ids[where]!r} (and maybe "
            "more) are not the same, so their predictions cannot be paired."
        )


def _question(table: Predictions) -> str:
    names = ", ".join(table.class_names[:5]) + (", ..." if len(table.class_names) > 5 else "")
    return f"{table.label_mode} of {len(table.class_names)} classes ({names})"
