"""A metric's mean over the runs of a group, with its interval and what that covers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sightline.comparison.compared_run import UNBOUNDED, ComparedRun
from sightline.comparison.config_tests import replicates_of
from sightline.comparison.replicates import mean_uncertainty
from sightline.comparison.stored_values import StoredValues
from sightline.errors import UserError

ROUNDING = 1e-12
AGREE = 1e-3  # up to which a value from the stored table is the logged one


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, with a 95 % interval.

    Attributes:
        mean: over the runs.
        half_width: of the interval; None with fewer than two runs, where nothing varies, so that
            the spread is not known, and where the interval would be the metric's whole range.
        values: of each run.
        over_samples: whether the interval covers the choice of samples too, or the runs alone.
    """

    mean: float
    half_width: float | None
    values: tuple[float, ...]
    over_samples: bool = False

    def __str__(self) -> str:
        if self.half_width is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def estimate(
    runs: Sequence[ComparedRun], metric: str, bounds: tuple[float, float] = UNBOUNDED
) -> Estimate:
    """The mean, and a t-interval over the runs: t(0.975, k - 1) · s / √k.

    Over folds the variance is corrected for the images that trainings share (Nadeau & Bengio 2003).

    Args:
        runs: of one config, each with a value.
        metric: its key.
        bounds: its least and its greatest value.
    """
    values = [run.metrics[metric] for run in runs]
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, tuple(values))
    group, _ = replicates_of(runs, values)
    half = _known(mean, mean_uncertainty(group).half_width(), bounds)
    return Estimate(mean, half, tuple(values))


def over_samples(
    found: Estimate, runs: Sequence[ComparedRun], stored: StoredValues,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Estimate:  # fmt: skip
    """The same with an interval over runs and samples, where all runs have stored values.

    Args:
        found: of the runs' logged values.
        runs: of one config.
        stored: the metric that was logged, of the same checkpoints.
        bounds: the metric's least and its greatest value.
    """
    ids = [run.run_id for run in runs]
    if len(ids) < 2:
        return found
    try:
        stored.check(ids)
        covariance = stored.covariance(ids)
    except UserError:
        return found  # labelled as one over runs alone; the tests' notes say why
    values = [stored.values[run] for run in ids]
    if not np.allclose(values, found.values, rtol=AGREE, atol=AGREE):
        return found  # of another checkpoint, or a loss that no table holds
    group, weights = replicates_of(runs, values)
    uncertainty = mean_uncertainty(group, weights @ covariance @ weights.T, stored.units)
    half = _known(found.mean, uncertainty.half_width(), bounds)
    return replace(found, half_width=half, over_samples=half is not None)


def _known(mean: float, half_width: float, bounds: tuple[float, float]) -> float | None:
    """A half-width, or None where it says nothing.

    It is 0 but for rounding of values that are all the same; of a few runs that differ much it may
    reach beyond the metric's whole range.
    """
    low, high = bounds
    everything = mean - half_width <= low and mean + half_width >= high
    return half_width if half_width > ROUNDING and not everything else None
