"""The table of a sweep's jobs: a row a job."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sightline.runs.folder import RunFolder
from sightline.sweeps.process import last_output
from sightline.sweeps.sweep import SweepJob, overrides_of

Row = dict[str, Any]
MAX_ERROR = 300  # characters of an error in a table


def final_metrics(folder: RunFolder, results: Mapping[str, Any]) -> dict[str, float]:
    """The final metrics of a finished run, under their names in MLflow.

    Args:
        folder: the run's own; its journal holds more metrics than its results.
        results: its `results.json`.
    """
    values = {k: float(v) for k, v in results.items() if isinstance(v, (int, float))}
    logged = folder.state.metrics
    values |= {k: v for k, v in logged.items() if k.startswith(("val_best/", "test/"))}
    for split, prefix in (("val", "val_best"), ("test", "test")):
        found = results["metrics"].get(split, {})
        values |= {f"{prefix}/{name}": float(value) for name, value in found.items()}
    return values


def job_row(
    number: int, each: SweepJob, keys: Sequence[str], metrics: Sequence[str], state: str | None,
    error: str | None,
) -> Row:  # fmt: skip
    """One job: its number, swept values, status, final metrics, or its error.

    Args:
        number: the job's.
        each: the job.
        keys: the swept keys.
        metrics: by which the jobs are compared.
        state: as the sweep knows it, such as RUNNING or PRUNED; None: it is read from the folder.
        error: as the sweep knows it.
    """
    folder = each.folder
    results = folder.results()
    status = "FINISHED" if results and state != "FAILED" else state or _status(folder)
    best = final_metrics(folder, results) if results else {}
    ended = folder.finished_s if results else None
    given = overrides_of(each.job)
    message = (error or folder.error) if status in ("FAILED", "KILLED") else ""
    return {
        "job": number,
        **{key: given.get(key, "") for key in keys},
        "status": status,
        **{metric: best.get(metric, math.nan) for metric in metrics},
        "ended": datetime.fromtimestamp(ended).isoformat(" ", "seconds") if ended else "",
        "run_id": folder.upload.position().get("run_id", ""),
        "folder": str(folder),
        "error": message[:MAX_ERROR],
    }


def _status(folder: RunFolder) -> str:
    """The status in the folder of a job that no process runs."""
    status = folder.status
    if status is None:
        return "FAILED" if folder.error else "WAITING"
    return "INTERRUPTED" if status == "RUNNING" else status


def error_text(each: SweepJob, error: str) -> str:
    """A failed job's error with the end of its output, where a traceback stands."""
    folder = each.folder
    return (
        f"{error}\n\n{' '.join(each.job.overrides)}\n\nThe end of {folder.output}:\n"
        f"{last_output(folder)}\n"
    )


def curve_of(folder: RunFolder, metric: str) -> list[float]:
    """A metric's value in each epoch, as the job logged it."""
    return [value for _, value in folder.state.points.get(metric, [])]


def frozen_configs(jobs: Sequence[SweepJob]) -> str:
    """The config of every job by its folder's name, as JSON."""
    configs = {each.folder.path.name: each.config.model_dump(mode="json") for each in jobs}
    return json.dumps(configs, indent=2, ensure_ascii=False)
