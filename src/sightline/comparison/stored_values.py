"""A metric's value of each run, from stored predictions on one set of samples, and its sampling
error."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from sightline.comparison.comparability import check_same_samples, check_same_split
from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.hypothesis_tests import check_defined, check_groups
from sightline.comparison.sampling_errors import (
    covariance_of_shares,
    draw_samples,
    group_codes,
)
from sightline.comparison.stored_metrics import is_tuned, stored_metric
from sightline.errors import UserError
from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import Metric
from sightline.metrics.resampling import values_on
from sightline.metrics.tuned_table import parts_of_val
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions

log = logging.getLogger(__name__)
T = TypeVar("T")

Tables = Mapping[str, Predictions | UserError]  # by the run's id: its table, or why it has none
Tunings = Mapping[str, Tuning | UserError]  # likewise; of each run where the metric is of a tuning


@dataclass(frozen=True)
class Sampling:
    """How sampling errors are found, where a metric needs resamples.

    Attributes:
        resamples: of the bootstrap.
        seed: of the bootstrap.
        plugins: packages with metrics of their own.
    """

    resamples: int
    seed: int
    plugins: Sequence[str] = ()


@dataclass(frozen=True)
class StoredValues:
    """A metric of several runs that were evaluated on the same samples.

    Attributes:
        values: by the run's id.
        refused: runs that have no value here, and why.
        right: by the run's id, shape (M,): samples decided rightly, where the metric is their
            share; else empty.
        resampled: by the run's id, shape (R,): the metric of the same resamples, where it is not.
        codes: shape (M,), the group of each sample, from 0; None where each is by itself.
        samples: M, those that count.
    """

    values: dict[str, float]
    refused: dict[str, UserError]
    right: dict[str, np.ndarray] = field(default_factory=dict)
    resampled: dict[str, np.ndarray] = field(default_factory=dict)
    codes: np.ndarray | None = None
    samples: int = 0

    @property
    def units(self) -> int:
        """Samples, or groups of them, that are independent of each other."""
        return self.samples if self.codes is None else int(self.codes.max()) + 1

    def check(self, runs: Sequence[str]) -> None:
        """Refuse runs of which one has no value.

        Raises:
            UserError: why it has none.
        """
        for run in runs:
            if run in self.refused:
                raise self.refused[run]

    def covariance(self, first: Sequence[str], second: Sequence[str] = ()) -> np.ndarray:
        """Of the sampling errors of the runs' values, shape (k, k).

        Args:
            first: ids of the runs of one config.
            second: those of another; they follow.

        Raises:
            UserError: the metric is undefined in most resamples, or all samples are one group.
        """
        runs = [*first, *second]
        check_groups(self.units)
        if self.right:
            right = np.stack([self.right[run] for run in runs]).astype(np.float64)
            return covariance_of_shares(right, self.codes, len(first))
        values = np.stack([self.resampled[run] for run in runs])
        values = values[:, np.isfinite(values).all(axis=0)]
        check_defined(values.shape[1], len(self.resampled[runs[0]]))
        return np.atleast_2d(np.cov(values))


def evaluate_runs(
    runs: Sequence[ComparedRun], name: str, split: str, tables: Tables, tunings: Tunings,
    sampling: Sampling,
) -> StoredValues:  # fmt: skip
    """The metric of each run that was evaluated on the same samples as the first.

    Args:
        runs: the first one says which samples.
        name: of the metric, without a split.
        split: whose predictions the tables are.
        tables: of every run.
        tunings: of every run, where the metric is of tuned or calibrated predictions.
        sampling: of the metrics that need resamples.
    """
    found: dict[str, tuple[Metric, DecidedTable]] = {}
    refused: dict[str, UserError] = {}
    leader: tuple[ComparedRun, Predictions] | None = None
    for run in runs:
        try:
            check_same_split(runs[0], run, split)
            stored = _given(tables[run.run_id])
            by_id = np.argsort(stored.ids, kind="stable")
            table = stored.select(by_id)
            leader = leader or (run, table)
            check_same_samples(leader[1], table, (leader[0], run), split)
            tuning = _given(tunings[run.run_id]) if is_tuned(name) else Tuning()
            parts = parts_of_val(tuning, stored) if split == "val" else None
            parts = None if parts is None else parts[by_id]
            found[run.run_id] = stored_metric(table, name, tuning, sampling.plugins, parts)
        except UserError as error:
            refused[run.run_id] = error
    return _evaluated(found, refused, sampling)


def _given(found: T | UserError) -> T:
    if isinstance(found, UserError):
        raise found
    return found


def _evaluated(
    found: dict[str, tuple[Metric, DecidedTable]], refused: dict[str, UserError], sampling: Sampling
) -> StoredValues:
    decided = {run: metric.correct(table) for run, (metric, table) in found.items()}
    right = {run: each for run, each in decided.items() if each is not None}
    if not found:
        return StoredValues({}, refused)
    metric, first = next(iter(found.values()))
    groups = first.predictions.groups
    if len(right) == len(found):
        samples = len(next(iter(right.values())))
        if groups is not None and samples < len(groups):  # those without a known label count not
            groups = groups[(first.predictions.targets >= 0).any(axis=1)]
        values = {run: float(each.mean()) for run, each in right.items()}
        return StoredValues(values, refused, right, {}, group_codes(groups), samples)
    codes = group_codes(groups)
    once = np.ones((len(first), 1), np.float32)
    values = {run: float(values_on(once, *each)[0]) for run, each in found.items()}
    if metric.not_resampled is not None:
        log.warning("%s is computed of one resample at a time, which is slow.", metric.name)
    parts: dict[str, list[np.ndarray]] = {run: [] for run in found}
    for weights in draw_samples(codes, len(first), sampling.resamples, sampling.seed):
        for run, each in found.items():
            parts[run].append(values_on(weights, *each))
    resampled = {run: np.concatenate(each) for run, each in parts.items()}
    return StoredValues(values, refused, {}, resampled, codes, len(first))
