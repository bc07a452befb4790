"""Presence of every class on both sides of a split, also of those that proportions would leave out.

Proportions alone give a class of 2 images in 100 none of 10 validation images.
"""

from dataclasses import dataclass

import numpy as np

from sightline.data.source_data import Split


@dataclass(frozen=True)
class SplitUnits:
    """What is put into a split as a whole: samples, or groups of samples.

    Attributes:
        labels: shape (U,), class indices; or (U, L), whether a unit has a sample of each label.
        sizes: shape (U,), samples.
        of_sample: shape (N,), the unit of each sample.
    """

    labels: np.ndarray
    sizes: np.ndarray
    of_sample: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)

    def members(self, label: int) -> np.ndarray:
        """Shape (U,), whether a unit has this label."""
        return self.labels == label if self.labels.ndim == 1 else self.labels[:, label]

    def counts(self, chosen: np.ndarray, labels: int) -> np.ndarray:
        """Shape (L,), how many of the chosen units have each label."""
        if self.labels.ndim == 1:
            return np.bincount(self.labels[chosen], minlength=labels)
        counts: np.ndarray = self.labels[chosen].sum(axis=0)
        return counts

    def touching(self, wanted: np.ndarray) -> np.ndarray:
        """Shape (U,), how many of the labels that are `wanted`, shape (L,), a unit has."""
        if self.labels.ndim == 1:
            return wanted[self.labels].astype(np.int64)
        return self.labels[:, wanted].sum(axis=1)


def units_of(split: Split) -> SplitUnits:
    """The groups of a split, or its samples where there are no groups."""
    if split.groups is None:
        labels = split.targets if split.targets.ndim == 1 else split.targets == 1
        return SplitUnits(labels, np.ones(len(split), np.int64), np.arange(len(split)))
    codes = np.unique(split.groups, return_inverse=True)[1]
    return SplitUnits(_labels_of_groups(split.targets, codes), np.bincount(codes), codes)


def _labels_of_groups(targets: np.ndarray, codes: np.ndarray) -> np.ndarray:
    width = int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[1]
    labels = np.zeros((int(codes.max()) + 1, width), bool)
    if targets.ndim == 1:
        labels[codes, targets] = True
    else:
        samples, columns = np.nonzero(targets == 1)
        labels[codes[samples], columns] = True
    return labels


def with_every_label(
    units: SplitUnits, out: np.ndarray, keep: int, priority: np.ndarray, swap: bool
) -> np.ndarray:
    """The same choice with as few changes as put each label on both sides.

    A label that U units have ends up in one or more of those held out and in min(keep, U - 1) or
    more of those kept; one that a single unit has is kept. Nothing is changed where that is so.

    Args:
        units: samples or groups.
        out: shape (U,), whether a unit is held out.
        keep: units of each label that are wanted among those kept, as many as further splits need.
        priority: shape (U,), of equally good units the one with the least is moved.
        swap: move another unit of about the same size back, so that sizes stay.
    """
    out = out.copy()
    width = units.labels.shape[1] if units.labels.ndim == 2 else int(units.labels.max()) + 1
    total = units.counts(np.ones(len(units), bool), width)
    kept = np.minimum(total, np.clip(total - 1, 1, keep))
    needed = {True: (total >= 2).astype(np.int64), False: kept}
    for label in np.argsort(total, kind="stable"):
        for side in (True, False):
            while (units.members(label) & (out == side)).sum() < needed[side][label]:
                moved = _least_needed(units, out, not side, needed, units.members(label), priority)
                out[moved] = side
                if swap:
                    _move_back(units, out, side, needed, moved, priority)
    return out


def _least_needed(
    units: SplitUnits, out: np.ndarray, side: bool, needed: dict[bool, np.ndarray],
    candidates: np.ndarray, priority: np.ndarray,
) -> int:  # fmt: skip
    """The candidate on this side whose absence leaves the fewest labels without what they need."""
    here = np.flatnonzero(candidates & (out == side))
    scarce = units.counts(out == side, len(needed[side])) <= needed[side]
    harm = units.touching(scarce)[here]
    return int(here[np.lexsort((priority[here], units.sizes[here], harm))[0]])


def _move_back(
    units: SplitUnits, out: np.ndarray, side: bool, needed: dict[bool, np.ndarray],
    moved: int, priority: np.ndarray,
) -> None:  # fmt: skip
    """Move a unit of about the size of `moved` the other way, where no label then lacks one."""
    scarce = units.counts(out == side, len(needed[side])) <= needed[side]
    free = (out == side) & (units.touching(scarce) == 0) & (units.sizes < 2 * units.sizes[moved])
    free[moved] = False
    here = np.flatnonzero(free)
    if len(here):
        distance = np.abs(units.sizes[here] - units.sizes[moved])
        # The most frequent label can spare one most easily.
        counts = units.counts(out == side, len(needed[side]))
        rarest = units.labels[here]
        spare = counts[rarest] if rarest.ndim == 1 else _rarest(rarest, counts)
        out[here[np.lexsort((priority[here], -spare, distance))[0]]] = not side


def _rarest(labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Shape (U,), the count of the rarest label that a unit has; the greatest count without any."""
    return np.where(labels, counts, counts.max(initial=0)).min(axis=1, initial=counts.max())
