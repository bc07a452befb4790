"""Runs in groups that differ in seed or fold alone, ranked by a metric's mean over the group."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from sightline.comparison.compared_run import ComparedRun, beside
from sightline.config.schema import REPLICATES
from sightline.tracking.mlflow.tags import ERROR, GROUP, REPRODUCES

# Parameters that are no part of the config: facts found at run time, and a name made of the others.
NOT_CONFIG = (GROUP, "data.cache.used", "data.skipped", "data.digest.split")
SHOWN_FIRST = ("model", "model.name", "label_mode", "data")
DIGESTS = ("data.digest.train", "data.digest.val", "data.digest.test")
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, with a 95 % t-interval over them.

    Attributes:
        mean: over the runs.
        half_width: of the interval; None with fewer than two runs.
        values: of each run.
    """

    mean: float
    half_width: float | None
    values: tuple[float, ...]

    def __str__(self) -> str:
        if self.half_width is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


@dataclass(frozen=True)
class Group:
    """Runs of one config.

    Attributes:
        rank: from 1; groups of equal mean have ranks of their own, in order of their runs.
        runs: that are ranked: finished, with a value.
        others: how many runs of the group are not ranked.
        score: of the metric ranked by.
        partner: of the one beside it; None where no run has it.
        config: the columns that tell it from the other groups.
    """

    rank: int
    runs: tuple[ComparedRun, ...]
    others: int
    score: Estimate
    partner: Estimate | None
    config: dict[str, str]


@dataclass(frozen=True)
class Unranked:
    """A run that takes no part, and why."""

    run: ComparedRun
    reason: str


@dataclass(frozen=True)
class Leaderboard:
    """Groups from best to worst.

    Attributes:
        metric: ranked by.
        partner: the metric beside it; None where no run has it.
        maximise: whether more is better.
        columns: of config that differ between the groups.
        groups: ranked.
        unranked: runs that failed, did not finish or lack the metric.
    """

    metric: str
    partner: str | None
    maximise: bool
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    unranked: tuple[Unranked, ...]


def make_leaderboard(
    runs: Iterable[ComparedRun], metric: str, maximise: bool, each_alone: bool = False
) -> Leaderboard:
    """Rank by the mean of a metric.

    Args:
        runs: of any status; of those of one config, seed and fold the first counts.
        metric: a key of `ComparedRun.metrics`.
        maximise: whether more is better.
        each_alone: every run is a group of its own, named by its seed and fold.
    """
    grouped: dict[tuple[tuple[str, str], ...], list[ComparedRun]] = {}
    unranked = []
    left_out: dict[tuple[tuple[str, str], ...], int] = {}
    for run in runs:
        key = tuple(sorted(config_of(run, each_alone).items()))
        reason = _why_not(run, metric) or (None if each_alone else _repeats(run, grouped.get(key)))
        if reason is None:
            grouped.setdefault(key, []).append(run)
        else:
            unranked.append(Unranked(run, reason))
            left_out[key] = left_out.get(key, 0) + 1
    columns = differing([dict(key) for key in grouped])
    partner = beside(metric)
    scored = [(estimate([run.metrics[metric] for run in members]), key)
              for key, members in grouped.items()]  # fmt: skip
    scored.sort(key=lambda each: -each[0].mean if maximise else each[0].mean)
    groups = tuple(
        Group(
            rank, tuple(grouped[key]), left_out.get(key, 0), score,
            _partner_of(grouped[key], partner),
            {column: dict(key).get(column, "") for column in columns},
        )
        for rank, (score, key) in enumerate(scored, start=1)
    )  # fmt: skip
    if all(group.partner is None for group in groups):
        partner = None
    return Leaderboard(metric, partner, maximise, columns, groups, tuple(unranked))


def config_of(run: ComparedRun, each_alone: bool = False) -> dict[str, str]:
    """What tells a run's group: its parameters without seed, fold and what a training found.

    The digests of its data count, so that runs on data that changed are not averaged; those that
    differ by fold do not.
    """
    folded = "data.folds" in run.params
    ignored = {*NOT_CONFIG, *(() if each_alone else REPLICATES), *(DIGESTS[:2] if folded else ())}
    config = {key: value for key, value in run.params.items() if key not in ignored}
    return config | ({"run": run.run_id} if each_alone else {})


def differing(configs: Sequence[dict[str, str]]) -> tuple[str, ...]:
    """The keys whose values are not the same in all: those that tell most first."""
    keys = dict.fromkeys(key for config in configs for key in config)
    found = [key for key in keys if len({config.get(key) for config in configs}) > 1]

    def place(key: str) -> tuple[bool, int]:
        return key in DIGESTS, SHOWN_FIRST.index(key) if key in SHOWN_FIRST else len(SHOWN_FIRST)

    return tuple(sorted(found, key=place))


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and the half-width of the t-interval: t(0.975, n - 1) · s / √n."""
    count = len(values)
    mean = float(np.mean(values))
    if count < 2:
        return Estimate(mean, None, tuple(values))
    t = float(special.stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half_width = t * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, half_width, tuple(values))


def _partner_of(runs: Sequence[ComparedRun], metric: str | None) -> Estimate | None:
    if metric is None:
        return None
    values = [run.metrics[metric] for run in runs if metric in run.metrics]
    return estimate(values) if values else None


def _repeats(run: ComparedRun, group: Sequence[ComparedRun] | None) -> str | None:
    """Which run of the group it repeats: the same seed again says nothing about seeds."""
    if REPRODUCES in run.tags:
        return f"reproduces {run.tags[REPRODUCES]}"
    same = [each for each in group or [] if each.repeat == run.repeat and "seed" in run.params]
    return f"the same config and seed as {same[0].run_id}" if same else None


def _why_not(run: ComparedRun, metric: str) -> str | None:
    """Why a run is not ranked; None where it is."""
    if run.status != "FINISHED":
        error = run.tags.get(ERROR, "")
        return f"{run.status}: {error}" if error else run.status
    if not math.isfinite(run.metrics.get(metric, math.nan)):
        return f"has no {metric}"
    return None
