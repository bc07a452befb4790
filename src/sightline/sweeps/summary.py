"""A sweep in MLflow: its command, its frozen configs, and a table and figures of its jobs."""

import logging
import math
import time
from typing import Any

from matplotlib.figure import Figure

from sightline.io.csv_files import to_csv
from sightline.io.secrets import hide_password
from sightline.metrics.monitor import monitor_mode
from sightline.reports.canvas import to_png
from sightline.reports.figures.sweep import draw_main_effects, draw_parallel
from sightline.reports.figures.sweep_progress import draw_best_so_far, draw_mean_curves
from sightline.runs.folder import RunFolder
from sightline.sweeps.sweep import Sweep
from sightline.sweeps.table import (
    Row,
    curve_of,
    error_text,
    frozen_configs,
    group_rows,
    job_row,
    swept_keys,
    to_markdown,
)
from sightline.tracking.description import group_name, origin_tags
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.links import run_link, sweep_link
from sightline.tracking.mlflow.views import sweep_view, view_key
from sightline.tracking.sender.client import SenderClient
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)

FIGURES_EVERY_S = 10  # at most, while jobs come and go; the last ones are always drawn
DONE = ("FINISHED", "PRUNED")  # of such a job nothing is missing


class SweepTracker:
    """Tells the sweep's own run in MLflow what became of its jobs, as they start and end.

    Args:
        sweep: planned.

    Attributes:
        errors: of the jobs that failed, by their numbers.
        states: what is known of jobs beside their folders, by their numbers.
        stopped_by: the signal that ended the sweep.
        goes_on: whether jobs go on without this process; the sweep's run then stays RUNNING.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.metrics = [name for name, _ in sweep.objectives]
        self.maximise = sweep.objectives[0][1]
        self.errors: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self.stopped_by: int | None = None
        self.goes_on = False
        self.tracker = Tracker(RunFolder(sweep.folder))
        self._config = sweep.tracking
        self._connection = SenderClient(
            self._config, RunFolder(sweep.folder), continue_offline=not sweep.new
        )
        self._finished: dict[int, Row] = {}  # rows that do not change any more
        self._curves: dict[str, dict[int, list[float]]] = {}  # by group and number
        self._explained: dict[int, str] = {}
        self._drawn = -math.inf  # when, by the monotonic clock

    def connect(self) -> None:
        """Return when the store answers.

        Raises:
            UserError: it does not, and the sweep is a new one that is not to go on without it.
        """
        self._connection.wait_until_ready()

    def start(self) -> None:
        """Start the sweep's run, or say that it goes on."""
        sweep = self.sweep
        origin = origin_tags(self.tracker.folder, sweep.command)
        self.tracker.start(sweep.folder.name, origin | {tags.KIND: tags.KIND_SWEEP})
        self.tracker.log_text(hide_password(sweep.command) + "\n", "command.txt")
        self.tracker.log_artifact("sweep.json")
        self.update()

    def update_table(self, at_work: set[int] | None = None) -> list[Row]:
        """Tell the table as it is now.

        Args:
            at_work: numbers of the jobs that run.
        """
        jobs = [job for _, job in self.sweep.jobs]
        if not jobs:
            return []
        keys = swept_keys(jobs)
        rows = []
        for number, job in enumerate(jobs):
            known = self._finished.get(number)
            state = "RUNNING" if number in (at_work or ()) else self.states.get(number)
            if number in self.errors and state != "KILLED":
                state = "FAILED"  # one that was killed cannot say so itself
            error = self.errors.get(number)
            if known is None or list(known)[1 : len(keys) + 1] != keys or not known["run_id"]:
                known = job_row(number, job, keys, self.metrics, state, error)
            if known["status"] == "FINISHED":
                self._finished[number] = known
            rows.append(known)
        self.tracker.log_text(hide_password(to_csv(rows, None, line_end="\r\n")), "summary.csv")
        note = to_markdown(rows, keys, self.metrics, self.maximise)
        self.tracker.set_tags({tags.NOTE: hide_password(note)})
        self._connection.poll()
        return rows

    def update(self, at_work: set[int] | None = None, last: bool = False) -> list[Row]:
        """Tell the table, the figures, the errors and the counts as they are now.

        Args:
            at_work: numbers of the jobs that run.
            last: whether nothing comes after it.
        """
        rows = self.update_table(at_work)
        if not rows:
            return rows
        keys = swept_keys([job for _, job in self.sweep.jobs])
        self.tracker.log_text(hide_password(frozen_configs(self.sweep.jobs)), "configs.json")
        ranked = [row for row in rows if math.isfinite(row[self.metrics[0]])]
        groups = group_rows(ranked, keys, self.metrics[0])
        if len(groups) < len(ranked):
            self.tracker.log_text(to_csv(groups, None, line_end="\r\n"), "groups.csv")
        if last or time.monotonic() - self._drawn > FIGURES_EVERY_S:
            for name, figure in self.figures(ranked, keys).items():
                self.tracker.log_png(to_png(figure), f"figures/{name}.png")
            self._drawn = time.monotonic()
        for number, error in self.errors.items():
            if self._explained.get(number) != error:
                text = error_text(self.sweep.jobs[number][1], error)
                self.tracker.log_text(hide_password(text), f"errors/{number}.txt")
                self._explained[number] = error
        view = sweep_view(
            self.sweep.name, keys, self.metrics, self.maximise, len(groups) < len(ranked)
        )
        self.tracker.save_view(view_key(self.sweep.name), view)
        self._count(rows, ranked)
        self._connection.poll()
        return rows

    def figures(self, ranked: list[Row], keys: list[str]) -> dict[str, Figure]:
        """What is drawn of the jobs that have a value, by name."""
        if not ranked or not keys:
            return {}
        for row in ranked:
            config, job = self.sweep.jobs[row["job"]]
            curves = self._curves.setdefault(group_name(config, job), {})
            if row["job"] not in curves:
                curves[row["job"]] = curve_of(job, config.monitor)
        drawn = {
            "parallel_coordinates": draw_parallel(ranked, keys, self.metrics, self.maximise),
            "main_effects": draw_main_effects(ranked, keys, self.metrics[0]),
            "best_so_far": draw_best_so_far(ranked, self.metrics[0], self.maximise),
        }
        groups = {name: list(curves.values()) for name, curves in self._curves.items()}
        if len(groups) < len(ranked):
            config = self.sweep.jobs[0][0]
            drawn["mean_curves"] = draw_mean_curves(
                groups, config.monitor, monitor_mode(config) == "max"
            )
        return drawn

    def _count(self, rows: list[Row], ranked: list[Row]) -> None:
        """How many jobs are in which state, and the best value, against the time since launch."""
        states = [row["status"] for row in rows]
        counted = ("FINISHED", "FAILED", "KILLED", "PRUNED", "RUNNING", "WAITING", "INTERRUPTED")
        values = {f"jobs/{state.lower()}": float(states.count(state)) for state in counted}
        if ranked:
            reached = [row[self.metrics[0]] for row in ranked]
            values["best/" + self.metrics[0]] = max(reached) if self.maximise else min(reached)
        launched = (self.sweep.folder / "sweep.json").stat().st_mtime
        self.tracker.log_metrics(values, step=int(time.time() - launched))

    def close(self) -> None:
        """End the sweep's run, if it began: FINISHED, KILLED for a signal, FAILED otherwise."""
        if self.tracker.started:
            rows = self.update(last=True)
            done = sum(row["status"] in DONE for row in rows)
            complete = bool(rows) and done == len(rows) and not self.errors
            status = "FINISHED" if complete else "FAILED"
            status = "KILLED" if self.stopped_by is not None else status
            self.tracker.finish("RUNNING" if self.goes_on else status)
        self._connection.close()
        if self.tracker.started:
            self._announce(rows, done)

    def _announce(self, rows: list[dict[str, Any]], done: int) -> None:
        log.info("sweep:   %d of %d jobs are done", done, len(rows))
        log.info("table:   %s", self.sweep.folder / "summary.csv")
        run = RunFolder(self.sweep.folder).upload.location
        if run is not None:
            key = view_key(self.sweep.name)
            log.info("in MLflow:  %s", run_link(run.uri, run.experiment_id, run.run_id))
            log.info("its runs:   %s", sweep_link(run.uri, run.experiment_id, key))
