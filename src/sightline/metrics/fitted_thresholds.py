"""The fit of thresholds on val: which labels get one, and whether they beat the default rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.config.tuning_schema import TuningConfig
from sightline.label_modes.base import LabelMode
from sightline.metrics.calibration import calibrated
from sightline.metrics.certified import certified_threshold, samples_needed
from sightline.metrics.crossfit import f1_gain
from sightline.metrics.fitted_calibration import CalibrationFit
from sightline.metrics.shrunk_thresholds import shrunk_threshold
from sightline.metrics.thresholds import Ranked, aim_of, best_threshold
from sightline.predictions import Predictions

DEFAULT = 0.5
# Positives, and negatives, from which on a label gets a threshold. For F1, which is shrunk: on new
# samples at most 0.005 below that by 0.5 (0.034 with 4). For others: of a calibrated model F1 is at
# most 0.012 below (0.027 with 4); benchmarks/README.md.
FEWEST_F1 = 10
FEWEST = 20
F1_AIMS = ("auto", "f1")
PLAIN_RISK = (
    "tuning.aim={aim}: a threshold at which val just holds {hold:g} falls short of it on new "
    "samples in about half of all fits; tuning.guarantee=0.9 holds it with 90 % confidence."
)
GROUPED = (
    "tuning.guarantee takes the samples of val to be independent, but they are in groups: the "
    "confidence is lower than it says."
)


@dataclass(frozen=True)
class ThresholdFit:
    """Thresholds that were fitted on val.

    Attributes:
        thresholds: one a class that has a threshold of its own.
        by_part: the same fitted without each part of val.
        used: whether the run decides by them.
        remarks: sentences about labels that keep 0.5, and about the rule.
    """

    thresholds: tuple[float, ...]
    by_part: list[tuple[float, ...]]
    used: bool
    remarks: tuple[str, ...]


def fit_thresholds(
    label_mode: LabelMode, val: Predictions, parts: np.ndarray, calibration: CalibrationFit,
    config: TuningConfig,
) -> ThresholdFit:  # fmt: skip
    """A threshold for each label that val holds enough of.

    With `aim=auto` they are used where they gain over 0.5 beyond noise, by cross-fitting, in the
    mean F1 of yes and of no: a weak model's best F1 of yes alone is that of deciding yes always.
    An aim that the user names is used in any case.

    Args:
        label_mode: with thresholds.
        val: never test's table.
        parts: of each sample, shape (N,).
        calibration: whose probabilities are compared with the thresholds.
        config: with an aim.
    """
    table = calibrated(label_mode, val, calibration.temperature, calibration.biases)
    scores, targets = label_mode.yes_or_no(table)
    ranked = [Ranked.of(*each) for each in zip(scores.T, targets.T, strict=True)]
    reasons = [_reason(each, config) for each in ranked]
    kept = [reason is not None for reason in reasons]
    whole = _fit(ranked, kept, config)
    by_part, after = [], np.empty(targets.shape, np.int64)
    for k, rescaling in enumerate(calibration.by_part):
        others, _ = label_mode.yes_or_no(calibrated(label_mode, val, *rescaling))
        fitted = parts != k
        pairs = zip(others[fitted].T, targets[fitted].T, strict=True)
        by_part.append(_fit([Ranked.of(*each) for each in pairs], kept, config))
        after[~fitted] = others[~fitted] > by_part[-1]
    remarks = _kept_remarks(label_mode.threshold_names, reasons)
    if config.aim in ("precision", "recall"):
        if config.guarantee is None:
            remarks.append(PLAIN_RISK.format(aim=config.aim, hold=config.hold))
        elif val.groups is not None:
            remarks.append(GROUPED)
        return ThresholdFit(whole, by_part, True, tuple(remarks))
    if config.aim == "cost":
        return ThresholdFit(whole, by_part, True, tuple(remarks))
    before = label_mode.yes_or_no(val)[0] > DEFAULT
    gain = f1_gain(before, after, targets, val, both=config.aim == "auto")
    used = gain.shown or config.aim != "auto"
    if not gain.shown:
        then = "they are used, as tuning.aim=f1 asks." if used else "the default rule, 0.5, stays."
        score = "F1" if used else "F1 (averaged over the answers yes and no)"
        remarks.append(
            f"The fitted thresholds gain no {score} on val beyond noise "
            f"(cross-fitted gain {gain}): {then}"
        )
    return ThresholdFit(whole, by_part, used, tuple(remarks))


def _reason(ranked: Ranked, config: TuningConfig) -> str | None:
    """Why a label keeps 0.5; None where it gets a threshold."""
    if config.guarantee is not None and config.hold is not None:
        if _threshold(ranked, config) is not None:
            return None
        what = "decided" if config.aim == "precision" else "positive"
        return (
            f"no threshold is certified to hold {config.aim} {config.hold:g} with "
            f"{config.guarantee:.0%} confidence, which takes at least "
            f"{samples_needed(config.hold, config.guarantee)} {what} samples on val, all right; "
            f"nothing is guaranteed"
        )
    fewest = FEWEST_F1 if config.aim in F1_AIMS else FEWEST
    if min(ranked.present, ranked.absent) < fewest:
        return f"val holds fewer than {fewest} positive, or negative, samples"
    return None if _threshold(ranked, config) is not None else (
        f"{config.words} is out of reach on val"
    )  # fmt: skip


def _threshold(ranked: Ranked, config: TuningConfig) -> float | None:
    if config.aim in F1_AIMS:
        return shrunk_threshold(ranked, aim_of(config))
    if config.guarantee is None or config.hold is None:
        return best_threshold(ranked, aim_of(config))
    return certified_threshold(ranked, str(config.aim), config.hold, config.guarantee)


def _fit(ranked: Sequence[Ranked], kept: Sequence[bool], config: TuningConfig) -> tuple[float, ...]:
    found = [
        None if stays else _threshold(each, config)
        for each, stays in zip(ranked, kept, strict=True)
    ]
    return tuple(DEFAULT if threshold is None else threshold for threshold in found)


def _kept_remarks(names: Sequence[str], reasons: Sequence[str | None]) -> list[str]:
    """One sentence a reason, with the labels that keep 0.5 for it."""
    labels: dict[str, list[str]] = {}
    for name, reason in zip(names, reasons, strict=True):
        if reason is not None:
            labels.setdefault(reason, []).append(name)
    return [
        f"No threshold for {', '.join(kept[:10])}{', …' if len(kept) > 10 else ''}: {reason}; 0.5 "
        "stays."
        for reason, kept in labels.items()
    ]
