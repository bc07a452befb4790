"""Detection of unknown images by a score: AUROC, FPR at 95 % and AUPR, with intervals."""

from dataclasses import dataclass

import numpy as np

from sightline.label_modes.ranked_scores import RankedScores
from sightline.metrics.estimates import Interval, delong_interval, jackknife_interval
from sightline.metrics.informative import if_informative
from sightline.metrics.shares import share_interval
from sightline.metrics.units import BLOCKS, Units

KEPT = 0.95  # of the known images


@dataclass(frozen=True)
class Detection:
    """One score on one set of unknown images.

    Attributes:
        threshold: at or under which 95 % of the known images are.
        values: auroc, fpr95 and aupr, the unknown images being the positives.
        intervals: of these; None where the images do not tell, or it would say nothing.
    """

    threshold: float
    values: dict[str, float]
    intervals: dict[str, Interval | None]


def detect(known: np.ndarray, unknown: np.ndarray, groups: np.ndarray | None = None) -> Detection:
    """The detection of unknown images; fpr95 is the share of them that is taken for known.

    Args:
        known: scores of known images, shape (N,), higher is more unlike the training images.
        unknown: scores of unknown images, shape (M,).
        groups: codes of the known images that belong together, shape (N,); None: each by itself.
    """
    scores = np.concatenate([known, unknown])
    positive = np.arange(len(scores)) >= len(known)
    own = np.arange(len(known)) if groups is None else np.unique(groups, return_inverse=True)[1]
    codes = np.concatenate([own, own.max() + 1 + np.arange(len(unknown))])
    units = Units(codes, int(codes.max()) + 1, groups is not None)
    ranked = RankedScores(scores, positive)
    auroc, aupr = (float(each[0]) for each in ranked.areas(np.ones((len(scores), 1), np.float32)))
    threshold = float(np.sort(known)[int(np.ceil(KEPT * len(known) - 1e-9)) - 1])
    missed = unknown <= threshold
    places = ranked.placements(units.codes)
    left_out = np.concatenate([
        ranked.areas(weights)[1] for weights in units.leave_out(min(units.count, BLOCKS), 0, 2e6)
    ])  # fmt: skip
    alone = Units(np.arange(len(unknown)), len(unknown), False)
    found = {
        "auroc": None if places is None else delong_interval([places], units),
        "aupr": jackknife_interval(aupr, left_out, "logit", units),
    }
    bounds = (0.0, 1.0)
    fpr95 = share_interval(missed.astype(float), np.ones(len(unknown)), alone)
    return Detection(
        threshold,
        {"auroc": auroc, "fpr95": float(missed.mean()), "aupr": aupr},
        {
            "auroc": if_informative(found["auroc"], bounds, units),
            "fpr95": if_informative(fpr95, bounds, alone),
            "aupr": if_informative(found["aupr"], bounds, units),
        },
    )
