"""What became of each job of a sweep: rows of a table, groups of them, and a note."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sightline.config.schema import REPLICATES, Job
from sightline.reports.figures.axis_values import to_number
from sightline.runs.folder import RunFolder
from sightline.sweeps.process import last_output

Row = dict[str, Any]
SHOWN = 20  # jobs in a note
MAX_ERROR = 300  # characters of an error in a table


def overrides_of(job: Job) -> dict[str, str]:
    """What was overridden, as text."""
    return dict(word.lstrip("+~").partition("=")[::2] for word in job.overrides)


def swept_keys(jobs: Sequence[Job]) -> list[str]:
    """The keys whose values differ between jobs, or that only some of them have."""
    given = [overrides_of(job) for job in jobs]
    keys = dict.fromkeys(key for each in given for key in each)
    return [key for key in keys if len({each.get(key) for each in given}) > 1]


def reached(folder: Path, results: Mapping[str, Any]) -> dict[str, float]:
    """What a finished run reached, under the names that its metrics have in MLflow.

    Args:
        folder: the run's own; its journal holds more metrics than its results.
        results: its `results.json`.
    """
    values = {k: float(v) for k, v in results.items() if isinstance(v, (int, float))}
    logged = RunFolder(folder).state.metrics
    values |= {k: v for k, v in logged.items() if k.startswith(("val_best/", "test/"))}
    for split, prefix in (("val", "val_best"), ("test", "test")):
        found = results["metrics"].get(split, {})
        values |= {f"{prefix}/{name}": float(value) for name, value in found.items()}
    return values


def job_row(
    number: int, job: Job, keys: Sequence[str], metrics: Sequence[str], state: str | None,
    error: str | None,
) -> Row:  # fmt: skip
    """One job: its number, what was swept, its status, what it reached, or its error.

    Args:
        number: the job's.
        job: its folder and its overrides.
        keys: the swept keys.
        metrics: what the jobs are compared by.
        state: what the sweep knows of it, such as RUNNING or PRUNED; None: its folder says.
        error: what the sweep knows of its end.
    """
    results = RunFolder(job.output_dir).results()
    status = "FINISHED" if results and state != "FAILED" else state or _status(job)
    best = reached(job.output_dir, results) if results else {}
    ended = (job.output_dir / "results.json").stat().st_mtime if results else None
    given = overrides_of(job)
    why = (error or RunFolder(job.output_dir).error) if status in ("FAILED", "KILLED") else ""
    return {
        "job": number,
        **{key: given.get(key, "") for key in keys},
        "status": status,
        **{metric: best.get(metric, math.nan) for metric in metrics},
        "ended": datetime.fromtimestamp(ended).isoformat(" ", "seconds") if ended else "",
        "run_id": RunFolder(job.output_dir).upload.position().get("run_id", ""),
        "folder": str(job.output_dir),
        "error": why[:MAX_ERROR],
    }


def _status(job: Job) -> str:
    """A job's status by its folder, when it is known that nobody works there."""
    said = RunFolder(job.output_dir).status
    if said is None:
        return "FAILED" if RunFolder(job.output_dir).error else "WAITING"
    return "INTERRUPTED" if said == "RUNNING" else said


def error_text(job: Job, error: str) -> str:
    """A failed job's error with the end of its output, where a traceback stands."""
    return (
        f"{error}\n\n{' '.join(job.overrides)}\n\nThe end of {RunFolder(job.output_dir).output}:\n"
        f"{last_output(job.output_dir)}\n"
    )


def group_rows(rows: Sequence[Row], keys: Sequence[str], metric: str) -> list[Row]:
    """Seeds and folds of one config together: how many finished, their mean and deviation."""
    shared = [key for key in keys if key not in REPLICATES]
    values: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        values.setdefault(tuple(row[key] for key in shared), []).append(row[metric])
    return [
        {
            **dict(zip(shared, group, strict=True)),
            "runs": len(found),
            f"{metric} mean": statistics.fmean(found),
            f"{metric} sd": statistics.stdev(found) if len(found) > 1 else math.nan,
            f"{metric} min": min(found),
            f"{metric} max": max(found),
        }
        for group, found in values.items()
    ]


def curve_of(job: Job, metric: str) -> list[float]:
    """A metric's value in each epoch, as the job told it."""
    points = RunFolder(job.output_dir).state.points.get(metric, [])
    return [value for _, value in points]


def to_markdown(
    rows: Sequence[Row], keys: Sequence[str], metrics: Sequence[str], maximise: bool
) -> str:
    """The best finished jobs first, then the errors of those that failed."""
    finished = [row for row in rows if math.isfinite(row[metrics[0]])]
    ranked = sorted(finished, key=lambda row: row[metrics[0]], reverse=maximise)
    states = [row["status"] for row in rows]
    counts = ", ".join(f"{states.count(s)} {s}" for s in sorted(set(states)))
    names = ["job", *keys, *metrics]
    lines = [
        f"{len(rows)} jobs: {counts}",
        "",
        f"| {' | '.join(names)} |",
        "|---" * len(names) + "|",
    ]
    for row in ranked[:SHOWN]:
        cells = [str(row["job"]), *(_cell(row[key]) for key in keys)]
        cells += [f"{row[metric]:.5g}" for metric in metrics]
        lines.append(f"| {' | '.join(cells)} |")
    if len(ranked) > SHOWN:
        lines.append(f"\n{len(ranked) - SHOWN} more are in summary.csv.")
    failed = [row for row in rows if row["error"]]
    if failed:
        lines += ["", "Not finished:", ""]
        lines += [
            f"- job {row['job']}: {_cell(row['error'].splitlines()[0])}" for row in failed[:SHOWN]
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Text as it fits into a table of a note; numbers of many digits to four."""
    number = to_number(text)
    if number is not None and len(text) > 8:
        return f"{number:.4g}"
    return text.replace("|", "\\|").replace("\n", " ")


def frozen_configs(jobs: Sequence[tuple[Any, Job]]) -> str:
    """The config of every job by its folder's name, as JSON."""
    configs = {job.output_dir.name: config.model_dump(mode="json") for config, job in jobs}
    return json.dumps(configs, indent=2, ensure_ascii=False)
