"""The fit of a calibration on val: accepted where cross-fitting shows that it helps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.bias_correction import fit_biases
from sightline.metrics.calibration import TEMPERATURES, calibrated, fit_temperature
from sightline.metrics.crossfit import mean_gain
from sightline.predictions import Predictions

Rescaling = tuple[float, tuple[float, ...] | None]  # temperature and biases
NONE: Rescaling = (1.0, None)
STAYS = "The probabilities stay uncalibrated (temperature 1): "


@dataclass(frozen=True)
class CalibrationFit:
    """A calibration that was fitted on val.

    Attributes:
        temperature: 1 where nothing was accepted.
        biases: one an output, or None.
        by_part: the same fitted without each part of val.
        remarks: sentences about what was refused.
    """

    temperature: float
    biases: tuple[float, ...] | None
    by_part: list[Rescaling]
    remarks: tuple[str, ...] = ()

    @classmethod
    def none(cls, parts: np.ndarray, *remarks: str) -> Self:
        """No calibration."""
        return cls(*NONE, [NONE] * (int(parts.max(initial=-1)) + 1), remarks)


def fit_calibration(
    label_mode: LabelMode, val: Predictions, parts: np.ndarray, shift: np.ndarray | None
) -> CalibrationFit:
    """A temperature, with biases where the training was weighted.

    It is accepted if the temperature is inside the bounds of the search, the cross-fitted log loss
    is better than that of the probabilities as trained and than that of the classes' shares alone
    (a model that knows nothing), both by more than one standard error: a calibration that is
    wrongly accepted costs less than one that is wrongly refused.

    Args:
        label_mode: of the table.
        val: never test's table.
        parts: of each sample, shape (N,).
        shift: what the training's weights add to each output's logit; None where unweighted.
    """

    def fit(table: Predictions) -> Rescaling:
        if shift is None or fit_temperature(label_mode, table) == 1:  # 1: every decision is right
            return fit_temperature(label_mode, table), None
        return fit_biases(label_mode, table, shift)

    temperature, biases = fit(val)
    if temperature == 1 and biases is None:
        return CalibrationFit.none(parts, f"{STAYS}every decision on val is right.")
    low, high = TEMPERATURES
    if not low * 1.01 < temperature < high * 0.99:
        return CalibrationFit.none(
            parts, f"{STAYS}the temperature that fits val best, {temperature:.3g}, is at the bound "
            "of the search: the model's certainty says nothing."
        )  # fmt: skip
    by_part = [fit(val.select(np.flatnonzero(parts != k))) for k in range(int(parts.max()) + 1)]
    before = _losses(label_mode, val)
    after = _by_part(parts, before.shape, lambda k, rows: _losses(
        label_mode, calibrated(label_mode, val.select(rows), *by_part[k])
    ))  # fmt: skip
    shares = _by_part(parts, before.shape, lambda k, rows: _losses_of_shares(
        label_mode, val.select(parts != k), val.select(rows)
    ))  # fmt: skip
    over_model, over_shares = (mean_gain(each - after, val) for each in (before, shares))
    if not over_shares.shown:
        reason = (
            f"no better than that of the classes' shares alone (cross-fitted gain {over_shares})"
        )
    elif not over_model.shown:
        reason = f"no better than as trained (cross-fitted gain {over_model})"
    else:
        return CalibrationFit(temperature, biases, by_part)
    return CalibrationFit.none(parts, f"{STAYS}beyond noise, the log loss on val is {reason}.")


def _by_part(
    parts: np.ndarray, shape: tuple[int, ...], compute: Callable[[int, np.ndarray], np.ndarray]
) -> np.ndarray:
    """The values of each sample, computed a part at a time."""
    values = np.empty(shape)
    for k in range(int(parts.max()) + 1):
        rows = np.flatnonzero(parts == k)
        values[rows] = compute(k, rows)
    return values


def _losses(label_mode: LabelMode, table: Predictions) -> np.ndarray:
    """The log loss of each sample, shape (N,): the mean over its known answers; NaN without."""
    losses = label_mode.confidences(*to_tensors(table)).log_loss
    if losses.ndim == 1:
        return losses
    known = ~np.isnan(losses)
    total = np.nan_to_num(losses).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _losses_of_shares(label_mode: LabelMode, fitted: Predictions, table: Predictions) -> np.ndarray:
    """The same of a model that gives each sample the classes' shares in another table."""
    logits = torch.from_numpy(label_mode.prior_logits(fitted.targets))
    probs = label_mode.probs(logits[None].expand(len(table), -1)).double()
    return _losses(label_mode, replace(table, probs=probs.numpy()))
