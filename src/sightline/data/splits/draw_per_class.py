"""So many samples of each class: exactly, or as many as samples of several labels and groups allow.

Rounds take one more of each class that has not as many as rounds were, the rarest class first. So a
smaller number is within each larger one of the same seed.
"""

from dataclasses import dataclass

import numpy as np

from sightline.data.splits.draw_order import shuffled_ranks


@dataclass(frozen=True)
class LabelledUnits:
    """What is taken as a whole: samples, or groups of them.

    Attributes:
        classes: shape (N,), of samples of one class each that are no groups; else None.
        counts: shape (U, L), samples of each label in each unit; else None.
        unlabelled: shape (U,), samples without any label, of several labels a sample.
        of_sample: shape (N,), the unit of each sample.
    """

    classes: np.ndarray | None
    counts: np.ndarray | None
    unlabelled: np.ndarray
    of_sample: np.ndarray

    def totals(self, labels: int) -> np.ndarray:
        """Shape (L,), samples of each label."""
        if self.classes is not None:
            return np.bincount(self.classes, minlength=labels)
        assert self.counts is not None
        sums: np.ndarray = self.counts.sum(axis=0)
        return sums


def labels_of_units(targets: np.ndarray, groups: np.ndarray | None) -> LabelledUnits:
    """The samples, or groups, with their labels.

    Args:
        targets: shape (N,), class indices; or (N, L) of 0, 1 and MISSING.
        groups: shape (N,), or None.
    """
    samples = np.arange(len(targets))
    if groups is None and targets.ndim == 1:
        return LabelledUnits(targets, None, np.zeros(len(targets), np.int64), samples)
    codes = samples if groups is None else np.unique(groups, return_inverse=True)[1]
    several = targets.ndim == 2
    on = targets == 1 if several else targets[:, None] == np.arange(int(targets.max()) + 1)
    none = ~on.any(axis=1) & (targets == 0).any(axis=1) if several else np.zeros(len(on), bool)
    counts = np.zeros((int(codes.max()) + 1, on.shape[1]), np.int64)
    np.add.at(counts, codes, on)
    return LabelledUnits(None, counts, np.bincount(codes, weights=none).astype(np.int64), codes)


def scarce_labels(units: LabelledUnits, wanted: int, labels: int) -> dict[int, int]:
    """The labels that some samples have, but fewer than wanted, with their number."""
    totals = units.totals(labels)
    few = np.flatnonzero((totals > 0) & (totals < wanted))
    return {int(label): int(totals[label]) for label in few}


def so_many_each(units: LabelledUnits, wanted: int, seed: int) -> np.ndarray:
    """Shape (N,), whether each sample is taken: of each label `wanted` ones or more.

    It is exactly as many where each sample has one label and there are no groups. Samples without
    any label are taken as if that were a label too, as many of them as there are.

    Args:
        units: with `wanted` samples or more of each label that there is.
        wanted: from 1.
        seed: of the order in which units are taken.
    """
    rng = np.random.default_rng(seed)
    if units.classes is not None:
        exactly: np.ndarray = shuffled_ranks(units.classes, rng) < wanted
        return exactly
    assert units.counts is not None
    counts = np.column_stack([units.counts, units.unlabelled])
    order = rng.permutation(len(counts))
    totals = counts.sum(axis=0)
    waiting = {label: iter(order[counts[order, label] > 0]) for label in range(len(totals))}
    taken = np.zeros(len(counts), bool)
    have = np.zeros(len(totals), np.int64)
    for least in range(1, wanted + 1):
        for label in np.argsort(totals, kind="stable"):
            while have[label] < min(least, totals[label]):
                unit = next(waiting[int(label)])
                if not taken[unit]:
                    taken[unit] = True
                    have += counts[unit]
    chosen: np.ndarray = taken[units.of_sample]
    return chosen
