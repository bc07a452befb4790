"""Groups of runs of one config, of any seed and fold, ranked by a metric's mean over the group."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sightline.comparison.compared_run import UNBOUNDED, ComparedRun, beside, split_of
from sightline.comparison.config_columns import config_columns
from sightline.comparison.estimates import Estimate, estimate
from sightline.comparison.grouping import config_of, group_key
from sightline.config.schema import REPLICATES
from sightline.runs.imported import is_imported
from sightline.tracking.mlflow.tags import ERROR, REPRODUCES


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
        bounds: the least and the greatest value of the metric.
    """

    metric: str
    partner: str | None
    maximise: bool
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    unranked: tuple[Unranked, ...]
    bounds: tuple[float, float] = UNBOUNDED


def make_leaderboard(
    runs: Iterable[ComparedRun], metric: str, maximise: bool, each_alone: bool = False,
    bounds: tuple[float, float] = UNBOUNDED,
) -> Leaderboard:  # fmt: skip
    """Rank by the mean of a metric.

    Args:
        runs: of any status; of those of one config, seed and fold the first counts.
        metric: a key of `ComparedRun.metrics`.
        maximise: whether more is better.
        each_alone: every run is a group of its own, named by its seed and fold.
        bounds: the least and the greatest value of the metric.
    """
    grouped: dict[str, list[ComparedRun]] = {}
    repeats: dict[tuple[str, ...], ComparedRun] = {}  # of each group, seed and fold the first
    unranked = []
    left_out: dict[str, int] = {}
    for run in runs:
        key = run.run_id if each_alone else group_key(run)
        reason = why_not(run, metric) or (
            None if each_alone else _repeats(run, repeats.get((key, *run.repeat)))
        )
        if reason is None:
            repeats.setdefault((key, *run.repeat), run)
            grouped.setdefault(key, []).append(run)
        else:
            unranked.append(Unranked(run, reason))
            left_out[key] = left_out.get(key, 0) + 1
    first = [members[0] for members in grouped.values()]
    columns, rows = config_columns([_config(run, each_alone) for run in first], list(grouped))
    partner = _comparable_partner(first, beside(metric))
    scored = [
        (estimate(members, metric, bounds), key, row)
        for (key, members), row in zip(grouped.items(), rows, strict=True)
    ]
    scored.sort(key=lambda each: -each[0].mean if maximise else each[0].mean)
    groups = tuple(
        Group(
            rank, tuple(grouped[key]), left_out.get(key, 0), score,
            _partner_of(grouped[key], partner, bounds), row,
        )
        for rank, (score, key, row) in enumerate(scored, start=1)
    )  # fmt: skip
    if all(group.partner is None for group in groups):
        partner = None
    return Leaderboard(metric, partner, maximise, columns, groups, tuple(unranked), bounds)


def _config(run: ComparedRun, alone: bool) -> dict[str, str]:
    """What the columns are made of; of a run that stands alone also its seed, fold and id."""
    if not alone:
        return config_of(run)
    replicate = {key: run.params[key] for key in REPLICATES if key in run.params}
    return config_of(run) | replicate | {"run": run.run_id}


def _comparable_partner(runs: Sequence[ComparedRun], metric: str | None) -> str | None:
    """The metric beside the ranked one, if it is of the same samples in all groups."""
    if metric is None:
        return None
    digests = {config_of(run).get(f"data.digest.{split_of(metric)}") for run in runs}
    return metric if len(digests) == 1 else None


def _partner_of(
    runs: Sequence[ComparedRun], metric: str | None, bounds: tuple[float, float]
) -> Estimate | None:
    if metric is None:
        return None
    having = [run for run in runs if metric in run.metrics]
    return estimate(having, metric, bounds) if having else None


def _repeats(run: ComparedRun, first: ComparedRun | None) -> str | None:
    """Which run of its group, seed and fold it repeats: the same again says nothing about seeds."""
    if REPRODUCES in run.tags:
        return f"reproduces {run.tags[REPRODUCES]}"
    alike = "seed" in run.params or is_imported(run.tags)  # one table twice is no second seed
    return f"the same config and seed as {first.run_id}" if first and alike else None


def why_not(run: ComparedRun, metric: str) -> str | None:
    """Why a run is not ranked; None where it is."""
    if run.status != "FINISHED":
        error = run.tags.get(ERROR, "")
        return f"{run.status}: {error}" if error else run.status
    if not math.isfinite(run.metrics.get(metric, math.nan)):
        return f"has no {metric}"
    return None
