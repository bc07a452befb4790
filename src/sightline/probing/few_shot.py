"""Probes fitted on few samples of each class, over several draws of these samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from sightline.errors import UserError, counted
from sightline.label_modes.base import LabelMode
from sightline.metrics.estimates import LEVEL
from sightline.probing.fitted import Labelled, Probe
from sightline.probing.judge import Judge

SHOTS = (1, 5, 10)


@dataclass(frozen=True)
class FewShot:
    """What a probe reached with few samples.

    Attributes:
        shots: samples a class.
        values: the judge's metric on the evaluated split, one a draw.
    """

    shots: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the draws."""
        return float(np.mean(self.values))

    @property
    def half_width(self) -> float | None:
        """Of the 95 % interval of the mean over draws (Student's t); None for one draw."""
        count = len(self.values)
        if count < 2:
            return None
        deviation = float(np.std(self.values, ddof=1)) / count**0.5
        return deviation * float(stats.t.ppf((1 + LEVEL) / 2, count - 1))


def feasible_shots(
    mode: LabelMode, targets: np.ndarray, wanted: Sequence[int] | None
) -> tuple[int, ...]:
    """The numbers of shots that the training targets allow.

    Args:
        mode: of the targets.
        targets: encoded, of train.
        wanted: as given; None: those of SHOTS that are allowed.

    Raises:
        UserError: a class has fewer samples than were asked for.
    """
    counts = _members(mode, targets).sum(axis=0)
    least = int(counts.min())
    if wanted is None:
        return tuple(each for each in SHOTS if each <= least)
    for each in wanted:
        if each > least:
            name = mode.class_names[int(counts.argmin())]
            raise UserError(
                f"shots={each}: the class {name!r} has {counted(least, 'training sample')}; give "
                f"at most {least}, or shots=[] for none."
            )
    return tuple(wanted)


def draw_samples(
    mode: LabelMode, targets: np.ndarray, shots: int, seed: int, draw: int
) -> np.ndarray:
    """Rows of a draw, ascending: `shots` samples of each class, or that carry each label.

    The same for every backbone, and independent of other draws.
    """
    rng = np.random.default_rng([seed, shots, draw])
    members = _members(mode, targets)
    chosen = [
        rng.choice(np.flatnonzero(column), size=min(shots, int(column.sum())), replace=False)
        for column in members.T
    ]
    return np.unique(np.concatenate(chosen))


def fit_few(
    probe: Probe, mode: LabelMode, parts: tuple[Labelled, Labelled, Labelled],
    judges: tuple[Judge, Judge], shots: Sequence[int], draws: int, seed: int,
) -> list[FewShot]:  # fmt: skip
    """The metric of a probe for each number of shots.

    Settings are chosen on val for the first draw, and kept for the others.

    Args:
        probe: to fit.
        mode: of the targets.
        parts: train, val, and the split that is evaluated.
        judges: of val, and of the split that is evaluated.
        shots: samples a class.
        draws: of each.
        seed: of the draws.
    """
    train, val, evaluated = parts
    found = []
    for each in shots:
        values, fixed = [], None
        for draw in range(draws):
            few = train.select(draw_samples(mode, train.targets, each, seed, draw))
            fitted = probe(few, val, judges[0], fixed, seed)
            fixed = fitted.chosen
            values.append(judges[1].value(fitted.probs(evaluated.features)))
        found.append(FewShot(each, tuple(values)))
    return found


def _members(mode: LabelMode, targets: np.ndarray) -> np.ndarray:
    """Which samples belong to each class, or carry each label, shape (N, C), bool."""
    shares = mode.soft(torch.from_numpy(targets)).numpy()
    return np.nan_to_num(shares) > 0.5
