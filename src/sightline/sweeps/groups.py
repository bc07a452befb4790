"""Groups of a sweep's jobs: those of one config, as `sightline compare` groups runs."""

import math
import statistics
from collections.abc import Mapping, Sequence

from sightline.comparison.compared_run import ComparedRun
from sightline.comparison.grouping import group_key, knows_its_group, with_stored_config
from sightline.config.influence import has_influence
from sightline.sweeps.sweep import SweepJob
from sightline.sweeps.table import Row
from sightline.tracking.description import params
from sightline.tracking.mlflow.tags import GROUP_DIGEST


def compared_run(each: SweepJob, status: str, metrics: Mapping[str, float]) -> ComparedRun:
    """A job as `sightline compare` sees it, by what it logged and else by its config.

    Args:
        each: the job.
        status: of its run.
        metrics: of its run.
    """
    state, folder = each.folder.state, each.folder
    logged = state.params or {
        key: str(value) for key, value in params(each.config, each.job).items()
    }
    run = ComparedRun(str(folder), folder.path.name, status, logged, metrics, state.tags)
    if knows_its_group(run.params, run.tags):
        return run
    return with_stored_config(run, each.config.model_dump(mode="json"))


def as_compared(each: SweepJob) -> ComparedRun:
    """A job as `sightline compare` sees it, as far as it is logged."""
    state = each.folder.state
    return compared_run(each, state.status or "", state.metrics)


def replicates(rows: Sequence[Row], jobs: Sequence[SweepJob]) -> dict[str, list[Row]]:
    """The rows of each group; of those with the same seed, fold and draw the first alone counts.

    Args:
        rows: of jobs that have a value.
        jobs: of the sweep.
    """
    found: dict[str, dict[tuple[str, ...], Row]] = {}
    for row in rows:
        run = as_compared(jobs[row["job"]])
        found.setdefault(group_key(run), {}).setdefault(run.repeat, row)
    return {digest: list(members.values()) for digest, members in found.items()}


def group_rows(groups: dict[str, list[Row]], keys: Sequence[str], metric: str) -> list[Row]:
    """Of each group the count of its replicates, their mean, standard deviation and range.

    Args:
        groups: as `replicates` finds them.
        keys: the swept keys; a column for those that influence results, and one for the digest
            where they do not tell all groups apart.
        metric: by which the jobs are compared.
    """
    shared = [key for key in keys if has_influence(key)]
    distinct = {tuple(members[0][key] for key in shared) for members in groups.values()}
    return [
        {
            **{key: members[0][key] for key in shared},
            **({GROUP_DIGEST: digest[:8]} if len(distinct) < len(groups) else {}),
            **_statistics(metric, [row[metric] for row in members]),
        }
        for digest, members in groups.items()
    ]


def _statistics(metric: str, values: list[float]) -> Row:
    return {
        "runs": len(values),
        f"{metric} mean": statistics.fmean(values),
        f"{metric} sd": statistics.stdev(values) if len(values) > 1 else math.nan,
        f"{metric} min": min(values),
        f"{metric} max": max(values),
    }
