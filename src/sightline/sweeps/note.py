"""The words of a sweep: its note in MLflow, and the last lines of its command."""

import logging
from collections.abc import Sequence

from sightline.comparison.tasks import ABOUT_TASKS
from sightline.errors import counted
from sightline.reports.figures.axis_values import to_number
from sightline.sweeps.printed_board import print_board
from sightline.sweeps.sweep import Sweep
from sightline.sweeps.table import Row
from sightline.sweeps.tasks import SweepTask
from sightline.tracking.mlflow.links import artifact_link, run_link, view_link
from sightline.tracking.mlflow.views import view_key

log = logging.getLogger(__name__)

BOARD = "board.html"  # the first of the files that MLflow lists of a sweep
SHOWN = 20  # jobs in a note
LEAST = 3  # of each task, where there are many


def to_markdown(rows: Sequence[Row], tasks: Sequence[SweepTask]) -> str:
    """The best finished jobs of each task first, then the errors of those that failed."""
    states = [row["status"] for row in rows]
    counts = ", ".join(f"{states.count(s)} {s}" for s in sorted(set(states)))
    lines = [f"{counted(len(rows), 'job')}: {counts}", ""]
    if any(task.facts is not None for task in tasks):
        lines += [f"A table {ABOUT_TASKS}", ""]
    for task in tasks:
        lines += _table(task, max(LEAST, SHOWN // len(tasks)))
    failed = [row for row in rows if row["error"]]
    if failed:
        lines += ["Not finished:", ""]
        lines += [
            f"- job {row['job']}: {_cell(row['error'].splitlines()[0])}" for row in failed[:SHOWN]
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def announce(sweep: Sweep, rows: Sequence[Row], tasks: Sequence[SweepTask], done: int) -> None:
    """Log how many jobs are done, and where the results are.

    Args:
        sweep: that ended.
        rows: of its jobs.
        tasks: of those that finished.
        done: how many need not be run again.
    """
    log.info("sweep:   %d of %s done", done, counted(len(rows), "job"))
    print_board(sweep)
    log.info("table:   %s", sweep.folder.path / "summary.csv")
    for task in tasks:
        of = f"{task.facts.title}: " if task.facts is not None else ""
        for note in task.notes:
            log.info("note:    %s%s", of, note)
    run = sweep.folder.upload.location
    if run is None:
        return
    log.info("in MLflow:  %s", run_link(run.uri, run.experiment_id, run.run_id))
    log.info("board:      %s", artifact_link(run.uri, run.experiment_id, run.run_id, BOARD))
    log.info("its runs:   %s", view_link(run.uri, run.experiment_id, view_key(sweep.name)))
    for task in tasks:
        if task.facts is not None:
            key = view_key(sweep.name, task.facts)
            log.info("%s: %s", task.facts.title, view_link(run.uri, run.experiment_id, key))


def _table(task: SweepTask, shown: int) -> list[str]:
    """The best jobs of a task, with a note on the best of them."""
    names = ["job", *task.keys, *task.metrics]
    lines = [f"**{task.facts.title}**", ""] if task.facts is not None else []
    lines += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in task.best_first[:shown]:
        cells = [str(row["job"]), *(_cell(row[key]) for key in task.keys)]
        cells += [f"{row[metric]:.5g}" for metric in task.metrics]
        lines.append(f"| {' | '.join(cells)} |")
    for note in task.notes:
        lines += ["", note]
    if len(task.rows) > shown:
        lines += ["", f"{len(task.rows) - shown} more are in summary.csv."]
    return [*lines, ""]


def _cell(text: str) -> str:
    """Text for a cell of a Markdown table; a number of more than 8 characters to four digits."""
    number = to_number(text)
    if number is not None and len(text) > 8:
        return f"{number:.4g}"
    return text.replace("|", "\\|").replace("\n", " ")
