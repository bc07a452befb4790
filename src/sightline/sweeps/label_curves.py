"""The label-efficiency curves of a sweep over `data.train_fraction` or `data.per_class`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.comparison.compared_run import BEST, bounds_of, higher_is_better
from sightline.config.targets import locate
from sightline.io.csv_files import csv_text
from sightline.sweeps.groups import as_compared, replicates
from sightline.sweeps.sweep import SweepJob
from sightline.sweeps.table import final_metrics
from sightline.sweeps.tasks import SweepTask
from sightline.tracking.tracker import Tracker

if TYPE_CHECKING:
    from sightline.comparison.label_curves import LabelCurve

SHARE = (0.0, 1.0)  # bounds of a metric of which points can be said


def sweep_curves(task: SweepTask, jobs: Sequence[SweepJob]) -> dict[str, "list[LabelCurve]"]:
    """The curves by metric: of what its jobs are compared by, and of the main share of right
    answers beside a loss; none where the number of training images does not vary.

    Args:
        task: with the rows of jobs that have a value.
        jobs: of the sweep.
    """
    members = [row for rows in replicates(task.rows, jobs).values() for row in rows]
    if not any(_is_part(jobs[row["job"]]) for row in members):
        return {}
    from sightline.comparison.label_curves import label_curves  # imports SciPy

    runs = []
    for row in members:
        each = jobs[row["job"]]
        values = final_metrics(each.folder, each.folder.results() or {})
        runs.append(replace(as_compared(each), metrics=values))
    plugins = jobs[members[0]["job"]].config.plugins
    found = {}
    for metric, maximise in _metrics(task, jobs[members[0]["job"]]):
        having = [run for run in runs if metric in run.metrics]
        curves = label_curves(having, metric, maximise, bounds_of(metric, plugins))
        if curves:
            found[metric] = curves
    return found


def log_curves(tracker: Tracker, task: SweepTask, jobs: Sequence[SweepJob]) -> None:
    """Log the tables of the curves.

    Args:
        tracker: of the sweep.
        task: with the rows of jobs that have a value.
        jobs: of the sweep.
    """
    for metric, curves in sweep_curves(task, jobs).items():
        from sightline.comparison.label_curves import curves_table

        table = curves_table(curves)
        text = csv_text(table.columns, table.rows, line_end="\r\n")
        tracker.log_data(text, f"{task.folder}{file_name(metric)}.csv")


def file_name(metric: str) -> str:
    """The name of the files of a metric's curves, without their ending."""
    return f"label_curve_{metric.replace('/', '_')}"


def _is_part(each: SweepJob) -> bool:
    common = each.config.data_common
    return common.train_fraction is not None or common.per_class is not None


def _metrics(task: SweepTask, each: SweepJob) -> list[tuple[str, bool]]:
    """What the jobs are compared by, and the first main metric that is a share, if that is none."""
    first = task.objectives[0]
    plugins = each.config.plugins
    if bounds_of(first[0], plugins) == SHARE and first[1]:
        return [first]
    mode = locate(each.config.label_mode, "label_mode", plugins)
    names = [f"{BEST}/{name}" for name in mode.main_metrics]
    shares = [
        name for name in names
        if bounds_of(name, plugins) == SHARE and higher_is_better(name, plugins)
    ]  # fmt: skip
    return [first, *((name, True) for name in shares[:1])]
