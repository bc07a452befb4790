"""The run of a sweep in MLflow: command, frozen configs, and a table and figures of its jobs."""

import logging
import math
import time
from collections.abc import Sequence

from matplotlib.figure import Figure

from sightline.io.csv_files import to_csv
from sightline.reports.canvas import to_chart
from sightline.reports.parts import Chart
from sightline.sweeps.board import to_board
from sightline.sweeps.figures import SweepFigures
from sightline.sweeps.groups import group_rows, replicates
from sightline.sweeps.label_curves import log_curves
from sightline.sweeps.note import BOARD, announce, to_markdown
from sightline.sweeps.sweep import Sweep, swept_keys
from sightline.sweeps.table import Row, error_text, frozen_configs, job_row
from sightline.sweeps.tasks import SweepTask, SweepTasks, with_tasks
from sightline.tracking.description import origin_tags
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.views import sweep_view, unranked_view, view_key
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)

FIGURES_EVERY_S = 10  # at most, while jobs start and end; the last ones are always drawn
DONE = ("FINISHED", "PRUNED")  # such a job is not run again


class SweepTracker:
    """Logs the jobs of a sweep to the sweep's own run in MLflow, as they start and end.

    Args:
        sweep: planned.

    Attributes:
        errors: of the jobs that failed, by their numbers.
        states: of jobs, by their numbers, where their folders do not hold them.
        stopped_by: the signal that ended the sweep.
        found: the tasks of the jobs that finished.
        continues: whether jobs run on without this process; the sweep's run then stays RUNNING.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.errors: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self.stopped_by: int | None = None
        self.continues = False
        self.found: list[SweepTask] = []
        self.tracker = Tracker(sweep.folder)
        self._connection = SenderClient(
            sweep.tracking, sweep.folder, continue_offline=not sweep.new
        )
        self._tasks = SweepTasks(sweep)
        self._figures = SweepFigures(sweep)
        self._finished: dict[int, Row] = {}  # rows that do not change any more
        self._logged_errors: dict[int, str] = {}
        self._drawn = -math.inf  # when, by the monotonic clock

    def connect(self) -> None:
        """Wait until the store answers.

        Raises:
            UserError: it does not, and the sweep is a new one that is not to run without it.
        """
        self._connection.wait_until_ready()

    def start(self) -> None:
        """Start the sweep's run, or resume it."""
        sweep = self.sweep
        origin = origin_tags(self.tracker.folder, sweep.command)
        own = {tags.KIND: tags.KIND_SWEEP, tags.SWEEP_NAME: sweep.name}
        self.tracker.start(sweep.title, origin | own)
        self.tracker.log_text(sweep.command + "\n", "command.txt")
        self.tracker.log_artifact("sweep.json")
        self.update()

    def update_table(self, running: set[int] | None = None) -> list[Row]:
        """Log the table and the note as they are now.

        Args:
            running: numbers of the jobs that run.
        """
        jobs = self.sweep.jobs
        if not jobs:
            return []
        keys = swept_keys([each.job for each in jobs])
        rows = [self._row(number, keys, running or set()) for number in range(len(jobs))]
        self.found = self._tasks.find(rows, keys)
        table = with_tasks(rows, self.found)
        self.tracker.log_data(to_csv(table, None, line_end="\r\n"), "summary.csv")
        self.tracker.set_tags({tags.NOTE: to_markdown(rows, self.found)})
        self._connection.poll()
        return rows

    def _row(self, number: int, keys: list[str], running: set[int]) -> Row:
        """A job as it is now; one that finished is read once."""
        known, error = self._finished.get(number), self.errors.get(number)
        state = "RUNNING" if number in running else self.states.get(number)
        if error is not None and state != "KILLED":
            state = "FAILED"  # a killed one did not log its end
        if known is None or list(known)[1 : len(keys) + 1] != keys or not known["run_id"]:
            each = self.sweep.jobs[number]
            known = job_row(number, each, keys, self._tasks.metrics, state, error)
        if known["status"] == "FINISHED":
            self._finished[number] = known
        return known

    def update(self, running: set[int] | None = None, last: bool = False) -> list[Row]:
        """Log the table, the figures, the errors and the counts as they are now.

        Args:
            running: numbers of the jobs that run.
            last: whether this is the last update.
        """
        rows = self.update_table(running)
        if not rows:
            return rows
        self.tracker.log_data(frozen_configs(self.sweep.jobs), "configs.json")
        draw = last or time.monotonic() - self._drawn > FIGURES_EVERY_S
        charts = {task.folder: self._charts(task) for task in self.found if draw}
        groups = {
            task.folder: self._log_task(task, charts.get(task.folder, [])) for task in self.found
        }
        if draw:
            board = to_board(self.sweep, rows, self.found, groups, charts)
            self.tracker.log_data(board, BOARD)
            self._drawn = time.monotonic()
        if self._tasks.named:
            self._log_view_of_all()
        self._log_errors()
        self._count(rows)
        self._connection.poll()
        return rows

    def _charts(self, task: SweepTask) -> list[Chart]:
        drawn = self.figures(task).items()
        return [to_chart(each, name, name.replace("_", " "), shrinks=True) for name, each in drawn]

    def _log_task(self, task: SweepTask, charts: Sequence[Chart]) -> list[Row]:
        """Log the groups of replicates, which it returns, figures, and a saved view."""
        members = replicates(task.rows, self.sweep.jobs)
        groups = []
        if len(members) < len(task.rows):
            groups = group_rows(members, task.keys, task.metrics[0])
            self.tracker.log_data(to_csv(groups, None, line_end="\r\n"), f"{task.folder}groups.csv")
        if charts:
            log_curves(self.tracker, task, self.sweep.jobs)
        for chart in charts:
            self.tracker.log_png(chart.png, f"{task.folder}figures/{chart.name}.png")
        view = sweep_view(
            self.sweep.name, task.keys, task.metrics, task.maximise, bool(groups), task.facts
        )
        self.tracker.save_view(view_key(self.sweep.name, task.facts), view)
        return groups

    def _log_view_of_all(self) -> None:
        """Save a view of all jobs, which are of several tasks and have no order by values."""
        keys = swept_keys([each.job for each in self.sweep.jobs])
        view = unranked_view(self.sweep.name, keys, self._tasks.metrics)
        self.tracker.save_view(view_key(self.sweep.name), view)

    def _log_errors(self) -> None:
        """Log each error once, with the end of its job's output."""
        for number, error in self.errors.items():
            if self._logged_errors.get(number) != error:
                text = error_text(self.sweep.jobs[number], error)
                self.tracker.log_text(text, f"errors/{number}.txt")
                self._logged_errors[number] = error

    def figures(self, task: SweepTask) -> dict[str, Figure]:
        """The figures of a task's jobs by name."""
        return self._figures.draw(task)

    def _count(self, rows: list[Row]) -> None:
        """Log the number of jobs in each state and each task's best; a step is a second."""
        states = [row["status"] for row in rows]
        counted = ("FINISHED", "FAILED", "KILLED", "PRUNED", "RUNNING", "WAITING", "INTERRUPTED")
        values = {f"jobs/{state.lower()}": float(states.count(state)) for state in counted}
        values |= {task.best_key: float(task.best_first[0][task.metrics[0]])
                   for task in self.found if task.rows}  # fmt: skip
        launched = (self.sweep.folder.path / "sweep.json").stat().st_mtime
        self.tracker.log_metrics(values, step=int(time.time() - launched))

    def close(self) -> None:
        """End the sweep's run, if started: FINISHED, KILLED for a signal, FAILED otherwise."""
        if self.tracker.started:
            rows = self.update(last=True)
            done = sum(row["status"] in DONE for row in rows)
            complete = bool(rows) and done == len(rows) and not self.errors
            status = "FINISHED" if complete else "FAILED"
            status = "KILLED" if self.stopped_by is not None else status
            self.tracker.finish("RUNNING" if self.continues else status)
        self._connection.close()
        if self.tracker.started:
            announce(self.sweep, rows, self.found, done)
