"""A sweep in MLflow: its command, its frozen configs, and a table and figures of its jobs."""

import csv
import io
import json
import logging
import math
import signal
import uuid
from pathlib import Path
from typing import Any

from sightline.reports.sweep import draw_best_so_far, draw_main_effects, draw_parallel
from sightline.run_folder import read_results
from sightline.sweeps.plan import Sweep
from sightline.tracking.connection import Connection
from sightline.tracking.outbox import read_sent, status_of
from sightline.tracking.secrets import hide_password
from sightline.tracking.tracker import Tracker

log = logging.getLogger(__name__)


class SweepTracker:
    """Tells the sweep's own run in MLflow what became of its jobs, as they end."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        config, _ = sweep.jobs[0]
        self.monitor = config.monitor.removeprefix("val/")
        self.maximise = config.monitor_mode == "max"
        self.connection = Connection(config.tracking, sweep.folder, patient=True)
        self.connection.wait_until_ready()
        self.tracker = Tracker(sweep.folder)
        self.tracker.begin(f"sweep {sweep.name}", {
            "command": hide_password(sweep.command),
            "run_folder": str(sweep.folder),
            "run_key": uuid.uuid4().hex,
            "sweep": sweep.name,
            "kind": "sweep",
            "mlflow.source.name": "sightline",
            "mlflow.source.type": "LOCAL",
        })  # fmt: skip
        self.tracker.text(hide_password(sweep.command) + "\n", "command.txt")
        frozen = {str(job.output_dir.name): config.model_dump(mode="json")
                  for config, job in sweep.jobs}  # fmt: skip
        self.tracker.text(hide_password(json.dumps(frozen, indent=2)), "configs.json")
        self.update({})

    def update(self, errors: dict[int, str]) -> None:
        """Tell the table and the figures as they are now.

        Args:
            errors: of the jobs that failed in this process, by their numbers.
        """
        rows = job_rows(self.sweep, self.monitor, errors)
        self.states = [str(row["status"]) for row in rows]
        self.tracker.text(_csv(rows), "summary.csv")
        swept = swept_keys(self.sweep)
        finished = [row for row in rows if row["status"] == "FINISHED"]
        if finished and swept:
            metric = f"val_best/{self.monitor}"
            figures = {
                "parallel_coordinates": draw_parallel(finished, swept, metric),
                "main_effects": draw_main_effects(finished, swept, metric),
                "best_so_far": draw_best_so_far(finished, metric, self.maximise),
            }
            for name, figure in figures.items():
                self.tracker.figure(figure, f"figures/{name}.png")
        self.tracker.metrics(
            {f"jobs/{state.lower()}": self.states.count(state) for state in set(self.states)},
            step=len(finished),
        )
        self.connection.poll()

    def close(self, going_on: bool = False) -> None:
        """End the sweep's run: FINISHED where every job is, else FAILED.

        Args:
            going_on: jobs go on without this process; the run stays RUNNING.
        """
        finished = self.states.count("FINISHED")
        if not going_on:
            self.tracker.finish("FINISHED" if finished == len(self.states) else "FAILED")
        self.connection.close()
        log.info("sweep:   %d of %d jobs finished; %s", finished, len(self.states),
                 self.sweep.folder / "summary.csv")  # fmt: skip


def job_rows(sweep: Sweep, monitor: str, errors: dict[int, str]) -> list[dict[str, Any]]:
    """For each job its number, what was swept, its status, its best value, or its error."""
    keys = swept_keys(sweep)
    rows = []
    for number, (_, job) in enumerate(sweep.jobs):
        given = dict(word.lstrip("+~").partition("=")[::2] for word in job.overrides)
        results = read_results(job.output_dir)
        best = results["metrics"]["val"].get(monitor, math.nan) if results else math.nan
        ended_before = "FAILED" if _error_file(job.output_dir).exists() else "WAITING"
        status = status_of(job.output_dir) or ended_before
        if number in errors:
            status = "FAILED"  # one that was killed cannot say so itself
        rows.append({
            "job": number,
            **{key: given.get(key, "") for key in keys},
            "status": status,
            f"val_best/{monitor}": best,
            "ended_s": (job.output_dir / "results.json").stat().st_mtime if results else math.nan,
            "run_id": read_sent(job.output_dir).get("run_id", ""),
            "error": errors.get(number) or job_error(job.output_dir, None)
            if status in ("FAILED", "KILLED") else "",
        })  # fmt: skip
    return rows


def swept_keys(sweep: Sweep) -> list[str]:
    """The keys whose values differ between the jobs."""
    values: dict[str, set[str]] = {}
    for _, job in sweep.jobs:
        for word in job.overrides:
            key, _, value = word.lstrip("+~").partition("=")
            values.setdefault(key, set()).add(value)
    return [key for key, found in values.items() if len(found) > 1]


def job_error(folder: Path, status: int | None) -> str:
    """Why a job did not finish: its own words, else what its exit status says."""
    said = said_error(folder)
    if said is not None:
        return said
    if status is not None and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    if status is not None:
        return f"ended with status {status} and without a word"
    return "ended without a word"


def said_error(folder: Path) -> str | None:
    """What a job itself said of its failure."""
    path = _error_file(folder)
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def _error_file(folder: Path) -> Path:
    return folder / "error.txt"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
