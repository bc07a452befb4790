"""The run of a sweep in MLflow: command, frozen configs, and a table and figures of its jobs."""

import logging
import math
import time
from typing import Any

from matplotlib.figure import Figure

from sightline.comparison.expected_maximum import optimism
from sightline.io.csv_files import to_csv
from sightline.io.secrets import hide_password
from sightline.reports.canvas import to_png
from sightline.sweeps.figures import SweepFigures
from sightline.sweeps.groups import group_rows, replicates
from sightline.sweeps.sweep import Sweep
from sightline.sweeps.table import (
    Row,
    error_text,
    frozen_configs,
    job_row,
    swept_keys,
    to_markdown,
)
from sightline.tracking.description import origin_tags
from sightline.tracking.mlflow import tags
from sightline.tracking.mlflow.links import run_link, sweep_link
from sightline.tracking.mlflow.views import sweep_view, view_key
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
        continues: whether jobs run on without this process; the sweep's run then stays RUNNING.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.metrics = [name for name, _ in sweep.objectives]
        self.maximise = sweep.objectives[0][1]
        self.errors: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self.stopped_by: int | None = None
        self.continues = False
        self.tracker = Tracker(sweep.folder)
        self._config = sweep.tracking
        self._connection = SenderClient(self._config, sweep.folder, continue_offline=not sweep.new)
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
        self.tracker.start(sweep.folder.path.name, origin | {tags.KIND: tags.KIND_SWEEP})
        self.tracker.log_text(hide_password(sweep.command) + "\n", "command.txt")
        self.tracker.log_artifact("sweep.json")
        self.update()

    def update_table(self, running: set[int] | None = None) -> list[Row]:
        """Log the table as it is now.

        Args:
            running: numbers of the jobs that run.
        """
        jobs = self.sweep.jobs
        if not jobs:
            return []
        keys = swept_keys([each.job for each in jobs])
        rows = []
        for number, each in enumerate(jobs):
            known = self._finished.get(number)
            state = "RUNNING" if number in (running or ()) else self.states.get(number)
            if number in self.errors and state != "KILLED":
                state = "FAILED"  # a killed one did not log its end
            error = self.errors.get(number)
            if known is None or list(known)[1 : len(keys) + 1] != keys or not known["run_id"]:
                known = job_row(number, each, keys, self.metrics, state, error)
            if known["status"] == "FINISHED":
                self._finished[number] = known
            rows.append(known)
        self.tracker.log_text(hide_password(to_csv(rows, None, line_end="\r\n")), "summary.csv")
        note = to_markdown(rows, keys, self.metrics, self.maximise)
        self.tracker.set_tags({tags.NOTE: hide_password(note)})
        self._connection.poll()
        return rows

    def update(self, running: set[int] | None = None, last: bool = False) -> list[Row]:
        """Log the table, the figures, the errors and the counts as they are now.

        Args:
            running: numbers of the jobs that run.
            last: whether this is the last update.
        """
        rows = self.update_table(running)
        if not rows:
            return rows
        keys = swept_keys([each.job for each in self.sweep.jobs])
        self.tracker.log_text(hide_password(frozen_configs(self.sweep.jobs)), "configs.json")
        ranked = [row for row in rows if math.isfinite(row[self.metrics[0]])]
        members = replicates(ranked, self.sweep.jobs)
        replicated = len(members) < len(ranked)
        if replicated:
            groups = group_rows(members, keys, self.metrics[0])
            self.tracker.log_text(to_csv(groups, None, line_end="\r\n"), "groups.csv")
        if last or time.monotonic() - self._drawn > FIGURES_EVERY_S:
            for name, figure in self.figures(ranked, keys).items():
                self.tracker.log_png(to_png(figure), f"figures/{name}.png")
            self._drawn = time.monotonic()
        self._log_errors()
        view = sweep_view(self.sweep.name, keys, self.metrics, self.maximise, replicated)
        self.tracker.save_view(view_key(self.sweep.name), view)
        self._count(rows, ranked)
        self._connection.poll()
        return rows

    def _log_errors(self) -> None:
        """Log each error once, with the end of its job's output."""
        for number, error in self.errors.items():
            if self._logged_errors.get(number) != error:
                text = error_text(self.sweep.jobs[number], error)
                self.tracker.log_text(hide_password(text), f"errors/{number}.txt")
                self._logged_errors[number] = error

    def figures(self, ranked: list[Row], keys: list[str]) -> dict[str, Figure]:
        """The figures by name.

        Args:
            ranked: rows of the jobs that have a value.
            keys: the swept keys.
        """
        return self._figures.draw(ranked, keys)

    def _count(self, rows: list[Row], ranked: list[Row]) -> None:
        """Log the number of jobs in each state and the best value; a step is a second."""
        states = [row["status"] for row in rows]
        counted = ("FINISHED", "FAILED", "KILLED", "PRUNED", "RUNNING", "WAITING", "INTERRUPTED")
        values = {f"jobs/{state.lower()}": float(states.count(state)) for state in counted}
        if ranked:
            found = [row[self.metrics[0]] for row in ranked]
            values["best/" + self.metrics[0]] = max(found) if self.maximise else min(found)
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
            self._announce(rows, done)

    def _announce(self, rows: list[dict[str, Any]], done: int) -> None:
        log.info("sweep:   %d of %d jobs are done", done, len(rows))
        log.info("table:   %s", self.sweep.folder.path / "summary.csv")
        ranked = sum(math.isfinite(row[self.metrics[0]]) for row in rows)
        if ranked > 1:
            log.info("note:    %s", optimism(ranked, self.metrics[0]))
        run = self.sweep.folder.upload.location
        if run is not None:
            key = view_key(self.sweep.name)
            log.info("in MLflow:  %s", run_link(run.uri, run.experiment_id, run.run_id))
            log.info("its runs:   %s", sweep_link(run.uri, run.experiment_id, key))
