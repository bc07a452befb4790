"""Two configs tested over their runs: seeds, or folds, and the samples that they share."""

import math
from collections.abc import Sequence

import numpy as np

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.hypothesis_tests import PairedResult
from sightline.comparison.replicates import (
    Replicates,
    difference_uncertainty,
    paired_folds,
)
from sightline.comparison.stored_values import StoredValues
from sightline.comparison.uncertainty import Uncertainty
from sightline.errors import UserError


def folds_of(runs: Sequence[ComparedRun]) -> int | None:
    """The number of folds that runs differ in; None where all are of one fold."""
    given = {run.params.get("data.folds", "") for run in runs}
    if len(runs_by_fold(runs)) < 2 or not all(each.isdigit() for each in given):
        return None
    return max(int(each) for each in given)


def runs_by_fold(runs: Sequence[ComparedRun]) -> dict[str, list[ComparedRun]]:
    """The runs of each fold."""
    found: dict[str, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(run.params.get("data.fold", ""), []).append(run)
    return found


def replicates_of(
    runs: Sequence[ComparedRun], values: Sequence[float]
) -> tuple[Replicates, np.ndarray]:
    """A value for each run, or for each fold the mean over its seeds.

    Returns:
        The values, and the weights that make them of the runs': shape (k, runs).
    """
    folds = folds_of(runs)
    weights = np.eye(len(runs))
    if folds is not None:
        keys = [run.params.get("data.fold", "") for run in runs]
        same = np.array([[key == fold for key in keys] for fold in runs_by_fold(runs)])
        weights = same / same.sum(axis=1, keepdims=True)
    return Replicates(weights @ np.asarray(values, dtype=np.float64), folds), weights


def over_runs_and_samples(
    stored: StoredValues, first: Sequence[ComparedRun], second: Sequence[ComparedRun]
) -> PairedResult:
    """The difference of two configs' means, over runs and samples.

    Args:
        stored: the metric of all runs.
        first, second: two runs or more each.

    Raises:
        UserError: a run has no value, or the samples do not allow a test.
    """
    ids = [[run.run_id for run in runs] for runs in (first, second)]
    stored.check([*ids[0], *ids[1]])
    one, ours = replicates_of(first, [stored.values[run] for run in ids[0]])
    other, theirs = replicates_of(second, [stored.values[run] for run in ids[1]])
    weights = np.zeros((len(ours) + len(theirs), len(first) + len(second)))
    weights[: len(ours), : len(first)] = ours
    weights[len(ours) :, len(first) :] = theirs
    covariance = weights @ stored.covariance(*ids) @ weights.T
    found = difference_uncertainty(one, other, covariance, stored.units)
    groups = "" if stored.codes is None else f" of {stored.units:,} groups"
    resamples = "" if stored.right else f", {len(stored.resampled[ids[0][0]]):,} resamples{groups}"
    over = "seeds" if one.folds is None else "folds"
    return _result(f"t-test over {over} and samples{resamples or groups}", one, other, found)


def over_runs(
    first: Sequence[ComparedRun], second: Sequence[ComparedRun], metric: str
) -> PairedResult:
    """Welch's t-test of the logged values, over runs alone.

    Raises:
        UserError: a run has no such metric, or none differs from the others of its config.
    """
    values = [[_logged(run, metric) for run in runs] for runs in (first, second)]
    one, other = replicates_of(first, values[0])[0], replicates_of(second, values[1])[0]
    return _result("Welch's t-test", one, other, difference_uncertainty(one, other))


def over_folds(
    first: Sequence[ComparedRun], second: Sequence[ComparedRun], metric: str
) -> PairedResult:
    """The corrected t-test of Nadeau & Bengio (2003) over the folds that both configs have.

    Raises:
        UserError: a run has no such metric, or there are fewer than two folds in common.
    """
    folds = folds_of(first)
    ours, theirs = runs_by_fold(first), runs_by_fold(second)
    shared = [fold for fold in ours if fold in theirs]
    if folds is None or len(shared) < 2 or folds != folds_of(second):
        raise UserError("they have fewer than two folds of the same data.folds in common")
    differences = [
        float(np.mean([_logged(run, metric) for run in ours[fold]]))
        - float(np.mean([_logged(run, metric) for run in theirs[fold]]))
        for fold in shared
    ]
    found = paired_folds(differences, folds)
    test = f"corrected t-test of {len(shared)} folds (Nadeau & Bengio 2003)"
    return _found(test, float(np.mean(differences)), found)


def _result(
    test: str, one: Replicates, other: Replicates, uncertainty: Uncertainty
) -> PairedResult:
    return _found(test, float(one.values.mean() - other.values.mean()), uncertainty)


def _found(test: str, difference: float, uncertainty: Uncertainty) -> PairedResult:
    if difference and uncertainty.standard_error == 0:
        raise UserError("the runs of each config have the same value, so their spread is not known")
    half, p = uncertainty.half_width(), uncertainty.p(difference)
    return PairedResult(test, difference, difference - half, difference + half, p, uncertainty)


def _logged(run: ComparedRun, metric: str) -> float:
    value = run.metrics.get(metric, math.nan)
    if not math.isfinite(value):
        raise UserError(f"the run {run.name!r} ({run.run_id}) has no {metric}")
    return value
